//! The surroundings of the loop: folder, log, progress, evaluation, and the request to stop.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::fit::Step;
use crate::log::{MetricsLog, StepLine};
use crate::progress::Progress;
use crate::{Epoch, EvalRoom, Evaluation, Pace, RunFolder, StopSignal, TrainError, TrainSettings, Tuning};

/// Saves a model, given with what of it is trained.
pub type Keep<'a, M> = Box<dyn FnMut(&M, &Tuning) -> Result<(), TrainError> + 'a>;

/// Where a run leaves what it makes.
pub struct Run<'a, M> {
    /// The name of the run in its progress.
    pub label: String,
    /// The folder for `metrics.jsonl`; without one nothing is written.
    pub folder: Option<&'a RunFolder>,
    /// Who may ask to stop.
    pub stop: StopSignal,
    /// Called with the model before the first step, after each epoch, and after a stop.
    pub keep: Keep<'a, M>,
}

impl<M> Run<'_, M> {
    /// A run that leaves nothing.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_string(), folder: None, stop: StopSignal::default(), keep: Box::new(|_, _| Ok(())) }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The epochs that ended; their evaluation too.
    pub epochs: Vec<Epoch>,
    /// The training loss of each step.
    pub losses: Vec<f64>,
    /// How fast it trained.
    pub training: Pace,
    /// How fast it evaluated.
    pub evaluation: Pace,
    /// Wall-clock seconds of all of it.
    pub seconds: f64,
    /// Whether it was stopped before its last epoch ended.
    pub interrupted: bool,
}

/// The surroundings of the loop.
pub(crate) trait Surroundings<M, R> {
    /// Whether the loop ends after this step.
    fn should_stop(&self) -> bool;

    /// An epoch, counted from 0, of `examples` examples starts.
    fn epoch_started(&mut self, epoch: usize, examples: usize);

    /// A step was made.
    fn stepped(&mut self, step: Step<R>) -> Result<(), TrainError>;

    /// The steps of the epoch end, all of them or by a stop.
    fn epoch_trained(&mut self, epoch: usize);

    /// Save the model.
    fn keep(&mut self, _model: &M, _tuning: &Tuning) -> Result<(), TrainError> {
        Ok(())
    }

    /// Evaluate the model, which is on the autodiff device, after the epoch; false if a stop ended the evaluation early.
    fn evaluate(&mut self, epoch: usize, model: &M) -> Result<bool, TrainError>;
}

impl<'a, M> Run<'a, M> {
    /// Start the run's clock, log and progress.
    pub(crate) fn begin<E>(self, evaluation: &'a E, settings: &TrainSettings) -> Result<Running<'a, M, E>, TrainError> {
        let log = MetricsLog::create(self.folder.map(RunFolder::metrics).as_deref())?;
        let progress = Progress::new(&self.label, settings.epochs);
        let now = Instant::now();
        Ok(Running {
            run: self,
            evaluation,
            log,
            progress,
            outcome: Outcome::default(),
            batch_size: 2 * settings.batch_size,
            started: now,
            epoch_started: now,
        })
    }
}

/// A run that goes on.
pub(crate) struct Running<'a, M, E> {
    run: Run<'a, M>,
    evaluation: &'a E,
    log: MetricsLog,
    progress: Progress,
    outcome: Outcome,
    /// Of the evaluation.
    batch_size: usize,
    started: Instant,
    epoch_started: Instant,
}

impl<M, E> Running<'_, M, E> {
    /// The outcome of the run, which is complete unless somebody stopped it.
    pub(crate) fn end(mut self, complete: bool) -> Outcome {
        self.outcome.seconds = self.started.elapsed().as_secs_f64();
        self.outcome.interrupted = !complete;
        self.outcome
    }
}

impl<M: Module, E: Evaluation<M>> Surroundings<M, Tensor<1>> for Running<'_, M, E> {
    fn should_stop(&self) -> bool {
        self.run.stop.requested()
    }

    fn epoch_started(&mut self, epoch: usize, examples: usize) {
        self.progress.epoch(epoch + 1, examples);
        self.epoch_started = Instant::now();
    }

    fn stepped(&mut self, step: Step<Tensor<1>>) -> Result<(), TrainError> {
        let learning_rate = step.rate.base();
        self.outcome.training.add(step.examples, step.input);
        self.outcome.losses.extend(step.loss);
        self.progress.step(step.examples, step.loss, learning_rate);
        let (number, epoch, grad_norm, loss) = (step.number, step.epoch + 1, step.grad_norm, step.loss);
        self.log.step(StepLine { step: number, epoch, seconds: 0.0, grad_norm, learning_rate, loss })
    }

    fn epoch_trained(&mut self, _epoch: usize) {
        self.outcome.training.took(self.epoch_started.elapsed());
    }

    fn keep(&mut self, model: &M, tuning: &Tuning) -> Result<(), TrainError> {
        (self.run.keep)(model, tuning)
    }

    fn evaluate(&mut self, epoch: usize, model: &M) -> Result<bool, TrainError> {
        let started = Instant::now();
        let mut room = EvalRoom::new(&self.run.stop, &mut self.outcome.evaluation, self.batch_size);
        let scores = self.evaluation.run(&model.valid(), &mut room)?;
        self.outcome.evaluation.took(started.elapsed());
        let complete = scores.is_some() || !self.run.stop.requested();
        if complete {
            self.outcome.epochs.push(self.log.epoch(epoch + 1, scores.unwrap_or_default())?);
        }
        Ok(complete)
    }
}
