//! A run of its own around the loop: folder, log, progress, evaluation, and the request to stop.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::log::{MetricsLog, StepLine};
use crate::progress::Progress;
use crate::state::{Optimized, Update};
use crate::surroundings::{Step, Surroundings};
use crate::{Epoch, EvalRoom, Evaluation, Pace, RunFolder, StopSignal, TrainError, TrainSettings, Tuning};

/// Saves a model, given with what of it is trained.
pub type Keep<'a, M> = Box<dyn FnMut(&M, &Tuning) -> Result<(), TrainError> + 'a>;

/// The surroundings of a run: its label, its folder, and its request to stop.
pub struct Run<'a, M> {
    /// The name of the run in its progress.
    pub label: String,
    /// The folder for `metrics.jsonl`; without one nothing is written.
    pub folder: Option<&'a RunFolder>,
    /// The request to stop.
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

/// The outcome of a run.
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
    /// Examples that are evaluated at once.
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

impl<M: Module, E: Evaluation<M>> Surroundings<Optimized<M>, Tensor<1>> for Running<'_, M, E> {
    fn should_stop(&self) -> bool {
        self.run.stop.requested()
    }

    fn epoch_started(&mut self, epoch: usize, examples: usize) {
        self.progress.epoch(epoch + 1, examples);
        self.epoch_started = Instant::now();
    }

    fn stepped(&mut self, step: Step) -> Result<(), TrainError> {
        let Step { loss, grad_norm, learning_rate, number, epoch, examples, input } = step;
        self.outcome.training.add(examples, input);
        self.outcome.losses.extend(loss);
        self.progress.step(examples, loss, learning_rate);
        self.log.step(StepLine { step: number, epoch: epoch + 1, seconds: 0.0, grad_norm, learning_rate, loss })
    }

    fn epoch_trained(&mut self, _epoch: usize) {
        self.outcome.training.took(self.epoch_started.elapsed());
    }

    fn keep(&mut self, model: &M, tuning: &Tuning) -> Result<(), TrainError> {
        (self.run.keep)(model, tuning)
    }

    fn evaluate(&mut self, epoch: usize, trainee: &Optimized<M>) -> Result<bool, TrainError> {
        let started = Instant::now();
        let mut room = EvalRoom::new(&self.run.stop, &mut self.outcome.evaluation, self.batch_size);
        let scores = self.evaluation.run(&trainee.model().valid(), &mut room)?;
        self.outcome.evaluation.took(started.elapsed());
        let Some(scores) = scores else { return Ok(false) };
        self.outcome.epochs.push(self.log.epoch(epoch + 1, scores)?);
        Ok(true)
    }
}
