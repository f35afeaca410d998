//! What a run writes while it goes: a line of JSON per step and per epoch.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use serde::{Deserialize, Serialize};

use crate::error::TaskError;

/// Scores of one epoch, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean loss and the like over the training steps.
    pub train: BTreeMap<String, f64>,
    /// Loss and the task's scores over the development set.
    pub dev: BTreeMap<String, f64>,
}

/// What the logger has seen, shared with whoever started the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    epochs: Vec<Epoch>,
    losses: Vec<f64>,
    failure: Option<std::io::Error>,
}

impl History {
    fn lock(&self) -> std::sync::MutexGuard<'_, Recorded> {
        // A panic elsewhere leaves plain numbers behind, which stay true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epochs whose development set was measured.
    pub(crate) fn epochs(&self) -> Vec<Epoch> {
        self.lock().epochs.iter().filter(|epoch| !epoch.dev.is_empty()).cloned().collect()
    }

    /// The training loss of each step.
    pub(crate) fn losses(&self) -> Vec<f64> {
        self.lock().losses.clone()
    }

    /// Why a line could not be written, if one could not.
    pub(crate) fn failure(&self) -> Option<std::io::Error> {
        self.lock().failure.take()
    }
}

/// Writes `metrics.jsonl`, as burn-train's metric logger.
pub(crate) struct JsonLines {
    out: Option<BufWriter<File>>,
    names: HashMap<MetricId, String>,
    history: History,
    started: Instant,
    step: usize,
}

impl JsonLines {
    /// Into `path`, or nowhere but into `history`.
    pub(crate) fn new(path: Option<&Path>, history: History) -> Result<Self, TaskError> {
        let open =
            |path: &Path| File::create(path).map_err(|source| TaskError::Io { path: PathBuf::from(path), source });
        Ok(Self {
            out: path.map(open).transpose()?.map(BufWriter::new),
            names: HashMap::new(),
            history,
            started: Instant::now(),
            step: 0,
        })
    }

    fn write(&mut self, line: &impl Serialize) {
        let Some(out) = &mut self.out else { return };
        // Flushed line by line: a killed run keeps all that it measured.
        let written = serde_json::to_writer(&mut *out, line)
            .map_err(std::io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush());
        if let Err(error) = written {
            self.history.lock().failure.get_or_insert(error);
            self.out = None;
        }
    }
}

#[derive(Serialize)]
struct StepLine<'a> {
    step: usize,
    epoch: usize,
    seconds: f64,
    #[serde(flatten)]
    values: &'a BTreeMap<String, f64>,
}

impl MetricLogger for JsonLines {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        let mut steps = BTreeMap::new();
        let mut finals = BTreeMap::new();
        for numeric in &update.entries_numeric {
            let Some(name) = self.names.get(&numeric.entry.metric_id) else { continue };
            match &numeric.numeric_entry {
                Some(NumericEntry::Final(value)) => finals.insert(name.clone(), *value),
                Some(entry) => steps.insert(name.clone(), entry.current()),
                None => None,
            };
        }
        if *split == Split::Train && !steps.is_empty() {
            self.step += 1;
            let seconds = self.started.elapsed().as_secs_f64();
            self.write(&StepLine { step: self.step, epoch, seconds, values: &steps });
            if let Some(loss) = steps.get("loss") {
                self.history.lock().losses.push(*loss);
            }
        }
        if finals.is_empty() {
            return;
        }
        let done = {
            let mut recorded = self.history.lock();
            let index = match recorded.epochs.iter().position(|line| line.epoch == epoch) {
                Some(index) => index,
                None => {
                    recorded.epochs.push(Epoch { epoch, ..Epoch::default() });
                    recorded.epochs.len() - 1
                }
            };
            match split {
                Split::Train => {
                    recorded.epochs[index].train = finals;
                    None
                }
                _ => {
                    recorded.epochs[index].dev = finals;
                    Some(recorded.epochs[index].clone())
                }
            }
        };
        if let Some(epoch) = done {
            self.write(&epoch);
        }
    }

    fn read_numeric(&mut self, _name: &str, _epoch: usize, _split: &Split) -> Result<Vec<NumericEntry>, String> {
        // Asked for by checkpointing and early stopping, of which this training uses neither.
        Ok(Vec::new())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}
