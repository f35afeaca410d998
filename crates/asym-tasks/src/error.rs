//! Errors of tasks, recipes and tables.

use std::path::{Path, PathBuf};

use asym_data::{HubError, ImageError, TokenizerError};

use crate::names::hint;
use crate::recipe::error::RecipeError;

/// Why a task cannot be run.
///
/// A task's own errors come as [`TaskError::Task`], so a new task needs no variant here.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A checkpoint has a class that the task cannot train.
    #[error(
        "{}: this is a checkpoint of {found}, and {task} trains {expected}; give a checkpoint of that kind, or a task for \
        this one",
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
    #[error("{name}: no such folder, and no name on the Hub, which has the form owner/name or name")]
    NoSuchPlace {
        /// The name that was given.
        name: String,
    },

    /// A method's name is unknown.
    #[error("there is no method `{found}`{}; write one of {expected}", hint(nearest.as_deref()))]
    UnknownMethod {
        /// The name that was given.
        found: String,
        /// The name that it is nearest to.
        nearest: Option<String>,
        /// The forms that are understood.
        expected: &'static str,
    },

    /// The table has no row with the name to compare with.
    #[error("the table has no row `{found}` to compare with; its rows are {}", listed.join(", "))]
    UnknownReference {
        /// The name that was given.
        found: String,
        /// The names of the rows.
        listed: Vec<String>,
    },

    /// A folder has no run.
    #[error("{}: there is no run in this folder, nor in the folders within it; name the --output of a table or a sweep", path.display())]
    NoRuns {
        /// The folder.
        path: PathBuf,
    },

    /// No learning rate of a list can be chosen.
    #[error("no learning rate of {listed:?} can be chosen: every run that would decide failed")]
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
        /// The error of the system.
        source: std::io::Error,
    },

    /// A request to stop came before there was a result.
    #[error("stopped on request; nothing was written")]
    Interrupted,

    /// The task's own error.
    #[error(transparent)]
    Task(Box<dyn std::error::Error + Send + Sync>),

    /// A recipe is refused.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// An error of the Hub or of the connection to it.
    #[error(transparent)]
    Hub(#[from] HubError),

    /// The tokenizer cannot be read, or does not fit.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    /// The image processor cannot be read, or a picture cannot.
    #[error(transparent)]
    Image(#[from] ImageError),

    /// asym-core refused the adapter.
    #[error(transparent)]
    Adapter(#[from] asym_core::AdapterError),

    /// asym-models refused the checkpoint.
    #[error(transparent)]
    Model(#[from] asym_models::ModelError),

    /// The training was refused, or stopped.
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
