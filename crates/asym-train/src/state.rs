//! Everything that changes during a run, as one value.

use asym_core::{Naming, layout};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::Tensor;
use burn::train::{Learner, LearnerModel};
use serde::{Deserialize, Serialize};

use crate::method::MethodState;
use crate::past::Past;
use crate::{Dtype, TrainError, TrainSettings, Tuning};

/// The position of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The number of batches of this epoch that were trained on; all of them while the epoch is evaluated.
    pub batch: usize,
    /// Optimizer steps since the start.
    pub step: usize,
}

/// Everything that changes during a run: model, optimizer, schedule, the state of the method, and the position. Training from two
/// equal states has equal results.
pub struct State<U> {
    pub(crate) settings: TrainSettings,
    pub(crate) trainee: U,
    pub(crate) method: MethodState,
    pub(crate) position: Position,
    /// The number of steps of the whole run.
    pub(crate) total_steps: usize,
    /// The measurements up to the checkpoint, if the run continues from one.
    pub(crate) past: Option<Past>,
}

/// A model with its optimizer and its schedule.
pub struct Optimized<M> {
    model: M,
    optimizer: ModuleOptimizer,
    schedule: ModuleLrScheduler,
}

impl<M: Module> State<Optimized<M>> {
    /// The state at the start of a run of `steps` steps, with AdamW and the schedule from `settings`. `tuning` must have been
    /// applied to `model`, and `model` must be on an autodiff device.
    ///
    /// # Errors
    ///
    /// The errors of [`TrainSettings::validate`]; [`TrainError::NothingTrained`]; and [`TrainError::Adapter`] for settings that
    /// do not fit the method or this number of steps.
    pub fn new(
        model: M,
        tuning: Tuning,
        naming: &Naming,
        settings: &TrainSettings,
        steps: usize,
    ) -> Result<Self, TrainError> {
        settings.validate(&tuning)?;
        let model = if settings.dtype == Dtype::Bf16 { layout::round(model) } else { model };
        if make(&model) == 0 {
            return Err(TrainError::NothingTrained);
        }
        let method = MethodState::new(settings, tuning, &model, naming, steps)?;
        let optimizer = settings.optimizer(&model, naming);
        let schedule = settings.schedule(&model, steps);
        let trainee = Optimized { model, optimizer, schedule };
        let (settings, position) = (settings.clone(), Position::default());
        Ok(Self { settings, trainee, method, position, total_steps: steps, past: None })
    }

    /// The settings of the run.
    pub fn settings(&self) -> &TrainSettings {
        &self.settings
    }

    /// The current model.
    pub fn model(&self) -> &M {
        &self.trainee.model
    }

    /// The tuning; for AdaLoRA, with the current ranks.
    pub fn tuning(&self) -> Tuning {
        self.method.tuning()
    }

    /// The current position of the run.
    pub fn position(&self) -> Position {
        self.position
    }
}

impl<M: Module> Optimized<M> {
    /// The state of the optimizer.
    pub(crate) fn optimizer_record(&self) -> OptimizerRecord {
        self.optimizer.to_record()
    }

    /// Continue after `steps` steps with the saved state of the optimizer. The schedule depends only on the step, so it is
    /// advanced by `steps` steps.
    pub(crate) fn restore(&mut self, optimizer: OptimizerRecord, steps: usize) {
        self.optimizer = self.optimizer.clone().load_record(optimizer);
        (0..steps).for_each(|_| drop(self.schedule.step()));
    }
}

/// Initialize the parameters that are initialized lazily. Otherwise, they would be initialized from the seed that the loop gives
/// the device at each step. Returns the number of trained parameter tensors.
pub(crate) fn make<M: Module>(model: &M) -> usize {
    struct Make(usize);
    impl ModuleVisitor for Make {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += usize::from(param.base().is_require_grad());
        }
    }
    let mut make = Make(0);
    model.visit(&mut make);
    make.0
}

/// A model with its optimizer. The loop uses both only through this trait.
pub(crate) trait Update {
    type Model: Module;

    /// The model. A clone shares its tensors.
    fn model(&self) -> Self::Model;

    /// The learning rates of the next step.
    fn next_rate(&mut self) -> ModuleLearningRate;

    /// One step of the optimizer with the learning rates of [`next_rate`](Self::next_rate).
    fn update(&mut self, rate: ModuleLearningRate, gradients: GradientsParams);

    /// Replace the model by a model whose parameters have the same ids.
    fn replace(&mut self, model: Self::Model);
}

impl<M: Module> Update for Optimized<M> {
    type Model = M;

    fn model(&self) -> M {
        self.model.clone()
    }

    fn next_rate(&mut self) -> ModuleLearningRate {
        self.schedule.step()
    }

    fn update(&mut self, rate: ModuleLearningRate, gradients: GradientsParams) {
        self.model = self.optimizer.step(rate, self.model.clone(), gradients);
    }

    fn replace(&mut self, model: M) {
        self.model = model;
    }
}

/// The optimizer and the schedule of burn-train's learner are private. The learner updates its model with them.
impl<M: LearnerModel> Update for Learner<M> {
    type Model = M;

    fn model(&self) -> M {
        Learner::model(self)
    }

    fn next_rate(&mut self) -> ModuleLearningRate {
        self.lr_step();
        self.lr_current()
    }

    fn update(&mut self, _rate: ModuleLearningRate, gradients: GradientsParams) {
        self.optimizer_step(gradients);
    }

    fn replace(&mut self, model: M) {
        // The learner can load a new model only from a record.
        self.load_model(model.into_record());
    }
}
