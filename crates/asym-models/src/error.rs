//! What can be wrong with a checkpoint or with inputs, said with path, key, expected and found.

use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;

use crate::generation::GenerationError;

/// Why a model could not be made, loaded, fed or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file that a checkpoint needs is not there.
    #[error("{}: no such file; {help}", path.display())]
    MissingFile {
        /// The file looked for.
        path: PathBuf,
        /// What to do.
        help: &'static str,
    },
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file is not the JSON it should be; the message of `source` has line and column.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A setting is missing, out of its range, or asks for what asym does not have.
    #[error("{}: `{key}`: expected {expected}, found {found}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The key in `config.json`.
        key: &'static str,
        /// What would be accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A checkpoint is of another family than the model that was to be made of it.
    #[error("{}: `model_type`: expected a checkpoint of {expected}, found one of {found}", path.display())]
    Family {
        /// The file.
        path: PathBuf,
        /// The family that it should be of.
        expected: &'static str,
        /// The family that it is of.
        found: &'static str,
    },
    /// A device does not have the dtype that was asked for.
    #[error("{device} has no {dtype}; ask for f32, or build with a backend whose device has it")]
    NoDtype {
        /// The dtype.
        dtype: String,
        /// The device.
        device: String,
    },
    /// A file is not valid safetensors: truncated, or its header contradicts it.
    #[error("{}: not a valid safetensors file: {source}; it is truncated or damaged, fetch it again", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the format's own validation found.
        source: SafeTensorError,
    },
    /// The index sends a key to a shard that is not there, or whose name leaves the folder.
    #[error("{}: `{key}` should be in the shard `{shard}`, which is not in this folder; fetch the missing file", path.display())]
    MissingShard {
        /// The index.
        path: PathBuf,
        /// A key that the index sends there.
        key: String,
        /// The name of the shard.
        shard: String,
    },
    /// The index sends a key to a shard that lacks it.
    #[error("{}: `{key}` should be in the shard `{shard}`, which does not have it; index and shards do not belong together", path.display())]
    NotInShard {
        /// The index.
        path: PathBuf,
        /// The key.
        key: String,
        /// The name of the shard.
        shard: String,
    },
    /// Two tensors of a checkpoint mean the same parameter.
    #[error("{}: `{first}` and `{second}` are both the parameter `{key}`, with values of their own; remove one of them", path.display())]
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
    /// Parameters that the checkpoint does not have.
    #[error("{}: missing {}; is config.json that of these weights?", path.display(), some_of(keys))]
    MissingKeys {
        /// The checkpoint.
        path: PathBuf,
        /// The missing keys.
        keys: Vec<String>,
    },
    /// Tensors of the checkpoint that the model has no place for.
    #[error("{}: unexpected {}; is config.json that of these weights?", path.display(), some_of(keys))]
    UnexpectedKeys {
        /// The checkpoint.
        path: PathBuf,
        /// The unexpected keys.
        keys: Vec<String>,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: `{key}`: expected shape {expected:?} by config.json, found {found:?}{help}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
        /// What to do, where something can be said.
        help: &'static str,
    },
    /// A tensor has a dtype that cannot be read.
    #[error("{}: `{key}`: expected {expected}, found {found}", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The dtypes that can be read.
        expected: &'static str,
        /// The dtype in the file.
        found: String,
    },
    /// A tensor has a value that is not finite (in f32).
    #[error("{}: `{key}`: expected finite values, found {found} at index {index}; the checkpoint is of a diverged run or damaged", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Where in the flattened tensor.
        index: usize,
        /// The value.
        found: f32,
    },
    /// A value is too large for the dtype that a file was to have.
    #[error("{}: `{key}`: expected at most 65504 for f16, found {found}; take f32 or bf16", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The value.
        found: f32,
    },
    /// Inputs that the model cannot take.
    #[error("`{key}`: expected {expected}, found {found}")]
    Input {
        /// The input.
        key: &'static str,
        /// What would be accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Settings of generation that cannot be used.
    #[error(transparent)]
    Generation(GenerationError),
    /// A model that carries adapters was to be saved as a plain checkpoint.
    #[error("`{key}` is part of an adapter; merge the model, or save its adapter alone")]
    Adapted {
        /// The first parameter of an adapter.
        key: String,
    },
}

/// The first few of a list that can be long.
fn some_of(keys: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match keys.len() {
        0..=SHOWN => shown,
        count => format!("{shown} and {} more", count - SHOWN),
    }
}

/// The error of a setting.
pub(crate) fn refuse(path: &Path, key: &'static str, expected: impl Into<String>, found: impl ToString) -> ModelError {
    ModelError::Config { path: path.into(), key, expected: expected.into(), found: found.to_string() }
}
