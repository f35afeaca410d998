//! The log of a run: a line of JSON per step and per epoch.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::past::Past;
use crate::{Scores, TrainError};

/// Means and scores of one epoch, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Means over the training steps.
    pub train: Scores,
    /// Loss and scores on the development set.
    pub dev: Scores,
}

/// The measurements of one step.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StepLine {
    /// The step, counted from 1.
    pub(crate) step: usize,
    /// The epoch, counted from 1.
    pub(crate) epoch: usize,
    /// The seconds since the start of the run.
    pub(crate) seconds: f64,
    pub(crate) grad_norm: f64,
    pub(crate) learning_rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<f64>,
}

/// The fields of a step's line that are read again when a run continues.
#[derive(Deserialize)]
struct StepLoss {
    step: Option<usize>,
    loss: Option<f64>,
}

/// The number of the last step in the log at `path`; 0 if there is none.
pub(crate) fn last_step(path: &Path) -> usize {
    // A line is much shorter than this.
    const TAIL: u64 = 1 << 14;
    let tail = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let tail = tail().unwrap_or_default();
    let step = |line: &[u8]| serde_json::from_slice::<StepLoss>(line).ok()?.step;
    tail.split(|byte| *byte == b'\n').rev().find_map(step).unwrap_or_default()
}

/// The steps in the log at `path`, with their losses. An incomplete line, such as the last line of a killed run, is skipped.
pub(crate) fn losses(path: &Path) -> Result<Vec<(usize, f64)>, TrainError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TrainError::io(path)(error)),
    };
    let mut found = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(TrainError::io(path))?;
        let step = serde_json::from_slice::<StepLoss>(&line).ok().and_then(|line| line.step.zip(line.loss));
        found.extend(step);
    }
    Ok(found)
}

/// Writes `metrics.jsonl`, and computes the means of each epoch.
pub(crate) struct MetricsLog {
    file: Option<(PathBuf, File)>,
    /// The length of the file in bytes.
    bytes: u64,
    started: Instant,
    /// The seconds of the run before `started`, if the run continues.
    before: f64,
    /// Sums over the steps of this epoch, by name.
    sums: Scores,
    steps: usize,
}

impl MetricsLog {
    /// A log in the file at `path`, or without a file. The file is truncated to its length in `past`, since the lines after a
    /// checkpoint are written again.
    ///
    /// The remaining lines are copied to a new file. If another worker was wrongly considered dead, it still has the old file
    /// open, and its further lines are lost.
    ///
    /// Also returns the losses of the remaining lines.
    pub(crate) fn open(path: Option<&Path>, past: &Past) -> Result<(Self, Vec<f64>), TrainError> {
        let (mut file, mut losses) = (None, Vec::new());
        if let Some(path) = path {
            let failed = || TrainError::io(path);
            let kept = match File::open(path) {
                Ok(old) => {
                    let mut kept = Vec::new();
                    old.take(past.log_bytes).read_to_end(&mut kept).map_err(failed())?;
                    kept
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(failed()(error)),
            };
            for line in kept.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let line: StepLoss = serde_json::from_slice(line)
                    .map_err(|source| TrainError::Format { path: path.to_path_buf(), source: Box::new(source) })?;
                losses.extend(line.loss.filter(|_| line.step.is_some()));
            }
            asym_core::write_whole(path, &kept).map_err(failed())?;
            let mut out = OpenOptions::new().write(true).open(path).map_err(failed())?;
            out.seek(SeekFrom::End(0)).map_err(failed())?;
            file = Some((path.to_path_buf(), out));
        }
        let (started, before, bytes) = (Instant::now(), past.seconds, past.log_bytes);
        Ok((Self { file, bytes, started, before, sums: past.sums.clone(), steps: past.steps }, losses))
    }

    /// Log a step. This method sets its `seconds`.
    pub(crate) fn step(&mut self, line: StepLine) -> Result<(), TrainError> {
        let line = StepLine { seconds: self.before + self.started.elapsed().as_secs_f64(), ..line };
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

    /// The log's part of the measurements so far, for a checkpoint. When this method returns, all lines of the log are on the
    /// disk.
    pub(crate) fn past(&self) -> Result<Past, TrainError> {
        if let Some((path, file)) = &self.file {
            file.sync_data().map_err(TrainError::io(path))?;
        }
        Ok(Past { sums: self.sums.clone(), steps: self.steps, log_bytes: self.bytes, ..Past::default() })
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        let Some((path, out)) = &mut self.file else { return Ok(()) };
        // Each line is written immediately, so that a killed run keeps all its lines, and a full disk is noticed early.
        let text = serde_json::to_string(line).map_err(std::io::Error::from).map(|line| line + "\n");
        let written = text.and_then(|text| out.write_all(text.as_bytes()).map(|()| text.len() as u64));
        self.bytes += written.map_err(TrainError::io(path))?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(step: usize) -> StepLine {
        StepLine { step, epoch: 1, seconds: 0.0, grad_norm: 1.0, learning_rate: 0.1, loss: Some(step as f64) }
    }

    #[test]
    fn stale_workers_do_not_write_to_the_new_log() {
        let path = std::env::temp_dir().join(format!("asym-train-log-{}.jsonl", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let (mut stale, _) = MetricsLog::open(Some(&path), &Past::default()).unwrap();
        (1..=3).for_each(|step| stale.step(line(step)).unwrap());
        assert_eq!(last_step(&path), 3);
        // Another worker continues after step 2.
        let text = std::fs::read_to_string(&path).unwrap();
        let kept = text.lines().take(2).map(|line| line.len() as u64 + 1).sum();
        let (mut log, before) = MetricsLog::open(Some(&path), &Past { log_bytes: kept, ..Past::default() }).unwrap();
        assert_eq!(before, [1.0, 2.0]);
        stale.step(line(4)).unwrap();
        log.step(line(3)).unwrap();
        stale.step(line(5)).unwrap();
        assert_eq!(losses(&path).unwrap(), [(1, 1.0), (2, 2.0), (3, 3.0)]);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn partial_lines_are_ignored() {
        let path = std::env::temp_dir().join(format!("asym-train-half-{}.jsonl", std::process::id()));
        std::fs::write(&path, "{\"step\":1,\"loss\":2.5}\n{\"epoch\":1,\"dev\":{}}\n{\"step\":2,\"lo").unwrap();
        assert_eq!((last_step(&path), losses(&path).unwrap()), (1, vec![(1, 2.5)]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((last_step(&path), losses(&path).unwrap()), (0, vec![]));
    }
}
