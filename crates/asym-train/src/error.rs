//! The errors of a run.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Worker;

/// An error of a task, a file format or a model, which this crate only passes on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a run is refused before it starts, or why it stops.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting is outside its range.
    #[error("`{field}` is {found}: it must be {expected}")]
    Setting {
        /// The name of the setting in recipes.
        field: &'static str,
        /// The given value.
        found: f64,
        /// The allowed range.
        expected: &'static str,
    },

    /// The model has no trained parameter.
    #[error("no parameter of the model is trained; attach an adapter, or name the modules of the model's head")]
    NothingTrained,

    /// The training set is empty.
    #[error("the training set is empty; it needs at least one example")]
    NoExamples,

    /// A run would overwrite another one.
    #[error("{}: already exists; name another output folder, or remove this one", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },

    /// Another process works in the folder.
    #[error("{}: {worker} is working here; wait until it ends, or name another output folder", path.display())]
    Claimed {
        /// The folder.
        path: PathBuf,
        /// The process.
        worker: Box<Worker>,
    },

    /// Another process took over the folder during the run, because this process had not updated its claim for minutes.
    #[error(
        "{}: {worker} took over this run, because this process had not updated its claim on the folder for minutes; this \
        process stops, and the other process continues the run",
        path.display()
    )]
    Overtaken {
        /// The folder.
        path: PathBuf,
        /// The process that works there now.
        worker: Box<Worker>,
    },

    /// The folder was moved or removed during the run.
    #[error(
        "{}: the folder of the run was moved or removed, so the run cannot be saved; move the folder back and continue with \
        --resume, or start a new run",
        path.display()
    )]
    FolderGone {
        /// The original path of the folder.
        path: PathBuf,
    },

    /// A folder in which a run would be resumed is not the folder of a run.
    #[error("{}: this is not the folder of a run: it contains `{found}`, but no recipe.toml; name another folder", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// One of its files.
        found: String,
    },

    /// A file was written by another version of asym.
    #[error("{}: this file was written by another version of asym ({reason}); train into another output folder", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The reason why this version cannot read it.
        reason: String,
    },

    /// A file is truncated, or is not JSON.
    #[error(
        "{}: this file is half-written or damaged ({reason}); remove it and continue the run with --resume, or copy it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The error of the parser, with the line and the column.
        reason: String,
    },

    /// A run would be continued with settings that differ from those at its start.
    #[error("{}: the run was started with other settings: {}; {}", path.display(), listed(changes), advice(changes))]
    Changed {
        /// The folder.
        path: PathBuf,
        /// The settings that differ.
        changes: Vec<Change>,
    },

    /// A checkpoint belongs to another model.
    #[error("{}: this checkpoint belongs to another model: expected {expected}, found {found}", path.display())]
    OtherModel {
        /// The checkpoint.
        path: PathBuf,
        /// A property of the model of the checkpoint.
        expected: String,
        /// The corresponding property of this model.
        found: String,
    },

    /// A run would be continued on examples that differ from those at its start.
    #[error("the training examples differ from those at the start of the run; restore the files, or start a new run")]
    OtherData,

    /// A checkpoint cannot be written.
    #[error(
        "{}: the checkpoint cannot be written: {source}; the previous checkpoint is kept, and --resume continues from it once \
        there is space",
        path.display()
    )]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// The error of the system or of the format.
        source: BoxError,
    },

    /// The run failed permanently before, and would fail again in the same way.
    #[error("{}: failed before: {message}; remove the folder to try again", path.display())]
    FailedBefore {
        /// The folder.
        path: PathBuf,
        /// The message of the earlier failure.
        message: String,
    },

    /// The number of steps in an epoch differs from the number that the settings imply.
    #[error(
        "an epoch had {found} steps instead of {expected}; set `batch_size` in the settings to that of the training loader"
    )]
    Steps {
        /// The number of completed steps.
        found: usize,
        /// The number of steps that batch size and accumulation imply.
        expected: usize,
    },

    /// A file or folder cannot be read or written.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// The contents of a file in the run's folder cannot be converted to or from TOML or JSON.
    #[error("{}: invalid TOML or JSON: {source}", path.display())]
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

    /// An error of asym-core, for example for an adapter that does not fit the model.
    #[error(transparent)]
    Adapter(#[from] asym_core::AdapterError),

    /// The loss or its gradient is NaN or infinite.
    #[error(
        "{}the gradient's norm is {grad_norm} at step {step} (learning rate {learning_rate:e}): the run \
        stops and keeps the model that was saved before; lower the learning rate, lengthen the warm-up or clip the \
        gradient's norm",
        loss.map_or_else(String::new, |loss| format!("the loss is {loss} and "))
    )]
    NonFiniteLoss {
        /// The loss; `None` within burn-train, where the loop does not receive the loss.
        loss: Option<f64>,
        /// The norm of the gradient over all trained parameters.
        grad_norm: f64,
        /// The optimizer step, counted from 1.
        step: usize,
        /// The learning rate of that step.
        learning_rate: f64,
    },

    /// A trained parameter is NaN or infinite.
    #[error(
        "a weight is not finite after step {step}: the run stops and keeps the model that was saved before; lower the \
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
        /// The name of the score.
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
    /// The dotted key in the recipe.
    pub key: String,
    /// The value in the folder; `None` if it is not set there.
    pub before: Option<String>,
    /// The new value; `None` if it is not set.
    pub now: Option<String>,
}

/// The setting that `--extend` may change.
const EPOCHS: &str = "training.epochs";

impl Change {
    /// Whether the change is a larger number of epochs.
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
        "add --extend to train the additional epochs, or name another output folder"
    } else {
        "use the original settings, or name another output folder"
    }
}

impl TrainError {
    /// Whether the training itself failed because a value is not finite. It would fail again in the same way.
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
