//! The surroundings of the loop, as the loop knows them.

use std::time::Duration;

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use crate::TrainError;
use crate::state::{State, Update};

/// A step that was made.
pub(crate) struct Step {
    /// The mean loss of the step, if the reports on its batches say it.
    pub(crate) loss: Option<f64>,
    /// The gradient's norm before clipping.
    pub(crate) grad_norm: f64,
    pub(crate) learning_rate: f64,
    /// Optimizer steps so far, this one included.
    pub(crate) number: usize,
    /// Counted from 0.
    pub(crate) epoch: usize,
    /// Examples of the step.
    pub(crate) examples: usize,
    /// The time in which its batches were made.
    pub(crate) input: Duration,
}

/// The surroundings of the loop over a trainee `U`, whose batches are reported as `R`.
pub(crate) trait Surroundings<U: Update, R> {
    /// Whether the loop ends after this step.
    fn should_stop(&self) -> bool;

    /// An epoch, counted from 0, of `examples` examples starts.
    fn epoch_started(&mut self, epoch: usize, examples: usize);

    /// A batch of `examples` examples passed forward and backward, in the step with this number, counted from 1.
    fn passed(&mut self, _report: R, _examples: usize, _rate: &ModuleLearningRate, _step: usize) {}

    /// A step was made, after which the run is at `state`.
    fn stepped(&mut self, _step: Step, _state: &State<U>) -> Result<(), TrainError> {
        Ok(())
    }

    /// The steps of the epoch end: all of them, or by a stop.
    fn epoch_trained(&mut self, epoch: usize);

    /// Save the run, which is at `state`: before its first step, after the steps of each epoch, and when it stops.
    fn keep(&mut self, _state: &State<U>) -> Result<(), TrainError> {
        Ok(())
    }

    /// Evaluate the model, which is on the autodiff device, after the epoch; false if the training ends here.
    fn evaluate(&mut self, epoch: usize, trainee: &U) -> Result<bool, TrainError>;

    /// An epoch ended with its evaluation, and the run is at the start of the next one.
    fn epoch_ended(&mut self, _state: &State<U>) -> Result<(), TrainError> {
        Ok(())
    }
}
