//! The log of a run: a line of JSON per step and per epoch.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{Scores, TrainError};

/// Means and scores of one epoch, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Means over the training steps.
    pub train: Scores,
    /// Loss and scores on the development set.
    pub dev: Scores,
}

/// The numbers of one step.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StepLine {
    /// Counted from 1.
    pub(crate) step: usize,
    /// Counted from 1.
    pub(crate) epoch: usize,
    /// Since the start of the run.
    pub(crate) seconds: f64,
    pub(crate) grad_norm: f64,
    pub(crate) learning_rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<f64>,
}

/// Writes `metrics.jsonl`, and keeps the means of the current epoch.
pub(crate) struct MetricsLog {
    file: Option<(PathBuf, BufWriter<File>)>,
    started: Instant,
    /// Sums over the steps of this epoch.
    sums: Scores,
    steps: usize,
}

impl MetricsLog {
    /// Into a new file at `path`, or nowhere.
    pub(crate) fn create(path: Option<&Path>) -> Result<Self, TrainError> {
        let file = match path {
            Some(path) => Some((path.to_path_buf(), BufWriter::new(File::create(path).map_err(TrainError::io(path))?))),
            None => None,
        };
        Ok(Self { file, started: Instant::now(), sums: Scores::new(), steps: 0 })
    }

    /// Log a step; its seconds are filled in.
    pub(crate) fn step(&mut self, line: StepLine) -> Result<(), TrainError> {
        let line = StepLine { seconds: self.started.elapsed().as_secs_f64(), ..line };
        let values =
            [("grad_norm", Some(line.grad_norm)), ("learning_rate", Some(line.learning_rate)), ("loss", line.loss)];
        for (name, value) in values {
            if let Some(value) = value {
                *self.sums.entry(name.to_string()).or_default() += value;
            }
        }
        self.steps += 1;
        self.write(&line)
    }

    /// Log the end of an epoch, counted from 1, with its scores.
    pub(crate) fn epoch(&mut self, epoch: usize, dev: Scores) -> Result<Epoch, TrainError> {
        let steps = std::mem::take(&mut self.steps).max(1) as f64;
        let sums = std::mem::take(&mut self.sums);
        let train = sums.into_iter().map(|(name, sum)| (name, sum / steps)).collect();
        let epoch = Epoch { epoch, train, dev };
        self.write(&epoch)?;
        Ok(epoch)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let Some((path, out)) = &mut self.file else { return Ok(()) };
        // Flushed line by line: a killed run keeps all that it logged.
        serde_json::to_writer(&mut *out, line)
            .map_err(std::io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush())
            .map_err(TrainError::io(path))
    }
}
