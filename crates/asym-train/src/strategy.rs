//! The training loop within burn-train: a strategy for `SupervisedTraining`.

use asym_core::Naming;
use burn::data::dataloader::Progress;
use burn::data::dataset::DatasetError;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingComponents,
    TrainingItem, ValidLoader,
};

use crate::clip::scale;
use crate::fit::{Epochs, train_all};
use crate::method::MethodState;
use crate::objective::Gradients;
use crate::state::{Position, State, make};
use crate::surroundings::{Step, Surroundings};
use crate::{Batch, TrainError, TrainSettings, Tuning};

/// Fine-tuning as a strategy of burn-train: the loop of [`fit`](crate::fit) around a `Learner`.
///
/// Compared with Burn's strategy, it adds AdaLoRA's ranks and penalty, LoRA-FA's projected gradient, gradient accumulation that
/// weights batches by their examples or tokens, clipping by the norm over all gradients, and a seed for each step. The caller
/// provides the model, its `TrainStep`, the optimizer and the schedule. [`TrainSettings::optimizer`] and
/// [`TrainSettings::schedule`] create the optimizer and the schedule of [`fit`](crate::fit), including LoRA+'s learning rates.
///
/// ```ignore
/// let learner = Learner::new(model, settings.optimizer(&model, &naming), settings.schedule(&model, steps));
/// SupervisedTraining::new("runs/mine", train, valid)
///     .metrics((LossMetric::new(),))
///     .num_epochs(settings.epochs)
///     .with_training_strategy(TrainingStrategy::Custom(Arc::new(FineTuning::new(settings, tuning, naming)?)))
///     .launch(learner);
/// ```
///
/// The model must be on an autodiff device. The number of epochs is `num_epochs`. `grads_accumulation`, if it is set, replaces
/// the accumulation of the settings. `batch_size` of the settings must equal the batch size of the training loader, since the
/// schedule and the ranks depend on the number of steps. Checkpointers and early stopping work as in Burn's strategies. A
/// checkpoint does not contain AdaLoRA's ranks.
///
/// An error ends the training and is returned as `LearningResult::error`. burn-train has no variant for the errors of a strategy,
/// so it is a `DatasetError`, whose source is the [`TrainError`].
pub struct FineTuning {
    settings: TrainSettings,
    tuning: Tuning,
    naming: Naming,
}

impl FineTuning {
    /// A strategy for a model to which `tuning` was applied. `naming` maps its parameters to their names in files.
    ///
    /// # Errors
    ///
    /// The errors of [`TrainSettings::validate`].
    pub fn new(settings: TrainSettings, tuning: Tuning, naming: Naming) -> Result<Self, TrainError> {
        settings.validate(&tuning)?;
        Ok(Self { settings, tuning, naming })
    }
}

impl<M> SupervisedLearningStrategy<M> for FineTuning
where
    M: LearnerModel,
    <M as TrainStep>::Input: Batch,
{
    fn fit(
        &self,
        components: TrainingComponents<M>,
        mut learner: Learner<M>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
        starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        // The model's autodiff device, so that batches use the model's strategy for gradient checkpointing.
        let device = learner.model().devices().into_iter().next().unwrap_or_default().autodiff();
        let plain = device.clone().inner();
        learner.fork(&device);
        let train = train.to_device(&device);
        // A loader counts its epochs itself, so the epochs before the first one are skipped.
        (1..starting_epoch).for_each(|_| drop(train.iter()));
        let settings = TrainSettings {
            epochs: components.num_epochs,
            gradient_accumulation: components.grad_accumulation.unwrap_or(self.settings.gradient_accumulation),
            ..self.settings.clone()
        };
        let steps_per_epoch = settings.steps_per_epoch(train.num_items());
        let interrupter = components.interrupter.clone();
        let mut bus = Bus { valid: valid.to_device(&plain), examples: (0, 0), steps: (0, steps_per_epoch), components };
        let steps = settings.epochs * steps_per_epoch;
        make(&learner.model());
        let method = MethodState::new(&settings, self.tuning.clone(), &learner.model(), &self.naming, steps);
        let method = match method {
            Ok(method) => method,
            Err(error) => {
                interrupter.fail(DatasetError::new(TrainError::from(error)));
                return (learner.model(), bus.components.event_processor);
            }
        };
        let epoch = starting_epoch - 1;
        let position = Position { epoch, batch: 0, step: epoch * steps_per_epoch };
        let mut state = State { settings, trainee: learner, method, position, total_steps: steps, past: None };
        if let Err(error) = train_all(&mut state, &Steps, &Loaded(train), &mut bus) {
            interrupter.fail(DatasetError::new(error));
        }
        (state.trainee.model(), bus.components.event_processor)
    }
}

/// The gradients that a model's `TrainStep` computes.
struct Steps;

impl<M> Gradients<M> for Steps
where
    M: LearnerModel,
    <M as TrainStep>::Input: Batch,
{
    type Batch = <M as TrainStep>::Input;
    type Report = <M as TrainStep>::Output;

    fn gradients(&self, model: &M, batch: Self::Batch, share: f64) -> (Self::Report, GradientsParams) {
        let output = TrainStep::step(model, batch);
        if share == 1.0 {
            return (output.item, output.grads);
        }
        let device = model.devices().into_iter().next().unwrap_or_default().inner();
        (output.item, scale(model, output.grads, Tensor::full([1], share, &device)))
    }

    fn loss(_report: &Self::Report) -> Option<Tensor<1>> {
        None
    }
}

/// A loader of burn-train, which counts its epochs itself.
struct Loaded<B>(std::sync::Arc<dyn burn::data::dataloader::DataLoader<B>>);

impl<B> Epochs<B> for Loaded<B> {
    fn examples(&self) -> usize {
        self.0.num_items()
    }

    fn batches(&self, _epoch: usize, skip: usize) -> Box<dyn Iterator<Item = Result<B, TrainError>> + '_> {
        Box::new(self.0.iter().skip(skip).map(|batch| batch.map_err(TrainError::data)))
    }
}

/// The events, metrics and interrupter of burn-train.
struct Bus<M: LearnerModel> {
    components: TrainingComponents<M>,
    valid: ValidLoader<M>,
    /// The number of examples of the epoch that were trained on, and the number of all its examples.
    examples: (usize, usize),
    /// The number of completed steps of the epoch, and the number of steps that the settings imply.
    steps: (usize, usize),
}

impl<M: LearnerModel> Bus<M> {
    fn train_event(&mut self, event: LearnerEvent<<M as TrainStep>::Output>) {
        let result = self.components.event_processor.process_train(event);
        self.interrupter().fail_on_error(result);
    }

    fn valid_event(&mut self, event: LearnerEvent<<M as InferenceStep>::Output>) {
        let result = self.components.event_processor.process_valid(event);
        self.interrupter().fail_on_error(result);
    }

    fn interrupter(&self) -> &Interrupter {
        &self.components.interrupter
    }
}

impl<M: LearnerModel> Surroundings<Learner<M>, <M as TrainStep>::Output> for Bus<M> {
    fn should_stop(&self) -> bool {
        self.interrupter().should_stop()
    }

    fn epoch_started(&mut self, epoch: usize, examples: usize) {
        self.examples = (0, examples);
        self.steps.0 = 0;
        self.train_event(LearnerEvent::StartSplit { epoch_number: epoch + 1, total_items: examples });
    }

    fn passed(&mut self, report: <M as TrainStep>::Output, examples: usize, rate: &ModuleLearningRate, step: usize) {
        self.examples.0 += examples;
        let (done, total) = self.examples;
        let progress = Progress::new(done, total, Some("items".to_owned()));
        self.train_event(LearnerEvent::ProcessedItem(TrainingItem::new(
            report,
            progress,
            Some(step),
            Some(rate.clone()),
        )));
    }

    fn stepped(&mut self, _step: Step, _state: &State<Learner<M>>) -> Result<(), TrainError> {
        self.steps.0 += 1;
        Ok(())
    }

    fn epoch_trained(&mut self, epoch: usize) {
        self.train_event(LearnerEvent::EndSplit(epoch + 1));
    }

    fn evaluate(&mut self, epoch: usize, learner: &Learner<M>) -> Result<bool, TrainError> {
        let (found, expected) = self.steps;
        if found != expected {
            // AdaLoRA's ranks and the schedule would not end at the last step of the training.
            return Err(TrainError::Steps { found, expected });
        }
        let model = learner.model().valid();
        let valid = self.valid.clone();
        self.valid_event(LearnerEvent::StartSplit { epoch_number: epoch + 1, total_items: valid.num_items() });
        let mut batches = valid.iter();
        let mut iteration = 0;
        while let Some(batch) = batches.next() {
            iteration += 1;
            let output = InferenceStep::step(&model, batch.map_err(TrainError::data)?);
            let item = TrainingItem::new(output, batches.progress(), Some(iteration), None);
            self.valid_event(LearnerEvent::ProcessedItem(item));
            if self.should_stop() {
                return Ok(false);
            }
        }
        self.valid_event(LearnerEvent::EndSplit(epoch + 1));
        self.train_event(LearnerEvent::EndEpoch(epoch + 1));
        let TrainingComponents { checkpointer, early_stopping, event_processor, event_store, interrupter, .. } =
            &mut self.components;
        if checkpointer.is_some() || early_stopping.is_some() {
            interrupter.fail_on_error(event_processor.flush());
        }
        if interrupter.should_stop() {
            return Ok(false);
        }
        if let Some(checkpointer) = checkpointer {
            checkpointer.checkpoint(learner, epoch + 1, event_store);
        }
        let stops = early_stopping.as_mut().is_some_and(|early| early.should_stop(epoch + 1, event_store));
        Ok(!stops)
    }
}
