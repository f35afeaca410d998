//! The interface between the training loop and its surroundings.

use std::time::Duration;

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use crate::TrainError;
use crate::state::{State, Update};

/// A completed step.
pub(crate) struct Step {
    /// The mean loss of the step, if the reports on its batches contain a loss.
    pub(crate) loss: Option<f64>,
    /// The gradient's norm before clipping.
    pub(crate) grad_norm: f64,
    pub(crate) learning_rate: f64,
    /// Optimizer steps so far, this one included.
    pub(crate) number: usize,
    /// The epoch, counted from 0.
    pub(crate) epoch: usize,
    /// The number of examples in the step.
    pub(crate) examples: usize,
    /// The time that it took to make the batches.
    pub(crate) input: Duration,
}

/// The surroundings of the loop over a trainee `U`. `R` is the type of the reports on batches.
pub(crate) trait Surroundings<U: Update, R> {
    /// Whether the loop ends after this step.
    fn should_stop(&self) -> bool;

    /// Called when `epoch`, counted from 0, starts. It has `examples` examples.
    fn epoch_started(&mut self, epoch: usize, examples: usize);

    /// Called after the forward and backward passes of a batch of `examples` examples. `step` is counted from 1.
    fn passed(&mut self, _report: R, _examples: usize, _rate: &ModuleLearningRate, _step: usize) {}

    /// Called after each step, when the run is at `state`.
    fn stepped(&mut self, _step: Step, _state: &State<U>) -> Result<(), TrainError> {
        Ok(())
    }

    /// Called after the last step of an epoch, or after a stop within the epoch.
    fn epoch_trained(&mut self, epoch: usize);

    /// Save the run, which is at `state`. Called before the first step, after the steps of each epoch, and after a stop.
    fn keep(&mut self, _state: &State<U>) -> Result<(), TrainError> {
        Ok(())
    }

    /// Evaluate the model, which is on the autodiff device, after the epoch. Returns false if the training ends here.
    fn evaluate(&mut self, epoch: usize, trainee: &U) -> Result<bool, TrainError>;

    /// Called after the evaluation of an epoch, when the run is at the start of the next epoch.
    fn epoch_ended(&mut self, _state: &State<U>) -> Result<(), TrainError> {
        Ok(())
    }
}
