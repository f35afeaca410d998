//! Errors of checkpoints and inputs, with the path, the key, and the expected and found values.

use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;

use crate::generation::GenerationError;

/// An error of the reader or writer of JSON, whose own type is inside.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error in creating, loading, running or saving a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file of the checkpoint is missing.
    #[error("{}: no such file; {help}", path.display())]
    MissingFile {
        /// The missing file.
        path: PathBuf,
        /// How to fix it.
        help: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file is not the expected JSON. The message of `source` has line and column.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The error of the parser.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A setting is missing, out of range, or not supported.
    #[error("{}: `{key}`: expected {expected}, found {found}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key in `config.json`.
        key: &'static str,
        /// The accepted values.
        expected: String,
        /// The value found.
        found: String,
    },
    /// A checkpoint does not belong to the family of the model.
    #[error("{}: `model_type`: expected a checkpoint of {expected}, found one of {found}", path.display())]
    Family {
        /// The file.
        path: PathBuf,
        /// The family of the model.
        expected: &'static str,
        /// The family of the checkpoint.
        found: &'static str,
    },
    /// A checkpoint or an adapter is for a task that asym has no model for.
    #[error("{}: `{key}` is `{found}`: this is {task}; asym has classifiers of whole texts and images, and language models", path.display())]
    OtherTask {
        /// The file.
        path: PathBuf,
        /// The key that names the task.
        key: &'static str,
        /// Its value.
        found: String,
        /// The task, for people.
        task: &'static str,
    },
    /// A checkpoint has quantized weights.
    #[error(
        "{}: `quantization_config`: the weights are quantized by {method}, which is not read; use the original checkpoint, or in \
         Python `model.dequantize()` and `save_pretrained`",
        path.display()
    )]
    Quantized {
        /// The file.
        path: PathBuf,
        /// The method, with the number of bits if the file says it.
        method: String,
    },
    /// A device does not support the requested dtype.
    #[error("{device} does not support {dtype}; ask for f32, or build with a backend whose device supports it")]
    NoDtype {
        /// The dtype.
        dtype: String,
        /// The device.
        device: String,
    },
    /// A file is the pointer of Git LFS, and not the file that it stands for.
    #[error(
        "{}: this is a Git LFS pointer of {bytes} bytes, and not the file itself; run `git lfs pull` in the folder, or download \
        the file",
        path.display()
    )]
    LfsPointer {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// A file is not valid safetensors. It is truncated, or its header does not match its size.
    #[error("{}: not a valid safetensors file: {source}; it is truncated or damaged, fetch it again", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The error of the safetensors parser.
        source: SafeTensorError,
    },
    /// The index assigns a key to a shard that is missing or outside the folder.
    #[error("{}: `{key}` should be in the shard `{shard}`, which is not in this folder; fetch the missing file", path.display())]
    MissingShard {
        /// The index.
        path: PathBuf,
        /// A key that the index assigns to the shard.
        key: String,
        /// The name of the shard.
        shard: String,
    },
    /// The index assigns a key to a shard that lacks it.
    #[error("{}: `{key}` should be in the shard `{shard}`, which does not have it; index and shards do not belong together", path.display())]
    NotInShard {
        /// The index.
        path: PathBuf,
        /// The key.
        key: String,
        /// The name of the shard.
        shard: String,
    },
    /// A checkpoint has two tensors for the same parameter.
    #[error("{}: `{first}` and `{second}` are both values of the parameter `{key}`; remove one of them", path.display())]
    DuplicateKey {
        /// The file of the second.
        path: PathBuf,
        /// The parameter.
        key: String,
        /// The key found first.
        first: String,
        /// The key found second.
        second: String,
    },
    /// A file lacks tensors that the model needs.
    #[error("{}: missing {}; does config.json belong to these weights?", path.display(), some_of(keys))]
    MissingKeys {
        /// The checkpoint or file.
        path: PathBuf,
        /// The missing keys.
        keys: Vec<String>,
    },
    /// A file has tensors that the model does not know.
    #[error("{}: unexpected {}; does config.json belong to these weights?", path.display(), some_of(keys))]
    UnexpectedKeys {
        /// The checkpoint or file.
        path: PathBuf,
        /// The unexpected keys.
        keys: Vec<String>,
    },
    /// A tensor does not have the shape that the configuration requires.
    #[error("{}: `{key}`: expected shape {expected:?} according to config.json, found {found:?}{help}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The shape that the configuration requires.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
        /// How to fix it, or an empty string.
        help: &'static str,
    },
    /// A tensor has a dtype that is not supported.
    #[error("{}: `{key}`: expected {expected}, found {found}", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The supported dtypes.
        expected: &'static str,
        /// The dtype in the file.
        found: String,
    },
    /// A tensor has a value that is not finite (in f32).
    #[error("{}: `{key}`: expected finite values, found {found} at index {index}; the checkpoint comes from a diverged run, or it is damaged", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The index in the flattened tensor.
        index: usize,
        /// The value.
        found: f32,
    },
    /// A value is too large for the dtype of the file.
    #[error("{}: `{key}`: expected at most 65504 for f16, found {found}; use f32 or bf16", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The value.
        found: f32,
    },
    /// The model does not accept an input.
    #[error("`{key}`: expected {expected}, found {found}")]
    Input {
        /// The input.
        key: &'static str,
        /// The accepted values.
        expected: String,
        /// The value found.
        found: String,
    },
    /// The model computes no numbers for an input.
    #[error(
        "row {row}: the logits are not finite (found {found}): the weights, or the adapter with its alpha, are too large for the \
        dtype, or the input reads rows of an embedding that are not finite"
    )]
    Logits {
        /// The row of the batch, or the number of the text, counted from 1.
        row: usize,
        /// A logit.
        found: f32,
    },
    /// The settings of generation are invalid.
    #[error(transparent)]
    Generation(GenerationError),
    /// A model with adapters cannot be saved as a plain checkpoint.
    #[error("`{key}` is part of an adapter; merge the model, or save its adapter alone")]
    Adapted {
        /// The first parameter of an adapter.
        key: String,
    },
}

impl ModelError {
    /// Create the error of a task that asym has no model for.
    pub(crate) fn of_task(path: &Path, (key, found): (&'static str, String), task: &'static str) -> Self {
        Self::OtherTask { path: path.into(), key, found, task }
    }
}

/// The first few keys of a list.
fn some_of(keys: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match keys.len() {
        0..=SHOWN => shown,
        count => format!("{shown} and {} more", count - SHOWN),
    }
}

/// Create the error of a setting.
pub(crate) fn refuse(path: &Path, key: &'static str, expected: impl Into<String>, found: impl ToString) -> ModelError {
    ModelError::Config { path: path.into(), key, expected: expected.into(), found: found.to_string() }
}
