//! Errors of adapters. Each says how to correct it.

use std::path::PathBuf;

/// An error of this crate. Each variant carries the place, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// A rank outside `1 ..= min(d_input, d_output)` of a layer.
    #[error(
        "rank {rank} does not fit `{module}` ({d_input} -> {d_output}): choose a rank from 1 to {}",
        d_input.min(d_output)
    )]
    Rank {
        /// Name of the adapted module.
        module: String,
        /// The rank asked for.
        rank: usize,
        /// Input features of the module.
        d_input: usize,
        /// Output features of the module.
        d_output: usize,
    },
    /// The configuration of an adapter has a rank that none of its tensors can have.
    #[error(
        "rank {rank} of `{module}` in adapter_config.json is above every size of the factors in the file, the largest of which is \
         {most}; the two files do not belong together"
    )]
    LoadedRank {
        /// Name of the adapted module.
        module: String,
        /// The rank in the configuration.
        rank: usize,
        /// The largest size of a factor in the file.
        most: usize,
    },
    /// A setting outside its range.
    #[error("`{field}` is {found}: it must be {expected}")]
    Setting {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// The value that was given.
        found: f64,
        /// The range that is allowed.
        expected: &'static str,
    },
    /// Two settings that exclude each other.
    #[error("`{field}` does not go together with the other settings: {reason}")]
    Conflict {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A layer that the method cannot adapt.
    #[error("{method} adapts linear layers, and `{module}` is {found}: leave it out of the targets, or use LoRA")]
    Layer {
        /// Name of the module.
        module: String,
        /// The method.
        method: &'static str,
        /// The kind of the module.
        found: crate::layout::Layer,
    },
    /// A factor on the output of a module whose bias this crate never sees.
    #[error(
        "`{module}` has a bias that its scale would miss: it is not an `AdaptedLinear`, and an adapter that is \
         composed into the weight never sees the output; use `AdaptedLinear` there"
    )]
    BiasOnDense {
        /// Name of the module.
        module: String,
    },
    /// A pattern of pruned ranks of another length than the rank.
    #[error("`rank_pattern` has {found} values for `{module}`: the initial rank is {expected}")]
    RankPattern {
        /// Name of the module.
        module: String,
        /// Length of the pattern.
        found: usize,
        /// The initial rank.
        expected: usize,
    },
    /// A setting that leaves none of the targets.
    #[error("{field} {setting} excludes all {targets} layers that the targets name")]
    NothingLeft {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// Its value.
        setting: String,
        /// Layers before it was applied.
        targets: usize,
    },
    /// A target, or a module to save, that names nothing in the model.
    #[error("{field} `{pattern}` matches nothing; there is: {}", available.join(", "))]
    NoMatch {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// The name or pattern given.
        pattern: String,
        /// The names that would match.
        available: Vec<String>,
    },
    /// A pattern that is not a regular expression, or that uses a feature which only Python has.
    #[error("`{pattern}` is not a supported regular expression: {source}")]
    Pattern {
        /// The pattern given.
        pattern: String,
        /// The problem.
        source: Box<fancy_regex::Error>,
    },
    /// Dropout on the input of a module whose forward never passes through this crate.
    #[error(
        "dropout {dropout} on the input of `{module}` is impossible: it is not one of asym's layers, and an \
         adapter that is composed into the weight never sees the input; set dropout to 0 or use `AdaptedLinear` or \
         `AdaptedConv2d` there"
    )]
    DropoutOnDense {
        /// Name of the module.
        module: String,
        /// The probability asked for.
        dropout: f64,
    },
    /// The pre-trained weight of a module, or what it reads, has no singular value decomposition.
    #[error(
        "`{module}`: the singular vectors of its weight or input do not exist: there are values that are not finite"
    )]
    NoSvd {
        /// Name of the module.
        module: String,
    },
    /// A factor that is initialized from a layer's inputs, although no inputs were observed.
    #[error(
        "`{module}`: its factor A starts from what the layer reads (`input-svd`), and no input was seen: attach with \
         `attach_observed` and let a batch pass; only an `AdaptedLinear` shows its input"
    )]
    Unobserved {
        /// Name of the module.
        module: String,
    },
    /// A factor that starts from what a layer reads, where that is too little.
    #[error("`{module}` read {rows} rows: {rank} directions of its input want at least as many; pass more batches")]
    FewRows {
        /// Name of the module.
        module: String,
        /// The rows that were seen.
        rows: usize,
        /// The rank.
        rank: usize,
    },
    /// A folder whose method learns no factors A and B for each weight.
    #[error("{}: {method} has no factors A and B of each weight's own to be read", path.display())]
    NoFactors {
        /// The folder.
        path: PathBuf,
        /// The method.
        method: String,
    },
    /// The model carries adapters already.
    #[error("`{module}` has an adapter already: merge it first, or start from a plain model")]
    AlreadyAdapted {
        /// Name of the first adapted module.
        module: String,
    },
    /// No module of the model has an adapter.
    #[error("the model has no adapter to save: attach one first")]
    NotAdapted,
    /// A file or folder that could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A folder without an adapter in PEFT's format.
    #[error("{}: no adapter here, `{missing}` is missing{hint}", path.display())]
    NoAdapter {
        /// The folder.
        path: PathBuf,
        /// The file that was looked for.
        missing: &'static str,
        /// Advice, if there is any.
        hint: &'static str,
    },
    /// A base model that an adapter names and that is not here.
    #[error(
        "{}: its base model `{name}` is no folder here, neither from where the program runs nor from the adapter's folder: \
         give the base model's folder",
        path.display()
    )]
    BaseModel {
        /// The configuration file.
        path: PathBuf,
        /// The name or path in it.
        name: String,
    },
    /// A configuration that is not JSON or lacks a field.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A safetensors file that cannot be read: truncated, or with a header that lies.
    #[error("{}: not a valid safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: safetensors::SafeTensorError,
    },
    /// A safetensors file that has two tensors of one name.
    #[error("{}: the key `{key}` is there twice; save the adapter again", path.display())]
    RepeatedKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A configuration whose settings are refused.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<AdapterError>,
    },
    /// A field of `adapter_config.json` that this version does not understand.
    #[error("{}: `{field}` is {found}, which is not supported here; supported: {supported}", path.display())]
    UnsupportedField {
        /// The configuration file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Its value, as JSON.
        found: String,
        /// The values that are accepted.
        supported: String,
    },
    /// Tensors that the model needs and the file lacks.
    #[error("{}: missing {}{hint}", path.display(), keys.join(", "))]
    MissingKeys {
        /// The file.
        path: PathBuf,
        /// The keys looked for.
        keys: Vec<String>,
        /// Advice, if there is any.
        hint: &'static str,
    },
    /// Tensors of the file for which the model has no place.
    #[error("{}: unexpected {}; the adapter belongs to another model or other targets", path.display(), keys.join(", "))]
    UnexpectedKeys {
        /// The file.
        path: PathBuf,
        /// The keys left over.
        keys: Vec<String>,
    },
    /// A tensor of another shape than the model's.
    #[error("{}: `{key}` has shape {found:?}, expected {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor's key.
        key: String,
        /// The shape that fits the model.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor of a type that holds no weights.
    #[error("{}: `{key}` has dtype {found}, expected F32, F16, BF16 or F64", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor's key.
        key: String,
        /// The dtype in the file.
        found: String,
    },
    /// A tensor with a value that is not finite.
    #[error("{}: `{key}` holds {found} at index {index}: the file is damaged or its training diverged", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's key.
        key: String,
        /// The first such value.
        found: f32,
        /// Its place in the flattened tensor.
        index: usize,
    },
}
