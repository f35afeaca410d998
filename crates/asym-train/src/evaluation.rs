//! Evaluation of a model, after each epoch or without training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use crate::{Batch, Loader, Order, Pace, Source, StopSignal, TrainError};

/// Scores by name.
pub type Scores = BTreeMap<String, f64>;

/// An evaluation of a model. The task implements it, not the loop, because scores such as ROUGE or Matthews correlation are not
/// means over batches.
pub trait Evaluation<M> {
    /// The scores of `model`, which is on a device without autodiff and has dropout turned off; `None` if a stop was requested
    /// before the end.
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

/// The context of an evaluation: the stop signal, the throughput, the batch size, and the position in the run.
pub struct EvalRoom<'a> {
    stop: &'a StopSignal,
    pace: &'a mut Pace,
    batch_size: usize,
    last: bool,
    folder: Option<PathBuf>,
}

impl<'a> EvalRoom<'a> {
    /// The context of an evaluation in batches of `batch_size` examples. `stop` can end it early, and `pace` counts its examples.
    pub fn new(stop: &'a StopSignal, pace: &'a mut Pace, batch_size: usize) -> Self {
        Self { stop, pace, batch_size, last: true, folder: None }
    }

    /// Set whether this is the last evaluation of the run. If it is not, training continues afterwards.
    pub fn with_last(self, last: bool) -> Self {
        Self { last, ..self }
    }

    /// Set the folder for the intermediate results of the evaluation. The folder need not exist.
    pub fn with_folder(self, folder: Option<PathBuf>) -> Self {
        Self { folder, ..self }
    }

    /// The folder of this evaluation, if the run has a folder. A long evaluation can save its intermediate results there. When a
    /// killed run is continued, the evaluation can resume from them, because the model is the same.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Whether no training follows this evaluation. Test sets, on which no choice may depend, and sets that take long can be
    /// evaluated only then.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// The number of examples in a batch. In a run, this is twice the size of a training batch, since no activations are kept for
    /// a backward pass.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Whether a stop was requested. An evaluation that stops returns no scores, because a score over a part of the set could be
    /// mistaken for a score over the whole set.
    pub fn should_stop(&self) -> bool {
        self.stop.requested()
    }

    /// Pass all examples of `source` to `each`, the longest first, in batches of [`batch_size`](Self::batch_size) on `device`.
    /// Returns false if a stop was requested before the end.
    ///
    /// # Errors
    ///
    /// The errors of `source` and of `each`.
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

    /// Count `examples` examples that were evaluated without [`pass`](Self::pass). `input` is the time that it took to make their
    /// batch.
    pub fn passed(&mut self, examples: usize, input: Duration) {
        self.pace.add(examples, input);
    }
}
