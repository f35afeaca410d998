//! The results of a run.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Pace, Scores};

/// The version of `results.json`.
pub(crate) const FORMAT: u32 = 2;

/// The measurements of a run: `results.json`. The losses of its steps are in `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The version of the file format.
    pub(crate) format: u32,
    /// The digest of the run's `recipe.toml`, by which the results of another run are recognized. Empty without a folder.
    pub(crate) recipe: String,
    /// The task's name.
    pub task: String,
    /// The method's name in tables.
    pub method: String,
    /// The run's seed.
    pub seed: u64,
    /// Scores on the development set after the last epoch, by name.
    pub scores: Scores,
    /// Scores on the development set after each epoch, and means over the epoch's training steps.
    pub epochs: Vec<Epoch>,
    /// The number of trainable parameters.
    pub trainable: usize,
    /// The number of all parameters, adapters included.
    pub total: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Wall-clock seconds of the run: training, evaluation and saving.
    pub seconds: f64,
    /// Throughput in training.
    pub training: Pace,
    /// Throughput in evaluation.
    pub evaluation: Pace,
    /// The peak number of bytes on the heap, including the model; absent if the program does not count them. In a table, the
    /// weights that all runs share are counted in addition to the weights of a fully fine-tuned model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<usize>,
    /// Whether the run was stopped before its last epoch ended.
    pub interrupted: bool,
    /// The loss of each step. The file does not contain the losses, so this is empty for results that were read from it.
    #[serde(skip)]
    pub losses: Vec<f64>,
}

impl RunResult {
    /// The result of a run of `method` on `task`.
    pub fn new(
        (task, method, seed): (String, String, u64),
        outcome: &crate::Outcome,
        (trainable, total): (usize, usize),
    ) -> Self {
        Self {
            format: FORMAT,
            recipe: String::new(),
            task,
            method,
            seed,
            scores: outcome.epochs.last().map(|epoch| epoch.dev.clone()).unwrap_or_default(),
            epochs: outcome.epochs.clone(),
            trainable,
            total,
            steps: outcome.steps,
            seconds: outcome.seconds,
            training: outcome.training,
            evaluation: outcome.evaluation,
            peak_bytes: (crate::memory::current() > 0).then(crate::memory::peak),
            interrupted: outcome.interrupted,
            losses: outcome.losses.clone(),
        }
    }
}
