//! Why a run is refused or stops.

use std::path::{Path, PathBuf};

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

    /// The operating system refused a file.
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
}

impl TrainError {
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
