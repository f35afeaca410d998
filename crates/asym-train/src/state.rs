//! Everything that moves during a run, as one value.

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

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// Batches of this epoch that were trained on. All of them, if the epoch is not evaluated yet.
    pub batch: usize,
    /// Optimizer steps since the start.
    pub step: usize,
}

/// Everything that moves during a run: model, optimizer, schedule, the method's own state, and the position. Two equal states
/// continue equally.
pub struct State<U> {
    pub(crate) settings: TrainSettings,
    pub(crate) trainee: U,
    pub(crate) method: MethodState,
    pub(crate) position: Position,
    /// Steps of the whole run.
    pub(crate) total_steps: usize,
    /// The measurements of the run until it was saved, if it continues.
    pub(crate) past: Option<Past>,
}

/// A model with the optimizer and the schedule that move it.
pub struct Optimized<M> {
    model: M,
    optimizer: ModuleOptimizer,
    schedule: ModuleLrScheduler,
}

impl<M: Module> State<Optimized<M>> {
    /// The state at the start of a run of `steps` steps, with AdamW and a linear schedule from `settings`. `tuning` must
    /// have been applied to `model`, and `model` must be on an autodiff device.
    ///
    /// # Errors
    ///
    /// The errors of [`TrainSettings::validate`]; [`TrainError::NothingTrained`]; settings that do not fit the method or this number of
    /// steps.
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

    /// The tuning; for AdaLoRA with the ranks that are left.
    pub fn tuning(&self) -> Tuning {
        self.method.tuning()
    }

    /// How far the run is.
    pub fn position(&self) -> Position {
        self.position
    }
}

impl<M: Module> Optimized<M> {
    /// The state of the optimizer.
    pub(crate) fn optimizer_record(&self) -> OptimizerRecord {
        self.optimizer.to_record()
    }

    /// Continue after `steps` steps with the state that the optimizer had then. A schedule is a function of the step.
    pub(crate) fn restore(&mut self, optimizer: OptimizerRecord, steps: usize) {
        self.optimizer = self.optimizer.clone().load_record(optimizer);
        (0..steps).for_each(|_| drop(self.schedule.step()));
    }
}

/// Make the parameters that wait for their first use: the loop seeds the device at each step, and would draw them from that
/// seed. Returns the number of trained parameters.
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

/// A model and what updates it. The loop knows no more of either.
pub(crate) trait Update {
    type Model: Module;

    /// The model. A clone shares its tensors.
    fn model(&self) -> Self::Model;

    /// The learning rates of the next step.
    fn next_rate(&mut self) -> ModuleLearningRate;

    /// One step of the optimizer with the learning rates of [`next_rate`](Self::next_rate).
    fn update(&mut self, rate: ModuleLearningRate, gradients: GradientsParams);

    /// Put another model in the place of this one. Its parameters have the same ids.
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

/// burn-train's learner keeps its optimizer and its schedule to itself, and updates its model with them.
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
        // The learner takes a new model only as a record.
        self.load_model(model.into_record());
    }
}
