//! The training loop, as a strategy of burn-train.
//!
//! It differs from Burn's own in what the tables need: each step seeded from (run seed, step), accumulation that weighs
//! examples and not batches, a gradient norm over all parameters, a stop at the first loss that is not a number, and
//! the adapter, not the whole model, saved after each epoch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use asym_core::random::derive_seed;
use burn::data::dataloader::DataLoaderIterator;
use burn::optim::GradientsAccumulator;
use burn::tensor::Device;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
};

use super::clip::clip_by_global_norm;
use super::metrics::{Predictions, Scalars};
use super::steering::Steering;
use super::step::{StepOutput, Trainee};
use super::times::Times;
use crate::batch::Batch;
use crate::error::TaskError;
use crate::recipe::{Recipe, Tuning};

type Events = SupervisedTrainingEventProcessor<Trainee>;

/// What is done with the model, and what of it is trained, after each epoch and before the first.
pub(super) type Save = Arc<dyn Fn(&Trainee, &Tuning) -> Result<(), TaskError> + Send + Sync>;

/// The first error of a run, shared with whoever started it: burn-train's own errors cannot carry it.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<TaskError>>>);

impl Failure {
    fn set(&self, error: TaskError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn take(&self) -> Option<TaskError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Fine-tuning on one device.
pub(super) struct FineTuning {
    pub(super) recipe: Recipe,
    pub(super) device: Device,
    /// Locked for as long as the run lasts.
    pub(super) steering: Mutex<Steering>,
    pub(super) save: Save,
    pub(super) failure: Failure,
    pub(super) times: Times,
}

impl SupervisedLearningStrategy<Trainee> for FineTuning {
    fn fit(
        &self,
        components: TrainingComponents<Trainee>,
        mut learner: Learner<Trainee>,
        train: TrainLoader<Trainee>,
        dev: ValidLoader<Trainee>,
        starting_epoch: usize,
    ) -> (Trainee, Events) {
        let train = train.to_device(&self.device.clone().autodiff());
        let dev = dev.to_device(&self.device);
        let interrupter = components.interrupter;
        let mut events = components.event_processor;
        let mut steering = self.steering.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = 0;

        self.keep(&learner.model(), &steering, &interrupter);
        for epoch in starting_epoch..=components.num_epochs {
            if interrupter.should_stop() {
                break;
            }
            let start = LearnerEvent::StartSplit { epoch_number: epoch, total_items: train.num_items() };
            interrupter.fail_on_error(events.process_train(start));
            let batches = &mut *train.iter();
            let started = Instant::now();
            self.train_epoch(&mut learner, &mut steering, batches, &mut step, &mut events, &interrupter);
            self.times.trained_for(started.elapsed());
            interrupter.fail_on_error(events.process_train(LearnerEvent::EndSplit(epoch)));
            if interrupter.should_stop() {
                break;
            }
            self.keep(&learner.model(), &steering, &interrupter);

            let start = LearnerEvent::StartSplit { epoch_number: epoch, total_items: dev.num_items() };
            interrupter.fail_on_error(events.process_valid(start));
            let started = Instant::now();
            let complete = evaluate(&learner.model(), &mut *dev.iter(), &self.times, &mut events, &interrupter);
            self.times.measured_for(started.elapsed());
            // A score over a part of the set would pass for one over the whole.
            if complete {
                interrupter.fail_on_error(events.process_valid(LearnerEvent::EndSplit(epoch)));
            }
            interrupter.fail_on_error(events.process_train(LearnerEvent::EndEpoch(epoch)));
        }
        // Interrupted within an epoch by a person, not by an error: what was learned so far is good.
        if interrupter.interruption().is_some() {
            self.keep(&learner.model(), &steering, &interrupter);
        }
        (learner.model(), events)
    }
}

impl FineTuning {
    fn stop(&self, error: TaskError, interrupter: &Interrupter) {
        self.failure.set(error);
        interrupter.stop(Some("error"));
    }

    fn keep(&self, model: &Trainee, steering: &Steering, interrupter: &Interrupter) {
        // Never the weights of a run that failed: the last good ones stay.
        if self.failure.0.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return;
        }
        if let Err(error) = (self.save)(model, &steering.tuning()) {
            self.stop(error, interrupter);
        }
    }

    fn train_epoch(
        &self,
        learner: &mut Learner<Trainee>,
        steering: &mut Steering,
        batches: &mut dyn DataLoaderIterator<Batch>,
        step: &mut usize,
        events: &mut Events,
        interrupter: &Interrupter,
    ) {
        let mut accumulator = GradientsAccumulator::new();
        while !interrupter.should_stop() {
            let started = Instant::now();
            let group = std::iter::from_fn(|| batches.next()).take(self.recipe.accumulation);
            let group = group.collect::<Result<Vec<Batch>, _>>();
            let input = started.elapsed();
            let group = match group {
                Ok(group) => group,
                Err(error) => return interrupter.fail(error),
            };
            if group.is_empty() {
                return;
            }
            // Dropout is a function of (seed, step): a run repeats bit for bit.
            self.device.seed(derive_seed(self.recipe.seed, "step", *step as u64));
            let examples: usize = group.iter().map(Batch::len).sum();
            let mut loss = 0.0;
            let model = learner.model();
            for batch in &group {
                // Each example has the same weight, also where the last batch is short.
                let share = batch.len() as f64 / examples as f64;
                let (value, gradients) = model.gradients(batch, share, steering.orthogonality);
                loss += share * value;
                accumulator.accumulate(&model, gradients);
            }
            let (norm, gradients) = clip_by_global_norm(&model, accumulator.grads(), self.recipe.max_gradient_norm);
            let gradients = steering.gradients(&model, gradients);
            drop(model);
            learner.lr_step();
            let learning_rate = learner.lr_current().base();
            if !(loss.is_finite() && norm.is_finite()) {
                let error = TaskError::NonFiniteLoss { loss, gradient_norm: norm, step: *step + 1, learning_rate };
                return self.stop(error, interrupter);
            }
            learner.optimizer_step(gradients);
            steering.after_step(learner, *step);
            *step += 1;
            self.times.trained(examples, input);

            let output = StepOutput {
                scalars: Scalars { loss, gradient_norm: Some(norm) },
                predictions: Predictions::default(),
            };
            let item = TrainingItem::new(output, batches.progress(), Some(*step), Some(learner.lr_current()));
            interrupter.fail_on_error(events.process_train(LearnerEvent::ProcessedItem(item)));
        }
    }
}

/// Measure the development set; false if it was interrupted.
fn evaluate(
    model: &Trainee,
    batches: &mut dyn DataLoaderIterator<Batch>,
    times: &Times,
    events: &mut Events,
    interrupter: &Interrupter,
) -> bool {
    use burn::module::Module;
    let model = model.valid();
    let mut iteration = 0;
    loop {
        let started = Instant::now();
        let Some(batch) = batches.next() else { return true };
        let input = started.elapsed();
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                interrupter.fail(error);
                return false;
            }
        };
        iteration += 1;
        let examples = batch.len();
        let output = InferenceStep::step(&model, batch);
        times.measured(examples, input);
        let item = TrainingItem::new(output, batches.progress(), Some(iteration), None);
        interrupter.fail_on_error(events.process_valid(LearnerEvent::ProcessedItem(item)));
        if interrupter.should_stop() {
            return false;
        }
    }
}
