//! A run is a folder; every table is made of such folders.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Epoch, Pace, Scores, TrainError};

/// The version of `results.json`.
const FORMAT: u32 = 1;

/// The measurements of a run: `results.json`. The losses of its steps are in `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The version of this file's layout.
    format: u32,
    /// The task's name.
    pub task: String,
    /// The method's name in tables.
    pub method: String,
    /// The run's seed.
    pub seed: u64,
    /// Scores on the development set after the last epoch, by name.
    pub scores: Scores,
    /// The same after each epoch, and the means over its training steps.
    pub epochs: Vec<Epoch>,
    /// The number of trainable parameters.
    pub trainable: usize,
    /// The number of all parameters, adapters included.
    pub total: usize,
    /// Optimizer steps.
    pub steps: usize,
    /// Wall-clock seconds of training and evaluation.
    pub seconds: f64,
    /// Throughput in training.
    pub training: Pace,
    /// Throughput in evaluation.
    pub evaluation: Pace,
    /// The most bytes on the heap at once, the model included; absent if the program does not count them. In a table, the weights
    /// that all runs share count beside those of a model that is trained whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<usize>,
    /// Whether it was stopped before its last epoch ended.
    pub interrupted: bool,
    /// The loss of each step, of a run that was made just now. The file does not have them.
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
            task,
            method,
            seed,
            scores: outcome.epochs.last().map(|epoch| epoch.dev.clone()).unwrap_or_default(),
            epochs: outcome.epochs.clone(),
            trainable,
            total,
            steps: outcome.losses.len(),
            seconds: outcome.seconds,
            training: outcome.training,
            evaluation: outcome.evaluation,
            peak_bytes: (crate::memory::current() > 0).then(crate::memory::peak),
            interrupted: outcome.interrupted,
            losses: outcome.losses.clone(),
        }
    }
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
    /// Make the folder, which must be new, and write the files that are known before the run: `recipe.toml`, which is `recipe`
    /// as TOML, and `environment.json`.
    ///
    /// # Errors
    ///
    /// [`TrainError::OutputExists`], [`TrainError::Format`], or [`TrainError::Io`].
    pub fn create(path: &Path, recipe: &impl Serialize, base: &str, device: &Device) -> Result<Self, TrainError> {
        if path.exists() {
            return Err(TrainError::OutputExists { path: path.to_path_buf() });
        }
        std::fs::create_dir_all(path).map_err(TrainError::io(path))?;
        let folder = Self(path.to_path_buf());
        let text = toml::to_string(recipe)
            .map_err(|source| TrainError::Format { path: path.join("recipe.toml"), source: Box::new(source) })?;
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

    /// The results in `path`, if a run of this `recipe` was finished there.
    pub fn finished<R: DeserializeOwned + PartialEq>(path: &Path, recipe: &R) -> Option<RunResult> {
        let text = std::fs::read_to_string(path.join("recipe.toml")).ok()?;
        let same = toml::from_str::<R>(&text).ok()? == *recipe;
        let result: RunResult = serde_json::from_str(&std::fs::read_to_string(path.join("results.json")).ok()?).ok()?;
        (same && result.format == FORMAT && !result.interrupted).then_some(result)
    }

    /// The results in `path`, as [`finished`](Self::finished). A run that is unfinished there, or of another recipe, makes room
    /// for a new one: it is moved, not removed, since it may hold hours of somebody's work.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`].
    pub fn resume<R: DeserializeOwned + PartialEq>(path: &Path, recipe: &R) -> Result<Option<RunResult>, TrainError> {
        let result = Self::finished(path, recipe);
        if result.is_none() && path.exists() {
            let aside = (1..)
                .map(|number| {
                    let mut aside = path.as_os_str().to_owned();
                    aside.push(format!(".unfinished-{number}"));
                    PathBuf::from(aside)
                })
                .find(|aside| !aside.exists())
                .unwrap_or_default();
            std::fs::rename(path, &aside).map_err(TrainError::io(path))?;
        }
        Ok(result)
    }

    /// The log: a line of JSON per step and per epoch.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The adapter in PEFT's format.
    pub fn adapter(&self) -> PathBuf {
        self.0.join("adapter")
    }

    /// The whole model, if no adapter is trained.
    pub fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    /// Write `results.json`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Format`] or [`TrainError::Io`].
    pub fn finish(&self, result: &RunResult) -> Result<(), TrainError> {
        self.write_json("results.json", result)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| TrainError::Format { path: self.0.join(name), source: Box::new(source) })?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    fn write(&self, name: &str, data: &[u8]) -> Result<(), TrainError> {
        let path = self.0.join(name);
        asym_core::write_whole(&path, data).map_err(TrainError::io(&path))
    }
}
