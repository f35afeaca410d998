//! Scores of a model, after each epoch of training or alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use crate::{Batch, Loader, Order, Pace, Source, StopSignal, TrainError};

/// Scores by name.
pub type Scores = BTreeMap<String, f64>;

/// A whole evaluation. Scores such as ROUGE or Matthews' correlation are not means over batches, so the loop leaves all of it
/// to the task.
pub trait Evaluation<M> {
    /// The scores of `model`, which is on the plain device with dropout off; `None` if a stop was requested before the end.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] or [`TrainError::Evaluation`].
    fn run(&self, model: &M, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError>;
}

/// No evaluation: a run without scores.
impl<M> Evaluation<M> for () {
    fn run(&self, _model: &M, _room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        Ok(Some(Scores::new()))
    }
}

/// The surroundings of an evaluation: the request to stop, the count of its examples, and its place in the run.
pub struct EvalRoom<'a> {
    stop: &'a StopSignal,
    pace: &'a mut Pace,
    batch_size: usize,
    last: bool,
    folder: Option<PathBuf>,
}

impl<'a> EvalRoom<'a> {
    /// An evaluation of `batch_size` examples at once, which `stop` ends early and whose examples `pace` counts.
    pub fn new(stop: &'a StopSignal, pace: &'a mut Pace, batch_size: usize) -> Self {
        Self { stop, pace, batch_size, last: true, folder: None }
    }

    /// The same, of a run that trains on afterwards unless `last` is set.
    pub fn with_last(self, last: bool) -> Self {
        Self { last, ..self }
    }

    /// The same, with a folder for what the evaluation keeps, which need not exist.
    pub fn with_folder(self, folder: Option<PathBuf>) -> Self {
        Self { folder, ..self }
    }

    /// A folder of this evaluation's own, if the run has one: an evaluation that takes long keeps its answers there and continues
    /// where it was, after the run was killed and is continued. The model is the same then.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Whether no training follows. Sets on which no choice may depend, and those that take long, can wait until then.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// The number of examples that may pass the model at once: in a run, twice those of a training batch, since nothing is kept
    /// for a backward pass.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Whether a stop was requested. A score over a part of the set would pass for one over the whole, so an evaluation
    /// that stops returns none.
    pub fn should_stop(&self) -> bool {
        self.stop.requested()
    }

    /// Pass all examples of `source` to `each`, the longest first, in batches of [`batch_size`](Self::batch_size) on `device`;
    /// false if a stop was requested before the end.
    ///
    /// # Errors
    ///
    /// Errors of `source` and of `each`.
    pub fn pass<S: Source>(
        &mut self,
        source: &Arc<S>,
        device: &Device,
        mut each: impl FnMut(S::Batch) -> Result<(), TrainError>,
    ) -> Result<bool, TrainError> {
        let loader = Loader::new(Arc::clone(source), self.batch_size, Order::ByLength, device)?;
        let mut batches = loader.epoch(0);
        loop {
            let started = Instant::now();
            let Some(batch) = batches.next().transpose()? else { return Ok(true) };
            let (examples, input) = (batch.examples(), started.elapsed());
            each(batch)?;
            self.pace.add(examples, input);
            if self.should_stop() {
                return Ok(false);
            }
        }
    }

    /// Count `examples` that were evaluated without [`pass`](Self::pass), whose batch was made in `input`.
    pub fn passed(&mut self, examples: usize, input: Duration) {
        self.pace.add(examples, input);
    }
}
