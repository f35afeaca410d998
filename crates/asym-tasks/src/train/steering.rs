//! What some methods do beside the optimizer's step: AdaLoRA's ranks, LoRA-FA's projection, LoRA+'s rates.

use asym_core::optim::{ProjectedGradient, fast_parameters};
use asym_core::{Method, RankAllocator};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::train::Learner;

use super::schedule::LinearWarmup;
use super::step::Trainee;
use crate::error::TaskError;
use crate::recipe::{Recipe, Tuning};

/// A method's part in the loop. Most methods have none.
pub(super) struct Steering {
    tuning: Tuning,
    ranks: Option<RankAllocator>,
    projection: Option<ProjectedGradient>,
    /// The weight of AdaLoRA's penalty.
    pub(super) orthogonality: f64,
}

impl Steering {
    /// For `trainee` in a run of `steps` steps.
    ///
    /// # Errors
    ///
    /// Settings of the recipe that do not fit its method or this number of steps.
    pub(super) fn new(recipe: &Recipe, tuning: Tuning, trainee: &Trainee, steps: usize) -> Result<Self, TaskError> {
        let naming = trainee.naming();
        let mut steering = Self { tuning, ranks: None, projection: None, orthogonality: 0.0 };
        let Tuning::Adapter(config) = &mut steering.tuning else { return Ok(steering) };
        if recipe.projected_gradient {
            steering.projection = Some(ProjectedGradient::new(config, &trainee.model, &naming)?);
        }
        if let Method::AdaLora(settings) = &mut config.method {
            *settings = settings.for_training(steps);
            steering.ranks = Some(RankAllocator::new(settings, &trainee.model, &naming)?);
            steering.orthogonality = settings.orthogonality;
        }
        Ok(steering)
    }

    /// What is trained, with the ranks that are left.
    pub(super) fn tuning(&self) -> Tuning {
        let mut tuning = self.tuning.clone();
        if let (Tuning::Adapter(config), Some(ranks)) = (&mut tuning, &self.ranks)
            && let Method::AdaLora(settings) = &mut config.method
        {
            settings.rank_pattern = ranks.rank_pattern().clone();
        }
        tuning
    }

    /// The gradients as the optimizer is to take them.
    pub(super) fn gradients(&mut self, trainee: &Trainee, gradients: GradientsParams) -> GradientsParams {
        if let Some(ranks) = &mut self.ranks {
            ranks.observe(&trainee.model, &gradients);
        }
        match &self.projection {
            Some(projection) => projection.apply(gradients),
            None => gradients,
        }
    }

    /// After the optimizer's `step`, counted from 0.
    pub(super) fn after_step(&mut self, learner: &mut Learner<Trainee>, step: usize) {
        if let Some(ranks) = &mut self.ranks {
            let Trainee { model } = learner.model();
            let trainee = Trainee { model: ranks.allocate(model, step) };
            // The learner takes a new model as a record alone.
            learner.load_model(trainee.into_record());
        }
    }
}

/// The learning rates of a run of `steps` steps: one for all, or LoRA+'s two.
pub(super) fn schedule(recipe: &Recipe, trainee: &Trainee, steps: usize) -> ModuleLrScheduler {
    let warmup = (recipe.warmup * steps as f64) as usize;
    let linear = |peak| LinearWarmup::new(peak, warmup, steps);
    let schedule = ModuleLrScheduler::new(linear(recipe.learning_rate));
    match recipe.b_learning_rate_ratio {
        Some(ratio) => schedule.with_group(fast_parameters(&trainee.model), linear(ratio * recipe.learning_rate)),
        None => schedule,
    }
}
