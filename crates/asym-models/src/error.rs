//! Errors of checkpoints and inputs, with the path, the key, and the expected and found values.

use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;

use crate::generation::GenerationError;

/// An error of the JSON reader or writer. The type of the JSON library is not exposed.
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
    /// A file is not the expected JSON. The message of `source` contains the line and the column.
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
    /// A checkpoint or an adapter is for a task that asym does not support.
    #[error("{}: `{key}` is `{found}`: this is {task}; asym supports only classifiers of whole texts or images, and language models", path.display())]
    OtherTask {
        /// The file.
        path: PathBuf,
        /// The key that specifies the task.
        key: &'static str,
        /// The value of the key.
        found: String,
        /// A description of the task.
        task: &'static str,
    },
    /// A checkpoint has quantized weights.
    #[error(
        "{}: `quantization_config`: the weights are quantized by {method}, which is not supported; use the original checkpoint, or \
         convert it in Python with `model.dequantize()` and `save_pretrained`",
        path.display()
    )]
    Quantized {
        /// The file.
        path: PathBuf,
        /// The method, with the number of bits if the file contains it.
        method: String,
    },
    /// A device does not support the requested dtype.
    #[error("{device} does not support {dtype}; use f32, or build with a backend whose device supports it")]
    NoDtype {
        /// The dtype.
        dtype: String,
        /// The device.
        device: String,
    },
    /// A file is a Git LFS pointer instead of the file itself.
    #[error(
        "{}: this is a Git LFS pointer of {bytes} bytes, not the file itself; run `git lfs pull` in the folder, or download \
        the file",
        path.display()
    )]
    LfsPointer {
        /// The file.
        path: PathBuf,
        /// The length of the file.
        bytes: usize,
    },
    /// A file is not valid safetensors. It is truncated, or its header does not match its size.
    #[error("{}: not a valid safetensors file: {source}; the file is truncated or damaged; download it again", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The error of the safetensors parser.
        source: SafeTensorError,
    },
    /// The index assigns a key to a shard that is missing or outside the folder.
    #[error("{}: `{key}` should be in the shard `{shard}`, which is not in this folder; download the missing file", path.display())]
    MissingShard {
        /// The index.
        path: PathBuf,
        /// A key that the index assigns to the shard.
        key: String,
        /// The name of the shard.
        shard: String,
    },
    /// The index assigns a key to a shard that lacks it.
    #[error("{}: `{key}` should be in the shard `{shard}`, which does not contain it; the index and the shards do not match", path.display())]
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
        /// The file of the second tensor.
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
    /// A tensor has a value that is not finite in f32.
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
    /// The logits of an input are not finite.
    #[error(
        "row {row}: the logits are not finite (found {found}): the weights, or the adapter with its alpha, are too large for the \
        dtype, or the input uses rows of an embedding that are not finite"
    )]
    Logits {
        /// The row of the batch, or the index of the text, counted from 1.
        row: usize,
        /// A logit that is not finite.
        found: f32,
    },
    /// The settings of generation are invalid.
    #[error(transparent)]
    Generation(GenerationError),
    /// A model with adapters cannot be saved as a plain checkpoint.
    #[error("`{key}` is part of an adapter; merge the adapter into the model, or save only the adapter")]
    Adapted {
        /// The first parameter of an adapter.
        key: String,
    },
}

impl ModelError {
    /// Create the error for a task that asym does not support.
    pub(crate) fn of_task(path: &Path, (key, found): (&'static str, String), task: &'static str) -> Self {
        Self::OtherTask { path: path.into(), key, found, task }
    }
}

/// The first few keys of a list, and the number of the other keys.
fn some_of(keys: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match keys.len() {
        0..=SHOWN => shown,
        count => format!("{shown} and {} more", count - SHOWN),
    }
}

/// Create the error for an invalid setting.
pub(crate) fn refuse(path: &Path, key: &'static str, expected: impl Into<String>, found: impl ToString) -> ModelError {
    ModelError::Config { path: path.into(), key, expected: expected.into(), found: found.to_string() }
}
