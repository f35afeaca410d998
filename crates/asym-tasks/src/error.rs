//! Errors of tasks, recipes and tables.

use std::path::{Path, PathBuf};

use asym_data::{HubError, ImageError, TokenizerError};

use crate::names::hint;
use crate::recipe::error::RecipeError;

/// Why a task cannot be run.
///
/// A task's own errors are wrapped in [`TaskError::Task`], so a new task needs no variant here.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A checkpoint belongs to a model family that the task cannot train.
    #[error(
        "{}: this is a checkpoint of {found}, but {task} trains {expected}; use a checkpoint of {expected}, or a task that \
        trains {found}",
        path.display()
    )]
    WrongModel {
        /// The checkpoint.
        path: PathBuf,
        /// The task's name.
        task: String,
        /// The family that the task trains.
        expected: &'static str,
        /// The family of the checkpoint.
        found: &'static str,
    },

    /// A name is neither a folder nor a valid name on the Hub.
    #[error("{name}: no such folder, and not a valid name on the Hub, which has the form owner/name or name")]
    NoSuchPlace {
        /// The name that was given.
        name: String,
    },

    /// A file does not exist.
    #[error("{name}: no such file")]
    NoSuchFile {
        /// The name that was given.
        name: String,
    },

    /// The data are not on this machine, and cannot be had from the Hub.
    #[error("{name} is not a local file or folder and was looked up on the Hub: {source}")]
    NotOnHub {
        /// The name that was given.
        name: String,
        /// The error of the Hub.
        source: Box<asym_data::HubError>,
    },

    /// A method's name is unknown.
    #[error("there is no method `{found}`{}; use one of {expected}", hint(nearest.as_deref()))]
    UnknownMethod {
        /// The name that was given.
        found: String,
        /// The most similar known name.
        nearest: Option<String>,
        /// The valid forms.
        expected: &'static str,
    },

    /// The row to compare with is not in the table.
    #[error("the table has no row `{found}` to compare with; its rows are {}", listed.join(", "))]
    UnknownReference {
        /// The name that was given.
        found: String,
        /// The names of the rows.
        listed: Vec<String>,
    },

    /// A folder contains no run.
    #[error("{}: there is no run in this folder or its subfolders; use the --output folder of a table or a sweep", path.display())]
    NoRuns {
        /// The folder.
        path: PathBuf,
    },

    /// No learning rate of a list can be chosen.
    #[error("none of the learning rates {listed:?} can be chosen, because all runs that compare them failed")]
    NoLearningRate {
        /// The learning rates.
        listed: Vec<f64>,
    },

    /// A text cannot be encoded.
    #[error("text {number}: {source}")]
    Text {
        /// The number of the text, counted from 1.
        number: usize,
        /// The error of the tokenizer.
        source: TokenizerError,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },

    /// A request to stop came before there was a result.
    #[error("stopped on request; nothing was written")]
    Interrupted,

    /// The task's own error.
    #[error(transparent)]
    Task(Box<dyn std::error::Error + Send + Sync>),

    /// A recipe is invalid.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// An error of the Hub or of the connection to it.
    #[error(transparent)]
    Hub(#[from] HubError),

    /// The tokenizer cannot be read, or does not fit the model.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    /// The image processor or a picture cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),

    /// asym-core rejected the adapter.
    #[error(transparent)]
    Adapter(#[from] asym_core::AdapterError),

    /// asym-models rejected the checkpoint.
    #[error(transparent)]
    Model(#[from] asym_models::ModelError),

    /// The training could not start, or it failed.
    #[error(transparent)]
    Train(#[from] asym_train::TrainError),
}

impl TaskError {
    /// [`TaskError::Task`] for a task's own error.
    pub fn task(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Task(source.into())
    }

    /// [`TaskError::Io`] at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}
