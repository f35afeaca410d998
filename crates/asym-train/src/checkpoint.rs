//! The saved state of a run, from which the run continues bit for bit.
//!
//! ```text
//! checkpoints/checkpoint-40/
//!   model.bpk             the trained parameters and all parameters of adapters, as a Burn record
//!   optimizer.bpk         AdamW's moments
//!   method.safetensors    AdaLoRA's importance and ranks, if the method is AdaLoRA
//!   state.json            the position, the measurements so far, and the names and sizes of the other files
//! ```
//!
//! A checkpoint does not contain the frozen base model. The schedule, the order of the examples and dropout are functions of the
//! seed and the step.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use asym_core::Naming;
use burn::module::{Module, ParamGroup};
use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};

use crate::error::BoxError;
use crate::parameters::Parameters;
use crate::past::Past;
use crate::state::{Optimized, Position, State};
use crate::{TrainError, TrainSettings, Tuning};

/// The version of `state.json`.
const FORMAT: u32 = 1;

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const METHOD: &str = "method.safetensors";
const STATE: &str = "state.json";

/// The extension of a checkpoint that is being written.
const PART: &str = "part";

/// The number of checkpoints that are kept. The older one is used if the newer one cannot be read.
const KEPT: usize = 2;

/// `state.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StateFile {
    format: u32,
    position: Position,
    /// The number of steps of the whole run.
    total_steps: usize,
    /// The paths of the trained parameters.
    trained: Vec<String>,
    /// The digest of the frozen parameters, which are not saved.
    frozen: String,
    past: Past,
    /// The other files and their lengths in bytes.
    files: BTreeMap<String, u64>,
}

/// A saved state of a run.
pub struct Checkpoint {
    path: PathBuf,
    state: StateFile,
    model: ModuleRecord,
    optimizer: OptimizerRecord,
    method: Option<Vec<u8>>,
}

impl Checkpoint {
    /// The last checkpoint in the folder `checkpoints` that can be read, and a message for each later checkpoint, which cannot be
    /// read. `log_bytes` is the length of the run's log in bytes.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] if the folder cannot be listed.
    pub(crate) fn last(checkpoints: &Path, log_bytes: u64) -> Result<(Option<Self>, Vec<String>), TrainError> {
        let mut damaged = Vec::new();
        for (_, path) in list(checkpoints)?.into_iter().rev() {
            match Self::read(&path, log_bytes) {
                Ok(checkpoint) => return Ok((Some(checkpoint), damaged)),
                Err(error) => damaged.push(format!("{}: this checkpoint cannot be read ({error})", path.display())),
            }
        }
        Ok((None, damaged))
    }

    fn read(path: &Path, log_bytes: u64) -> Result<Self, BoxError> {
        let bytes = std::fs::read(path.join(STATE)).map_err(|error| format!("{STATE}: {error}"))?;
        let state: StateFile = serde_json::from_slice(&bytes).map_err(|error| format!("{STATE}: {error}"))?;
        if state.format != FORMAT {
            return Err(format!("{STATE} has format {}, and this version reads {FORMAT}", state.format).into());
        }
        let expected = state.past.log_bytes;
        if log_bytes < expected {
            return Err(format!("metrics.jsonl has {log_bytes} bytes, and had {expected} at the checkpoint").into());
        }
        for (name, length) in &state.files {
            let found = std::fs::metadata(path.join(name)).map_err(|error| format!("{name}: {error}"))?.len();
            if found != *length {
                return Err(format!("{name} has {found} bytes instead of {length}").into());
            }
        }
        let named = |name: &str, error: burn::store::RecordError| format!("{name}: {error}");
        Ok(Self {
            model: ModuleRecord::load(path.join(MODEL)).map_err(|error| named(MODEL, error))?,
            optimizer: OptimizerRecord::load(path.join(OPTIMIZER)).map_err(|error| named(OPTIMIZER, error))?,
            method: state.files.contains_key(METHOD).then(|| std::fs::read(path.join(METHOD))).transpose()?,
            path: path.to_path_buf(),
            state,
        })
    }

    /// The position of the run when the checkpoint was saved.
    pub fn position(&self) -> Position {
        self.state.position
    }
}

impl<M: Module> State<Optimized<M>> {
    /// The state of a run of `steps` steps that continues from `checkpoint`. The other arguments are those of [`State::new`].
    /// `model` must be the model from which the run started, because checkpoints do not contain its frozen parameters.
    ///
    /// A run may be continued with more steps than it was started with. The schedule is then that of the longer run: the
    /// completed steps are not repeated, and each further step has the learning rate that the longer run has at that step.
    ///
    /// # Errors
    ///
    /// The errors of [`State::new`]; [`TrainError::OtherModel`] if the trained or frozen parameters differ from those of the
    /// checkpoint; [`AdapterError::Conflict`](asym_core::AdapterError::Conflict) if an AdaLoRA run is continued with another
    /// number of steps, since its ranks depend on this number.
    pub fn resume(
        model: M,
        tuning: Tuning,
        naming: &Naming,
        settings: &TrainSettings,
        steps: usize,
        checkpoint: Checkpoint,
    ) -> Result<Self, TrainError> {
        let Checkpoint { path, state: saved, model: record, optimizer, method } = checkpoint;
        let other = |(expected, found)| TrainError::OtherModel { path: path.clone(), expected, found };
        let parameters = Parameters::of(&model);
        if let Some(difference) = difference(&saved.trained, &parameters.trained) {
            return Err(other(difference));
        }
        if saved.frozen != parameters.frozen {
            return Err(other(("the frozen parameters of the run".into(), "different ones".into())));
        }
        let loaded = model.try_load_record(record.allow_partial(true));
        let model = loaded.map_err(|error| other(("the saved parameters".into(), error.to_string())))?;
        // The trained parameters now have the ids in the checkpoint. The optimizer, the schedule and the method use these ids.
        if let Some(difference) = difference(&saved.trained, &Parameters::of(&model).trained) {
            return Err(other(difference));
        }
        let mut state = Self::new(model, tuning, naming, settings, steps)?;
        state.trainee.restore(optimizer, saved.position.step);
        if let Some(bytes) = method {
            if steps != saved.total_steps {
                let reason = "AdaLoRA's ranks depend on the number of steps at the start of the run: start a new run";
                return Err(asym_core::AdapterError::Conflict { field: "epochs", reason }.into());
            }
            let device = state.model().devices().into_iter().next().unwrap_or_default();
            let device = if device.is_autodiff() { device.inner() } else { device };
            state.method.restore(&bytes, &path.join(METHOD), &device)?;
        }
        state.position = saved.position;
        state.past = Some(saved.past);
        Ok(state)
    }
}

/// The first parameter that is in only one of the lists, as a description of the expected and of the found model.
fn difference(expected: &[String], found: &[String]) -> Option<(String, String)> {
    let lacks = |list: &[String], other: &[String]| list.iter().find(|path| !other.contains(path)).cloned();
    if let Some(path) = lacks(expected, found) {
        return Some((format!("`{path}` as a trained parameter"), "a model that does not train it".to_string()));
    }
    let path = lacks(found, expected)?;
    Some((format!("{} trained parameters", expected.len()), format!("`{path}` as another one")))
}

/// Writes the checkpoints of a run.
pub(crate) struct Checkpoints {
    folder: PathBuf,
    parameters: Parameters,
    /// The step of the last checkpoint, whose files are known to be undamaged.
    last: Option<usize>,
}

impl Checkpoints {
    /// Write checkpoints into `folder` for a run of `model`. `resumed` is the step of the checkpoint from which the run
    /// continues; `None` for a new run.
    ///
    /// Checkpoints after that step, which could not be read, and unfinished checkpoints are removed. Otherwise, they would
    /// replace good checkpoints among those that are kept.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`].
    pub(crate) fn new<M: Module>(folder: PathBuf, model: &M, resumed: Option<usize>) -> Result<Self, TrainError> {
        let later = list(&folder)?.into_iter().filter(|(step, _)| resumed.is_none_or(|resumed| *step > resumed));
        for path in later.map(|(_, path)| path).chain(unfinished(&folder)) {
            std::fs::remove_dir_all(&path).map_err(TrainError::io(&path))?;
        }
        Ok(Self { folder, parameters: Parameters::of(model), last: resumed })
    }

    /// Save `state` with the measurements so far, and remove all but the last two checkpoints.
    ///
    /// A checkpoint gets its final name when all its files are on the disk. It replaces a checkpoint of the same step.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`]. Earlier checkpoints are not changed.
    pub(crate) fn save<M: Module>(&mut self, state: &State<Optimized<M>>, past: Past) -> Result<(), TrainError> {
        let step = state.position.step;
        let path = self.folder.join(format!("checkpoint-{step}"));
        let failed = |source| TrainError::Checkpoint { path: path.clone(), source };
        if self.last == Some(step) {
            // The model has not changed since the last checkpoint, for example during an evaluation.
            return self.update(&path, state, past).map_err(failed);
        }
        let part = path.with_extension(PART);
        let written = self.write(&part, state, past).and_then(|()| {
            if path.exists() {
                std::fs::remove_dir_all(&path)?;
            }
            std::fs::rename(&part, &path)?;
            sync(&self.folder)?;
            Ok(())
        });
        written.map_err(|error| {
            // Free the space, since the disk may be full.
            let _ = std::fs::remove_dir_all(&part);
            failed(error)
        })?;
        self.last = Some(step);
        let mut all = list(&self.folder)?;
        all.truncate(all.len().saturating_sub(KEPT));
        for (_, old) in all {
            std::fs::remove_dir_all(&old).map_err(TrainError::io(&old))?;
        }
        Ok(())
    }

    fn write<M: Module>(&self, part: &Path, state: &State<Optimized<M>>, past: Past) -> Result<(), BoxError> {
        if part.exists() {
            std::fs::remove_dir_all(part)?;
        }
        std::fs::create_dir_all(part)?;
        let group = ParamGroup::from_ids(self.parameters.saved.clone());
        state.model().clone().into_record_group(group).save(part.join(MODEL))?;
        state.trainee.optimizer_record().save(part.join(OPTIMIZER))?;
        let mut names = vec![MODEL, OPTIMIZER];
        if let Some(bytes) = state.method.to_bytes(&part.join(METHOD))? {
            std::fs::write(part.join(METHOD), bytes)?;
            names.push(METHOD);
        }
        let mut files = BTreeMap::new();
        for name in names {
            let file = File::open(part.join(name))?;
            file.sync_all()?;
            files.insert(name.to_string(), file.metadata()?.len());
        }
        self.write_state(&part.join(STATE), state, past, files)
    }

    fn update<M: Module>(&self, path: &Path, state: &State<Optimized<M>>, past: Past) -> Result<(), BoxError> {
        let before: StateFile = serde_json::from_slice(&std::fs::read(path.join(STATE))?)?;
        self.write_state(&path.join(STATE), state, past, before.files)
    }

    fn write_state<M: Module>(
        &self,
        path: &Path,
        state: &State<Optimized<M>>,
        past: Past,
        files: BTreeMap<String, u64>,
    ) -> Result<(), BoxError> {
        let Parameters { trained, frozen, .. } = self.parameters.clone();
        let (position, total_steps) = (state.position, state.total_steps);
        let file = StateFile { format: FORMAT, position, total_steps, trained, frozen, past, files };
        asym_core::write_whole(path, serde_json::to_string_pretty(&file)?.as_bytes())?;
        Ok(())
    }
}

/// The checkpoints in `folder`, sorted by step. The list is empty if the folder does not exist.
fn list(folder: &Path) -> Result<Vec<(usize, PathBuf)>, TrainError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TrainError::io(folder)(error)),
    };
    let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok();
    let mut found: Vec<(usize, PathBuf)> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter_map(|path| Some((step(&path)?, path)))
        .collect();
    found.sort();
    Ok(found)
}

/// The checkpoints in `folder` that a killed process did not finish.
fn unfinished(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == PART))
}

/// Remove all checkpoints but the last one, which is needed to extend a finished run.
pub(crate) fn keep_last(folder: &Path) -> Result<(), TrainError> {
    let mut all = list(folder)?;
    all.pop();
    all.iter().try_for_each(|(_, path)| std::fs::remove_dir_all(path).map_err(TrainError::io(path)))
}

/// Wait until the entries of `folder` are on the disk. On Windows, folders cannot be opened, and no such call is needed.
fn sync(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
