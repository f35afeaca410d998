//! A run is a folder; everything that a report prints comes from such folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::TaskError;
use crate::glue::Task;
use crate::plan::Plan;
use crate::train::{Epoch, Pace};

/// What a run measured: `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The method's name in tables.
    pub method: String,
    /// The task.
    pub task: Task,
    /// The run's seed.
    pub seed: u64,
    /// Scores on the development set after the last epoch, by name.
    pub scores: BTreeMap<String, f64>,
    /// The same after each epoch, and the means over its training steps.
    pub epochs: Vec<Epoch>,
    /// Parameters that were trained.
    pub trainable: usize,
    /// All parameters, adapters included.
    pub total: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Wall-clock seconds of training and measuring.
    pub seconds: f64,
    /// How fast it trained.
    pub training: Pace,
    /// How fast it measured the development sets.
    pub measuring: Pace,
    /// The most bytes on the heap at once, the model included; absent where nobody counted.
    pub peak_bytes: Option<usize>,
    /// Whether it was stopped before its last epoch.
    pub interrupted: bool,
    /// The training loss of each step.
    pub losses: Vec<f64>,
}

/// Where a run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Environment {
    asym: String,
    base: String,
    device: String,
    os: String,
    architecture: String,
    threads: usize,
    command: Vec<String>,
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Make the folder, which must be new, and write what is known before the run: `recipe.toml` and `environment.json`.
    ///
    /// # Errors
    ///
    /// [`TaskError::OutputExists`], or what the system refuses.
    pub fn create(path: &Path, plan: &Plan, base: &str, device: &Device) -> Result<Self, TaskError> {
        if path.exists() {
            return Err(TaskError::OutputExists { path: path.to_path_buf() });
        }
        std::fs::create_dir_all(path).map_err(|source| TaskError::Io { path: path.to_path_buf(), source })?;
        let folder = Self(path.to_path_buf());
        let text = toml::to_string(plan)
            .map_err(|source| TaskError::Recipe { path: folder.0.join("recipe.toml"), source: Box::new(source) })?;
        folder.write("recipe.toml", text.as_bytes())?;
        folder.write_json(
            "environment.json",
            &Environment {
                asym: env!("CARGO_PKG_VERSION").to_string(),
                base: base.to_string(),
                device: format!("{device:?}"),
                os: std::env::consts::OS.to_string(),
                architecture: std::env::consts::ARCH.to_string(),
                threads: std::thread::available_parallelism().map_or(1, usize::from),
                command: std::env::args().collect(),
            },
        )?;
        Ok(folder)
    }

    /// The results in `path`, if a run of this `plan` was finished there.
    pub fn finished(path: &Path, plan: &Plan) -> Option<RunResult> {
        let text = std::fs::read_to_string(path.join("recipe.toml")).ok()?;
        let same = toml::from_str::<Plan>(&text).ok()? == *plan;
        let result: RunResult = serde_json::from_str(&std::fs::read_to_string(path.join("results.json")).ok()?).ok()?;
        (same && !result.interrupted).then_some(result)
    }

    /// The results in `path`, as [`finished`](Self::finished). What is unfinished there, or of another plan, makes room for a
    /// new run: it is moved, not removed, since it may hold hours of somebody's work.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    pub fn resume(path: &Path, plan: &Plan) -> Result<Option<RunResult>, TaskError> {
        let result = Self::finished(path, plan);
        if result.is_none() && path.exists() {
            let aside = (1..)
                .map(|number| {
                    let mut aside = path.as_os_str().to_owned();
                    aside.push(format!(".unfinished-{number}"));
                    PathBuf::from(aside)
                })
                .find(|aside| !aside.exists())
                .unwrap_or_default();
            std::fs::rename(path, &aside).map_err(|source| TaskError::Io { path: path.to_path_buf(), source })?;
        }
        Ok(result)
    }

    /// A line of JSON per step and per epoch.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The adapter in PEFT's format.
    pub fn adapter(&self) -> PathBuf {
        self.0.join("adapter")
    }

    /// The whole model, where no adapter was trained.
    pub fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    /// Write `results.json`.
    ///
    /// # Errors
    ///
    /// What the system refuses.
    pub fn finish(&self, result: &RunResult) -> Result<(), TaskError> {
        self.write_json("results.json", result)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TaskError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| TaskError::Io { path: self.0.join(name), source: source.into() })?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    fn write(&self, name: &str, data: &[u8]) -> Result<(), TaskError> {
        write_whole(&self.0.join(name), data)
    }
}

/// Write a file whole, so that no half of one passes for a finished one.
pub(crate) fn write_whole(path: &Path, data: &[u8]) -> Result<(), TaskError> {
    asym_core::write_whole(path, data).map_err(|source| TaskError::Io { path: path.to_path_buf(), source })
}
