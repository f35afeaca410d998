//! The folder of a run. Every table is built from such folders.

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::checkpoint::{self, Checkpoint};
use crate::claim::{Claim, is_claim};
use crate::error::Change;
use crate::parameters::hex;
use crate::result::{FORMAT, RunResult};
use crate::{TrainError, Worker};

const RECIPE: &str = "recipe.toml";
const ENVIRONMENT: &str = "environment.json";
const METRICS: &str = "metrics.jsonl";
const RESULTS: &str = "results.json";
const FAILURE: &str = "failure.json";

/// Settings that do not change the results of a run. They may differ when the run continues.
const FREE: [&str; 1] = ["training.save_every"];

/// How to treat a folder that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuse it.
    #[default]
    Refuse,
    /// Continue the run in it.
    Resume,
    /// Continue the run in it. The number of epochs may be larger than at the start of the run.
    Extend,
}

/// The folder of a run, opened.
#[allow(clippy::large_enum_variant, reason = "only one value exists at a time")]
pub enum Opened {
    /// The run is to be started or continued.
    Run(RunFolder),
    /// The run is already finished.
    Finished(RunResult),
}

/// The state of a run, as other processes see it.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// The run is finished.
    Done(Box<RunResult>),
    /// A process is working on the run.
    Running {
        /// The process.
        worker: Worker,
        /// The last step in the log.
        step: usize,
    },
    /// The run failed permanently.
    Failed {
        /// The reason.
        message: String,
    },
    /// The run is to be started or continued.
    Open {
        /// The last step in the log of an interrupted run; 0 if there is none.
        step: usize,
    },
}

/// The environment in which a run was started: `environment.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The version of asym.
    pub asym: String,
    /// The base model.
    pub base: String,
    /// Burn's name of the device.
    pub device: String,
    /// The operating system.
    pub os: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The number of threads that are available to the process.
    pub threads: usize,
    /// The command and its arguments.
    pub command: Vec<String>,
}

/// The error message of a run that failed permanently: `failure.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failure {
    recipe: String,
    message: String,
}

/// The folder of one run, which this process has claimed.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    claim: Claim,
    /// The digest of `recipe.toml`.
    recipe: String,
    /// Whether the folder contained no run before it was opened.
    new: bool,
}

impl RunFolder {
    /// Open the folder of a run of `recipe` exclusively: no other process can open it until the value is dropped or this process
    /// ends.
    ///
    /// Two files are written to a new folder: `recipe.toml`, which is `recipe` as TOML, and `environment.json`. `existing`
    /// decides how an existing folder is treated.
    ///
    /// # Errors
    ///
    /// [`TrainError::OutputExists`]; [`TrainError::Claimed`] if another process works there; [`TrainError::Changed`] with the
    /// list of the settings that differ; [`TrainError::NotARun`], [`TrainError::OtherVersion`]; [`TrainError::FailedBefore`]; and
    /// [`TrainError::Format`] or [`TrainError::Io`].
    pub fn open<R>(
        path: &Path,
        recipe: &R,
        base: &str,
        device: &Device,
        existing: Existing,
    ) -> Result<Opened, TrainError>
    where
        R: Serialize + DeserializeOwned,
    {
        make(path, existing)?;
        let claim = Claim::take(path)?;
        let Compared { now, before, changes } = compare(path, recipe)?;
        refuse(path, &changes, existing)?;
        let new = before.is_none();
        // A setting that may differ keeps its old value, so the recipe's digest does not change.
        let text = before.filter(|_| changes.is_empty()).unwrap_or(now);
        if !changes.is_empty() && path.join(RESULTS).exists() {
            // Remove the results of the shorter run. Its last checkpoint is kept.
            std::fs::remove_file(path.join(RESULTS)).map_err(TrainError::io(&path.join(RESULTS)))?;
        }
        let folder = Self { path: path.to_path_buf(), claim, recipe: digest(&text), new };
        if let Some(result) = results(path, &folder.recipe)? {
            return Ok(Opened::Finished(result));
        }
        if let Some(failure) = failure(path, &folder.recipe) {
            return Err(TrainError::FailedBefore { path: path.to_path_buf(), message: failure.message });
        }
        folder.write(RECIPE, text.as_bytes())?;
        if !path.join(ENVIRONMENT).exists() {
            folder.write_json(
                ENVIRONMENT,
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
        }
        Ok(Opened::Run(folder))
    }

    /// Check, before any work, that [`open`](Self::open) would not refuse the folder. A folder that does not exist is accepted.
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open), without [`TrainError::FailedBefore`].
    pub fn check<R: Serialize + DeserializeOwned>(
        path: &Path,
        recipe: &R,
        existing: Existing,
    ) -> Result<(), TrainError> {
        if !path.exists() {
            return Ok(());
        }
        if existing == Existing::Refuse {
            return Err(TrainError::OutputExists { path: path.to_path_buf() });
        }
        if let Some(worker) = Self::worker(path) {
            return Err(TrainError::Claimed { path: path.to_path_buf(), worker: Box::new(worker) });
        }
        let changes = compare(path, recipe)?.changes;
        refuse(path, &changes, existing)
    }

    /// The process that is working in the folder at `path`, if any.
    pub fn worker(path: &Path) -> Option<Worker> {
        Claim::worker(path)
    }

    /// The results in the folder at `path`, if its run is finished.
    ///
    /// # Errors
    ///
    /// [`TrainError::OtherVersion`] for a file that this version cannot read, [`TrainError::Damaged`] for an incomplete file, and
    /// [`TrainError::Io`].
    pub fn finished(path: &Path) -> Result<Option<RunResult>, TrainError> {
        let Some(recipe) = Self::recipe_in(path)? else { return Ok(None) };
        results(path, &digest(&recipe))
    }

    /// The state of the run in the folder at `path`. The files of the run are not changed. A folder that does not exist is an
    /// open run at step 0.
    ///
    /// # Errors
    ///
    /// The errors of [`finished`](Self::finished), and [`TrainError::NotARun`].
    pub fn state(path: &Path) -> Result<RunState, TrainError> {
        if !path.exists() {
            return Ok(RunState::Open { step: 0 });
        }
        let recipe = Self::recipe_in(path)?;
        if let Some(recipe) = recipe.as_ref().map(|recipe| digest(recipe)) {
            if let Some(result) = results(path, &recipe)? {
                return Ok(RunState::Done(Box::new(result)));
            }
            if let Some(failure) = failure(path, &recipe) {
                return Ok(RunState::Failed { message: failure.message });
            }
        }
        let step = crate::log::last_step(&path.join(METRICS));
        Ok(match Self::worker(path) {
            Some(worker) => RunState::Running { worker, step },
            None => RunState::Open { step },
        })
    }

    /// The recipe in the folder at `path`, as TOML; `None` for a folder without a run.
    ///
    /// # Errors
    ///
    /// [`TrainError::NotARun`] for a folder with other files, and [`TrainError::Io`].
    pub fn recipe(path: &Path) -> Result<Option<String>, TrainError> {
        Self::recipe_in(path)
    }

    /// The environment in which the run in the folder at `path` was started; `None` if `environment.json` cannot be read.
    pub fn environment(path: &Path) -> Option<Environment> {
        let text = std::fs::read_to_string(path.join(ENVIRONMENT)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The steps in the log of the run in the folder at `path`, with their losses. Incomplete lines are skipped.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`].
    pub fn losses(path: &Path) -> Result<Vec<(usize, f64)>, TrainError> {
        crate::log::losses(&path.join(METRICS))
    }

    /// Publish the progress of the run to other processes.
    pub(crate) fn tell(&self, step: usize, steps: usize) {
        self.claim.tell(step, steps);
    }

    /// The last checkpoint that can be read. Logs a warning for each later checkpoint, which cannot be read.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] if the folder cannot be listed.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, TrainError> {
        let log = std::fs::metadata(self.metrics()).map_or(0, |metadata| metadata.len());
        let (found, damaged) = Checkpoint::last(&self.checkpoints(), log)?;
        let instead = match &found {
            Some(checkpoint) => format!("the checkpoint after step {} is used", checkpoint.position().step),
            None => "the run starts from the beginning".to_string(),
        };
        damaged.iter().for_each(|damaged| log::warn!("{damaged}; {instead}"));
        Ok(found)
    }

    /// The log: a line of JSON per step and per epoch.
    pub fn metrics(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// The folder of the adapter in PEFT's format.
    pub fn adapter(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// The folder of the whole model, which is written if no adapter is trained.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// The folder for intermediate results of the evaluation after `epoch`, counted from 1.
    pub fn evaluation(&self, epoch: usize) -> PathBuf {
        self.path.join(format!("evaluation-{epoch}"))
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Copy the recipe into `folder`, for example the folder of the adapter, so that a copy of the adapter includes its training
    /// settings.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`].
    pub fn copy_recipe(&self, folder: &Path) -> Result<(), TrainError> {
        let from = self.path.join(RECIPE);
        let text = std::fs::read(&from).map_err(TrainError::io(&from))?;
        let to = folder.join(RECIPE);
        asym_core::write_whole(&to, &text).map_err(TrainError::io(&to))
    }

    /// Check that the folder was not moved or removed since it was opened.
    ///
    /// # Errors
    ///
    /// [`TrainError::FolderGone`], or [`TrainError::Overtaken`] if another process claimed it since.
    pub(crate) fn verify(&self) -> Result<(), TrainError> {
        self.claim.check()
    }

    /// Like [`verify`](Self::verify), but the folder is checked only if the claim's thread has found a problem. This is called
    /// after each step, so it must cost nothing.
    pub(crate) fn verify_soon(&self) -> Result<(), TrainError> {
        if self.claim.is_doubtful() { self.claim.check() } else { Ok(()) }
    }

    /// Remove the folder of a new run that is refused before its first step. The folder of a continued run is not changed.
    pub fn discard(self) {
        if !self.new {
            return;
        }
        for name in [RECIPE, ENVIRONMENT] {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        let path = self.path.clone();
        drop(self);
        // This fails if the folder contains other files.
        let _ = std::fs::remove_dir(path);
    }

    /// Write `results.json`, and, if the run is complete, remove all checkpoints but the last one. Returns the results with the
    /// digest of the recipe.
    ///
    /// # Errors
    ///
    /// [`TrainError::FolderGone`], [`TrainError::Overtaken`], [`TrainError::Format`] or [`TrainError::Io`].
    pub fn finish(&self, result: RunResult) -> Result<RunResult, TrainError> {
        self.verify()?;
        let result = RunResult { recipe: self.recipe.clone(), ..result };
        self.write_json(RESULTS, &result)?;
        if !result.interrupted {
            checkpoint::keep_last(&self.checkpoints())?;
        }
        Ok(result)
    }

    /// Save the message of a run that failed permanently, so the run is not repeated: see
    /// [`TrainError::is_divergence`].
    ///
    /// # Errors
    ///
    /// The errors of [`finish`](Self::finish).
    pub fn fail(&self, message: &str) -> Result<(), TrainError> {
        self.verify()?;
        self.write_json(FAILURE, &Failure { recipe: self.recipe.clone(), message: message.to_string() })
    }

    /// The recipe in the folder at `path`; `None` in a new folder.
    fn recipe_in(path: &Path) -> Result<Option<String>, TrainError> {
        let file = path.join(RECIPE);
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A process that was killed before it wrote the recipe leaves only such files.
                let known = |name: &str| is_claim(name) || name.ends_with(".part");
                let entries = std::fs::read_dir(path).map_err(TrainError::io(path))?;
                let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
                match names.find(|name| !known(name)) {
                    Some(found) => Err(TrainError::NotARun { path: path.to_path_buf(), found }),
                    None => Ok(None),
                }
            }
            Err(source) => Err(TrainError::Io { path: file, source }),
        }
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), TrainError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| TrainError::Format { path: self.path.join(name), source: Box::new(source) })?;
        text.push('\n');
        self.write(name, text.as_bytes())
    }

    fn write(&self, name: &str, data: &[u8]) -> Result<(), TrainError> {
        let path = self.path.join(name);
        asym_core::write_whole(&path, data).map_err(TrainError::io(&path))
    }
}

/// Create the folder at `path`. If it must be new, only one of several processes succeeds.
fn make(path: &Path, existing: Existing) -> Result<(), TrainError> {
    if existing != Existing::Refuse {
        return std::fs::create_dir_all(path).map_err(TrainError::io(path));
    }
    new_folder(path)
}

/// Create the folder at `path`, which must be new, and its parent folders. If several processes call this function, only one
/// succeeds.
///
/// # Errors
///
/// [`TrainError::OutputExists`], or [`TrainError::Io`].
pub fn new_folder(path: &Path) -> Result<(), TrainError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(TrainError::io(parent))?;
    }
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(TrainError::OutputExists { path: path.to_path_buf() })
        }
        made => made.map_err(TrainError::io(path)),
    }
}

/// Change the file `name` in `folder`, while no other process can change it. `change` receives the contents of the file, if it
/// exists, and returns the new contents, or `None` to leave the file unchanged. `change` may be called twice.
///
/// # Errors
///
/// The errors of `change`; [`TrainError::Claimed`] if another process does not release its claim on the folder; or
/// [`TrainError::Io`].
pub fn amend(
    folder: &Path,
    name: &str,
    change: impl Fn(Option<&str>) -> Result<Option<String>, TrainError>,
) -> Result<(), TrainError> {
    let file = folder.join(name);
    let before = || match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TrainError::Io { path: file.clone(), source }),
    };
    // All processes but the first one find the file complete, and need not wait for each other.
    if change(before()?.as_deref())?.is_none() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    let mut attempts = 0;
    let _claim = loop {
        match Claim::take(folder) {
            // Another process is changing the file, or died while changing it. The claim of a dead process is free after two
            // minutes at the latest.
            Err(TrainError::Claimed { .. }) if attempts < 3000 => {
                attempts += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            claim => break claim?,
        }
    };
    match change(before()?.as_deref())? {
        Some(now) => asym_core::write_whole(&file, now.as_bytes()).map_err(TrainError::io(&file)),
        None => Ok(()),
    }
}

/// Agree with other processes on `settings` for the runs in `folder`. The first process writes its settings to the file `name`,
/// and the settings of each later process must be equal to them.
///
/// # Errors
///
/// [`TrainError::Changed`] with the list of the settings that differ; [`TrainError::OtherVersion`] for a damaged file; and the
/// errors of [`amend`].
pub fn agree(folder: &Path, name: &str, settings: &Table, existing: Existing) -> Result<(), TrainError> {
    amend(folder, name, |before| {
        let Some(before) = before else { return Ok(Some(settings.to_string())) };
        let other = |error: toml::de::Error| TrainError::OtherVersion {
            path: folder.join(name),
            reason: error.message().to_string(),
        };
        let changes = differences(&before.parse::<Table>().map_err(other)?, settings);
        refuse(folder, &changes, existing)?;
        Ok((!changes.is_empty()).then(|| settings.to_string()))
    })
}

/// The digest of a recipe.
fn digest(recipe: &str) -> String {
    hex(Sha256::new().chain_update(recipe))
}

/// The failure in `path`, if it belongs to the recipe with this digest.
fn failure(path: &Path, recipe: &str) -> Option<Failure> {
    let text = std::fs::read_to_string(path.join(FAILURE)).ok()?;
    serde_json::from_str(&text).ok().filter(|failure: &Failure| failure.recipe == recipe)
}

/// The results in `path`, if they are complete and belong to the recipe with this digest.
fn results(path: &Path, recipe: &str) -> Result<Option<RunResult>, TrainError> {
    let file = path.join(RESULTS);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TrainError::Io { path: file, source }),
    };
    let other = |reason: String| TrainError::OtherVersion { path: file.clone(), reason };
    let damaged = |error: serde_json::Error| TrainError::Damaged { path: file.clone(), reason: error.to_string() };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        let found = format.map_or("none".to_string(), |format| format.to_string());
        return Err(other(format!("its format is {found}, and this version reads {FORMAT}")));
    }
    let result: RunResult = serde_json::from_value(value).map_err(|error| other(error.to_string()))?;
    if result.recipe != recipe {
        log::warn!("{}: these results belong to another run and are ignored", file.display());
        return Ok(None);
    }
    Ok((!result.interrupted).then_some(result))
}

/// The comparison of a recipe with the recipe in a folder.
struct Compared {
    /// The recipe as TOML.
    now: String,
    /// The recipe in the folder; `None` in a new folder.
    before: Option<String>,
    /// The settings that differ.
    changes: Vec<Change>,
}

/// Compare `recipe` with the recipe in the folder at `path`. A setting that is missing there has the default value of `R`.
fn compare<R: Serialize + DeserializeOwned>(path: &Path, recipe: &R) -> Result<Compared, TrainError> {
    let file = path.join(RECIPE);
    let format = |source: toml::ser::Error| TrainError::Format { path: file.clone(), source: Box::new(source) };
    let now = toml::to_string(recipe).map_err(format)?;
    let before = RunFolder::recipe_in(path)?;
    let mut changes = Vec::new();
    if let Some(before) = &before {
        let other = |error: toml::de::Error| TrainError::OtherVersion {
            path: file.clone(),
            reason: error.message().to_string(),
        };
        let before: R = toml::from_str(before).map_err(other)?;
        let table = |recipe: &R| Table::try_from(recipe).map_err(format);
        changes = differences(&table(&before)?, &table(recipe)?);
    }
    Ok(Compared { now, before, changes })
}

/// The settings that differ between two recipes.
fn differences(before: &Table, now: &Table) -> Vec<Change> {
    let [before, now] = [before, now].map(|table| {
        let mut found = Vec::new();
        table.iter().for_each(|(key, value)| flatten(key, value, &mut found));
        found
    });
    let value = |list: &[(String, String)], key: &str| {
        list.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone())
    };
    let mut keys: Vec<&String> = before.iter().chain(&now).map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| !FREE.contains(&key.as_str()))
        .map(|key| Change { key: key.clone(), before: value(&before, key), now: value(&now, key) })
        .filter(|change| change.before != change.now)
        .collect()
}

/// The values of a TOML table by dotted key.
fn flatten(key: &str, value: &Value, found: &mut Vec<(String, String)>) {
    let Value::Table(table) = value else {
        found.push((key.to_string(), value.to_string()));
        return;
    };
    for (name, value) in table {
        flatten(&format!("{key}.{name}"), value, found);
    }
}

fn refuse(path: &Path, changes: &[Change], existing: Existing) -> Result<(), TrainError> {
    let allowed = |change: &Change| existing == Existing::Extend && change.is_extension();
    if changes.iter().all(allowed) {
        return Ok(());
    }
    Err(TrainError::Changed { path: path.to_path_buf(), changes: changes.to_vec() })
}
