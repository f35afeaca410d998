//! Errors of adapters. The messages describe how to correct them.

use std::path::PathBuf;

/// An error of this crate. Each variant contains the location, the expected value and the found value, as far as they apply.
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
        /// The requested rank.
        rank: usize,
        /// Input features of the module.
        d_input: usize,
        /// Output features of the module.
        d_output: usize,
    },
    /// A rank in the configuration of an adapter that is larger than every dimension of its factors.
    #[error(
        "rank {rank} of `{module}` in adapter_config.json is larger than every dimension of the factors in the file \
         (the largest is {most}); the two files do not belong together"
    )]
    LoadedRank {
        /// Name of the adapted module.
        module: String,
        /// The rank in the configuration.
        rank: usize,
        /// The largest dimension of a factor in the file.
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
    #[error("`{field}` conflicts with the other settings: {reason}")]
    Conflict {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// The reason, and how to correct the settings.
        reason: &'static str,
    },
    /// A layer that the method cannot adapt.
    #[error("{method} adapts only linear layers, but `{module}` is {found}: remove it from the targets, or use LoRA")]
    Layer {
        /// Name of the module.
        module: String,
        /// The method.
        method: &'static str,
        /// The kind of the module.
        found: crate::layout::Layer,
    },
    /// A factor for the output of a module whose bias is not accessible to this crate.
    #[error(
        "(IA)³ cannot scale the bias of `{module}`: the module is not an `AdaptedLinear`, so only its weight is \
         adapted; use `AdaptedLinear` for it"
    )]
    BiasOnDense {
        /// Name of the module.
        module: String,
    },
    /// A pattern of pruned ranks whose length differs from the initial rank.
    #[error("`rank_pattern` has {found} values for `{module}`, but the initial rank is {expected}")]
    RankPattern {
        /// Name of the module.
        module: String,
        /// Length of the pattern.
        found: usize,
        /// The initial rank.
        expected: usize,
    },
    /// A setting that excludes all targets.
    #[error("{field} {setting} excludes all {targets} layers that the targets match")]
    NothingLeft {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// Its value.
        setting: String,
        /// The number of layers before the setting was applied.
        targets: usize,
    },
    /// A name or pattern of targets or other modules that matches nothing in the model.
    #[error("{field} `{pattern}` matches nothing; available names: {}", available.join(", "))]
    NoMatch {
        /// The field of [`AdapterConfig`](crate::AdapterConfig).
        field: &'static str,
        /// The name or pattern.
        pattern: String,
        /// The names that would match.
        available: Vec<String>,
    },
    /// A pattern that is not a regular expression, or that uses a feature which only Python has.
    #[error("`{pattern}` is not a supported regular expression: {source}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The problem.
        source: Box<fancy_regex::Error>,
    },
    /// Dropout on the input of a module whose forward pass is not implemented in this crate.
    #[error(
        "dropout {dropout} on the input of `{module}` is impossible: the module is not one of asym's layers, so the \
         adapter has no access to its input; set dropout to 0, or use `AdaptedLinear` or `AdaptedConv2d` for it"
    )]
    DropoutOnDense {
        /// Name of the module.
        module: String,
        /// The requested probability.
        dropout: f64,
    },
    /// The singular value decomposition of a weight, of the moment of an input or of a factor failed.
    #[error(
        "`{module}`: the weight, the input or a factor has no singular vectors, because some of its values are not finite"
    )]
    NoSvd {
        /// Name of the module.
        module: String,
    },
    /// A factor that is initialized from a layer's inputs, although no inputs were observed.
    #[error(
        "`{module}`: factor A is initialized from the inputs of the layer (`input-svd`), but no input was observed: \
         call `attach_observed` and run a batch; only the input of an `AdaptedLinear` can be observed"
    )]
    Unobserved {
        /// Name of the module.
        module: String,
    },
    /// A factor that is initialized from a layer's inputs, although the layer received fewer rows than the rank.
    #[error("`{module}` received {rows} input rows, but its rank is {rank}; run more batches")]
    FewRows {
        /// Name of the module.
        module: String,
        /// The number of rows that were observed.
        rows: usize,
        /// The rank.
        rank: usize,
    },
    /// A folder whose method has no factors A and B for each weight.
    #[error("{}: {method} has no separate factors A and B for each weight", path.display())]
    NoFactors {
        /// The folder.
        path: PathBuf,
        /// The method.
        method: String,
    },
    /// The model already has adapters.
    #[error("`{module}` already has an adapter: merge it first, or start from a model without adapters")]
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
    #[error("{}: not an adapter, because `{missing}` is missing{hint}", path.display())]
    NoAdapter {
        /// The folder.
        path: PathBuf,
        /// The missing file.
        missing: &'static str,
        /// Advice, if there is any.
        hint: &'static str,
    },
    /// The base model of an adapter is not a local folder.
    #[error(
        "{}: the base model `{name}` is not a folder, relative to the working directory or to the adapter's folder: \
         specify the folder of the base model",
        path.display()
    )]
    BaseModel {
        /// The configuration file.
        path: PathBuf,
        /// The name or path of the base model in this file.
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
    /// A safetensors file that cannot be read, because it is truncated or has an invalid header.
    #[error("{}: not a valid safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: safetensors::SafeTensorError,
    },
    /// A safetensors file that has two tensors with the same name.
    #[error("{}: the key `{key}` appears twice; save the adapter again", path.display())]
    RepeatedKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A configuration with invalid settings.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<AdapterError>,
    },
    /// A field of `adapter_config.json` that is unknown, or whose value is not supported.
    #[error("{}: `{field}` is {found}, which is not supported; supported: {supported}", path.display())]
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
    /// Tensors that the model needs and that are missing in the file.
    #[error("{}: missing {}{hint}", path.display(), keys.join(", "))]
    MissingKeys {
        /// The file.
        path: PathBuf,
        /// The missing keys.
        keys: Vec<String>,
        /// Advice, if there is any.
        hint: &'static str,
    },
    /// Tensors of the file that do not belong to the model.
    #[error("{}: unexpected {}; the adapter belongs to another model or other targets", path.display(), keys.join(", "))]
    UnexpectedKeys {
        /// The file.
        path: PathBuf,
        /// The unexpected keys.
        keys: Vec<String>,
    },
    /// A tensor whose shape differs from the shape in the model.
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
    /// A tensor with an unsupported dtype.
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
    #[error("{}: `{key}` contains {found} at index {index}: the file is damaged, or the training diverged", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's key.
        key: String,
        /// The first such value.
        found: f32,
        /// Its index in the flattened tensor.
        index: usize,
    },
}
