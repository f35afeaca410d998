//! A run of the loop, with its folder, log, checkpoints, progress, evaluation and stop signal.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Tensor;

use crate::checkpoint::Checkpoints;
use crate::log::{MetricsLog, StepLine};
use crate::past::Past;
use crate::progress::Progress;
use crate::state::{Optimized, State};
use crate::surroundings::{Step, Surroundings};
use crate::{Epoch, EvalRoom, Evaluation, Pace, RunFolder, StopSignal, TrainError, Tuning};

/// A function that saves a model. The arguments are the model and its tuning.
pub type Keep<'a, M> = Box<dyn FnMut(&M, &Tuning) -> Result<(), TrainError> + 'a>;

/// The surroundings of a run: its label, its folder, its stop signal, and a function that saves the model.
pub struct Run<'a, M> {
    /// The name of the run in progress messages.
    pub label: String,
    /// The folder for `metrics.jsonl` and the checkpoints. Without a folder, these files are not written.
    pub folder: Option<&'a RunFolder>,
    /// The stop signal.
    pub stop: StopSignal,
    /// Called with the model before the first step, after each epoch, and after a stop.
    pub keep: Keep<'a, M>,
}

impl<M> Run<'_, M> {
    /// A run that writes no files.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_string(), folder: None, stop: StopSignal::default(), keep: Box::new(|_, _| Ok(())) }
    }
}

/// The outcome of a run, including the parts before it was continued.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The epochs whose training and evaluation are complete.
    pub epochs: Vec<Epoch>,
    /// The training loss of each step. The losses before a run was continued are read from its folder.
    pub losses: Vec<f64>,
    /// Optimizer steps.
    pub steps: usize,
    /// The throughput of the training.
    pub training: Pace,
    /// The throughput of the evaluation.
    pub evaluation: Pace,
    /// Wall-clock seconds of the whole run.
    pub seconds: f64,
    /// Whether the run was stopped before its last epoch ended.
    pub interrupted: bool,
}

impl<'a, M: Module> Run<'a, M> {
    /// Start the clock, the log and the progress of the run at `state`. `data` is the digest of the training examples.
    pub(crate) fn begin<'e, E>(
        self,
        evaluation: &'e E,
        state: &mut State<Optimized<M>>,
        data: String,
    ) -> Result<Running<'a, 'e, M, E>, TrainError> {
        let past = state.past.take();
        if past.as_ref().is_some_and(|past| past.data != data) {
            return Err(TrainError::OtherData);
        }
        let step = state.position().step;
        if past.is_some() {
            let (label, steps) = (&self.label, state.total_steps);
            log::info!("{label}: continues after step {step} of {steps}");
        }
        let resumed = past.as_ref().map(|_| step);
        let past = past.unwrap_or_default();
        let (log, losses) = MetricsLog::open(self.folder.map(RunFolder::metrics).as_deref(), &past)?;
        let settings = state.settings();
        let progress = Progress::new(&self.label, settings.epochs, past.training.examples);
        let checkpoints = self.folder.map(|folder| Checkpoints::new(folder.checkpoints(), state.model(), resumed));
        Ok(Running {
            checkpoints: checkpoints.transpose()?,
            due: Due { every: settings.save_every, last: Instant::now(), cost: Duration::ZERO },
            evaluation,
            log,
            progress,
            batch_size: settings.batch_size.saturating_mul(2),
            epochs: settings.epochs,
            outcome: Outcome {
                epochs: past.epochs,
                losses,
                steps: step,
                training: past.training,
                evaluation: past.evaluation,
                seconds: past.seconds,
                interrupted: false,
            },
            data,
            kept: resumed.is_some(),
            started: Instant::now(),
            epoch_started: None,
            run: self,
        })
    }
}

/// A run in progress.
pub(crate) struct Running<'a, 'e, M, E> {
    run: Run<'a, M>,
    evaluation: &'e E,
    log: MetricsLog,
    checkpoints: Option<Checkpoints>,
    due: Due,
    progress: Progress,
    /// The outcome so far. Its seconds are those before `started`.
    outcome: Outcome,
    data: String,
    /// Whether the folder already contains the current state. This is true at the start of a run that continues, where nothing is
    /// saved.
    kept: bool,
    /// The number of examples in a batch of the evaluation.
    batch_size: usize,
    /// The number of epochs of the whole run.
    epochs: usize,
    started: Instant,
    /// The start of the loop over the steps of this epoch, while it runs.
    epoch_started: Option<Instant>,
}

impl<M: Module, E> Running<'_, '_, M, E> {
    /// The outcome of the run, which is complete unless the run was stopped.
    pub(crate) fn end(mut self, complete: bool) -> Outcome {
        self.outcome.seconds += self.started.elapsed().as_secs_f64();
        self.outcome.interrupted = !complete;
        self.outcome
    }

    /// Save a checkpoint of `state`.
    fn checkpoint(&mut self, state: &State<Optimized<M>>) -> Result<(), TrainError> {
        let (Some(checkpoints), Some(folder)) = (&mut self.checkpoints, self.run.folder) else { return Ok(()) };
        let started = Instant::now();
        folder.verify()?;
        let mut training = self.outcome.training;
        self.epoch_started.iter().for_each(|started| training.took(started.elapsed()));
        let past = Past {
            epochs: self.outcome.epochs.clone(),
            training,
            evaluation: self.outcome.evaluation,
            seconds: self.outcome.seconds + self.started.elapsed().as_secs_f64(),
            data: self.data.clone(),
            ..self.log.past()?
        };
        checkpoints.save(state, past)?;
        self.due.saved(started.elapsed());
        Ok(())
    }
}

impl<M: Module, E: Evaluation<M>> Surroundings<Optimized<M>, Tensor<1>> for Running<'_, '_, M, E> {
    fn should_stop(&self) -> bool {
        self.run.stop.requested()
    }

    fn epoch_started(&mut self, epoch: usize, examples: usize) {
        self.progress.epoch(epoch + 1, examples);
        self.epoch_started = Some(Instant::now());
    }

    fn stepped(&mut self, step: Step, state: &State<Optimized<M>>) -> Result<(), TrainError> {
        let Step { loss, grad_norm, learning_rate, number, epoch, examples, input } = step;
        self.outcome.training.add(examples, input);
        self.outcome.losses.extend(loss);
        self.outcome.steps = number;
        self.progress.step(examples, loss, learning_rate);
        if let Some(folder) = self.run.folder {
            folder.verify_soon()?;
            folder.tell(number, state.total_steps);
        }
        self.log.step(StepLine { step: number, epoch: epoch + 1, seconds: 0.0, grad_norm, learning_rate, loss })?;
        if self.checkpoints.is_none() || !self.due.now(number) {
            return Ok(());
        }
        // A checkpoint with weights that are not finite would replace a good one.
        if !crate::parameters::all_finite(state.model()) {
            return Err(TrainError::NonFiniteWeights { step: number });
        }
        self.checkpoint(state)
    }

    fn epoch_trained(&mut self, _epoch: usize) {
        self.epoch_started.take().iter().for_each(|started| self.outcome.training.took(started.elapsed()));
    }

    fn keep(&mut self, state: &State<Optimized<M>>) -> Result<(), TrainError> {
        if std::mem::take(&mut self.kept) {
            return Ok(());
        }
        if let Some(folder) = self.run.folder {
            folder.verify()?;
        }
        (self.run.keep)(state.model(), &state.tuning())?;
        self.checkpoint(state)
    }

    fn evaluate(&mut self, epoch: usize, trainee: &Optimized<M>) -> Result<bool, TrainError> {
        let started = Instant::now();
        let room = EvalRoom::new(&self.run.stop, &mut self.outcome.evaluation, self.batch_size);
        let folder = self.run.folder.map(|folder| folder.evaluation(epoch + 1));
        let mut room = room.with_last(epoch + 1 == self.epochs).with_folder(folder);
        let scores = self.evaluation.run(&crate::state::Update::model(trainee).valid(), &mut room)?;
        self.outcome.evaluation.took(started.elapsed());
        let Some(scores) = scores else { return Ok(false) };
        if let Some((name, found)) = scores.iter().find(|(_, score)| !score.is_finite()) {
            return Err(TrainError::NonFiniteScore { name: name.clone(), found: *found, epoch: epoch + 1 });
        }
        self.outcome.epochs.push(self.log.epoch(epoch + 1, scores)?);
        Ok(true)
    }

    fn epoch_ended(&mut self, state: &State<Optimized<M>>) -> Result<(), TrainError> {
        self.checkpoint(state)
    }
}

/// Decides when the next checkpoint is due.
struct Due {
    /// The number of steps between two checkpoints, if it is set.
    every: Option<usize>,
    last: Instant,
    /// The time that it took to save the last checkpoint.
    cost: Duration,
}

impl Due {
    /// Without a number of steps, the time between two checkpoints is at least this, and at least `SHARE` times the time that it
    /// took to save the last one.
    const LEAST: Duration = Duration::from_secs(5);
    const SHARE: u32 = 100;

    /// Whether a checkpoint is due after `step`, counted from 1.
    fn now(&self, step: usize) -> bool {
        match self.every {
            Some(every) => step.is_multiple_of(every),
            None => self.last.elapsed() >= Self::LEAST.max(self.cost * Self::SHARE),
        }
    }

    fn saved(&mut self, cost: Duration) {
        (self.last, self.cost) = (Instant::now(), cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_due_after_steps_or_time() {
        let due = |every, seconds: u64, cost: u64| Due {
            every,
            last: Instant::now() - Duration::from_secs(seconds),
            cost: Duration::from_millis(cost),
        };
        assert!(due(Some(3), 0, 0).now(6) && !due(Some(3), 1000, 0).now(7));
        assert!(due(None, 6, 0).now(1) && !due(None, 4, 0).now(1));
        // If it takes a second to save a checkpoint, one is due every hundred seconds.
        assert!(due(None, 101, 1000).now(1) && !due(None, 99, 1000).now(1));
    }
}
