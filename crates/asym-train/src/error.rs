//! Why a run is refused or stops.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Worker;

/// An error of a task, a file format or a model, which this crate only passes on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a run is refused before it starts, or stops.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting is outside its range.
    #[error("`{field}` is {found}: it must be {expected}")]
    Setting {
        /// The field of the settings, as recipes call it.
        field: &'static str,
        /// The value that was given.
        found: f64,
        /// The range that is allowed.
        expected: &'static str,
    },

    /// The model has no trained parameter.
    #[error("no parameter of the model is trained; attach an adapter, or name the modules of a head that it has")]
    NothingTrained,

    /// There is no example to train on.
    #[error("there is no example to train on; the training set needs at least one")]
    NoExamples,

    /// A run would overwrite another one.
    #[error("{}: exists already; name another output folder, or remove this one", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },

    /// Another process works in the folder.
    #[error("{}: {worker} works here; wait until it ends, or name another output folder", path.display())]
    Claimed {
        /// The folder.
        path: PathBuf,
        /// The process.
        worker: Box<Worker>,
    },

    /// Another process took over the folder during the run, because this process had not updated its claim for minutes.
    #[error(
        "{}: {worker} took over this run, since the worker here had written nothing to the folder for minutes; this one stops, \
        and the other goes on",
        path.display()
    )]
    Overtaken {
        /// The folder.
        path: PathBuf,
        /// The process that works there now.
        worker: Box<Worker>,
    },

    /// The folder was moved or removed while the run went on.
    #[error(
        "{}: the folder of the run was moved or removed, so that the run cannot be saved; move it back and continue with \
        --resume, or start a new run",
        path.display()
    )]
    FolderGone {
        /// The folder, as it was named.
        path: PathBuf,
    },

    /// A folder to resume in is not the folder of a run.
    #[error("{}: there is `{found}` here, but no recipe.toml: this is not the folder of a run; name another", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// One of its files.
        found: String,
    },

    /// A folder was written by another version.
    #[error("{}: this file was written by another version of asym ({reason}); train into another output folder", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The reason why this version cannot read it.
        reason: String,
    },

    /// A file is truncated, or is not JSON.
    #[error(
        "{}: this file is half-written or damaged ({reason}); remove it and continue the run with --resume, or copy it anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The error of the format, with the line and the column.
        reason: String,
    },

    /// A run would be continued with other settings than it was started with.
    #[error("{}: the run was started with other settings: {}; {}", path.display(), listed(changes), advice(changes))]
    Changed {
        /// The folder.
        path: PathBuf,
        /// The settings that differ.
        changes: Vec<Change>,
    },

    /// A checkpoint belongs to another model.
    #[error("{}: this checkpoint belongs to another model: it has {expected}, and the model has {found}", path.display())]
    OtherModel {
        /// The checkpoint.
        path: PathBuf,
        /// A part that the checkpoint expects.
        expected: String,
        /// The part of the model in its place.
        found: String,
    },

    /// A run would be continued on other examples than it was started with.
    #[error("the training examples differ from those at the start of the run; restore the files, or start a new run")]
    OtherData,

    /// A checkpoint cannot be written.
    #[error(
        "{}: the checkpoint cannot be written: {source}; the one before it is kept, and --resume continues there once there is \
        space",
        path.display()
    )]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// The error of the system or of the format.
        source: BoxError,
    },

    /// The run failed for good when it was made before: it would fail again in the same way.
    #[error("{}: failed before: {message}; remove the folder to try again", path.display())]
    FailedBefore {
        /// The folder.
        path: PathBuf,
        /// The message of that time.
        message: String,
    },

    /// An epoch has another number of steps than the settings say.
    #[error(
        "an epoch had {found} steps, and the settings say {expected}; give the settings the batch size of the training loader"
    )]
    Steps {
        /// The steps that were made.
        found: usize,
        /// The steps by batch size and accumulation.
        expected: usize,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// A file of the run's folder cannot be written as TOML or JSON.
    #[error("{}: cannot be written: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The error of the format.
        source: BoxError,
    },

    /// A batch could not be made.
    #[error("a batch could not be made: {source}")]
    Data {
        /// The error of the source of examples.
        source: BoxError,
    },

    /// The model could not be saved.
    #[error("the model could not be saved: {source}")]
    Save {
        /// The error of the file format.
        source: BoxError,
    },

    /// The evaluation failed.
    #[error("the evaluation failed: {source}")]
    Evaluation {
        /// The error of the evaluation.
        source: BoxError,
    },

    /// asym-core refused the adapter.
    #[error(transparent)]
    Adapter(#[from] asym_core::AdapterError),

    /// The loss or its gradient is NaN or infinite.
    #[error(
        "{}the gradient's norm {grad_norm}, at step {step} (learning rate {learning_rate:e}): the run \
        stops, and the model that was saved before stays; lower the learning rate, lengthen the warm-up or clip the \
        gradient's norm",
        loss.map_or_else(String::new, |loss| format!("the loss is {loss}, "))
    )]
    NonFiniteLoss {
        /// The loss, if the loop knows it. Within burn-train it does not.
        loss: Option<f64>,
        /// The norm of its gradient over all trained parameters.
        grad_norm: f64,
        /// The optimizer step, counted from 1.
        step: usize,
        /// The learning rate of that step.
        learning_rate: f64,
    },

    /// A trained parameter is NaN or infinite.
    #[error(
        "a weight is not finite after step {step}: the run stops, and the model that was saved before stays; lower the \
        learning rate, lengthen the warm-up or clip the gradient's norm"
    )]
    NonFiniteWeights {
        /// The optimizer step, counted from 1.
        step: usize,
    },

    /// A score is NaN or infinite.
    #[error(
        "the score {name} is {found} after epoch {epoch}: the run stops; lower the learning rate or lengthen the warm-up"
    )]
    NonFiniteScore {
        /// The score.
        name: String,
        /// Its value.
        found: f64,
        /// The epoch, counted from 1.
        epoch: usize,
    },
}

/// A setting that differs between a run and its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key in the recipe, with dots into tables.
    pub key: String,
    /// The value in the folder; none if it was not given.
    pub before: Option<String>,
    /// The value now.
    pub now: Option<String>,
}

/// The setting that `--extend` may change.
const EPOCHS: &str = "training.epochs";

impl Change {
    /// Whether this is nothing but more epochs.
    pub(crate) fn is_extension(&self) -> bool {
        let epochs = |value: &Option<String>| value.as_ref().and_then(|value| value.parse::<usize>().ok());
        self.key == EPOCHS
            && matches!((epochs(&self.before), epochs(&self.now)), (Some(before), Some(now)) if now > before)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_string());
        write!(f, "{} was {} and is {}", self.key, value(&self.before), value(&self.now))
    }
}

fn listed(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn advice(changes: &[Change]) -> &'static str {
    if changes.iter().all(Change::is_extension) {
        "give --extend to train the further epochs, or name another output folder"
    } else {
        "give the settings of then, or name another output folder"
    }
}

impl TrainError {
    /// Whether the training itself failed, by a number that is not finite. It would fail again in the same way.
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::NonFiniteLoss { .. }
                | Self::NonFiniteWeights { .. }
                | Self::NonFiniteScore { .. }
                | Self::FailedBefore { .. }
        )
    }

    /// [`TrainError::Data`] for an error of a source of examples.
    pub fn data(source: impl Into<BoxError>) -> Self {
        Self::Data { source: source.into() }
    }

    /// [`TrainError::Save`] for an error while the model is saved.
    pub fn save(source: impl Into<BoxError>) -> Self {
        Self::Save { source: source.into() }
    }

    /// [`TrainError::Evaluation`] for an error of an evaluation.
    pub fn evaluation(source: impl Into<BoxError>) -> Self {
        Self::Evaluation { source: source.into() }
    }

    /// [`TrainError::Io`] at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}
