//! The configuration of Llama, and its format in Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rope::RopeScaling;
use crate::config::{
    CommonFields, ModelConfig, activation, at_least_one, default_labels, divides, few_layers, is_token, positive,
    probabilities, size,
};
use crate::error::{Source, refuse};
use crate::json::JsonObject;
use crate::{Activation, ModelError};

/// The keys of `config.json` in a Llama checkpoint. Keys may be absent, and unknown keys are kept.
///
/// Source: `LlamaConfig` of transformers, 4 and 5, which use different keys for the rotation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys are documented by transformers")]
pub struct HuggingFaceConfig {
    #[serde(flatten)]
    pub common: CommonFields,
    pub vocab_size: Option<usize>,
    pub hidden_size: Option<usize>,
    pub intermediate_size: Option<usize>,
    pub num_hidden_layers: Option<usize>,
    pub num_attention_heads: Option<usize>,
    pub num_key_value_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    pub hidden_act: Option<String>,
    pub max_position_embeddings: Option<usize>,
    pub initializer_range: Option<f64>,
    pub rms_norm_eps: Option<f64>,
    /// Some files use -1 if there is no padding token.
    pub pad_token_id: Option<i64>,
    pub attention_bias: Option<bool>,
    pub attention_dropout: Option<f64>,
    pub mlp_bias: Option<bool>,
    /// A key of transformers 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// A key of transformers 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<JsonObject>,
    /// A key of transformers 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_parameters: Option<JsonObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_rotary_factor: Option<f64>,
}

/// The configuration of a Llama model, in which every setting has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Width inside the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of heads of the queries.
    pub num_attention_heads: usize,
    /// Number of heads of the keys and values, a divisor of `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of a head, an even number.
    pub head_dim: usize,
    /// Activation of the gate.
    pub activation: Activation,
    /// Maximum length of a sequence in tokens.
    pub max_position_embeddings: usize,
    /// Standard deviation of randomly initialized weights.
    pub initializer_range: f64,
    /// The epsilon that is added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// The base of the rotation's frequencies.
    pub rope_theta: f64,
    /// The scaling of the rotation, if there is one.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the projections of queries, keys, values and the output of attention have biases.
    pub attention_bias: bool,
    /// Dropout on attention probabilities.
    pub attention_dropout: f64,
    /// Whether the feed-forward layer has biases.
    pub mlp_bias: bool,
    /// Whether the head is tied to the word embedding.
    pub tie_word_embeddings: bool,
    /// The padding token, if there is one.
    pub pad_token_id: Option<usize>,
    /// The names of the labels of a classifier.
    pub labels: Vec<String>,
    /// Keys of `config.json` that asym does not use, such as the ids of special tokens.
    pub other: JsonObject,
}

impl LlamaConfig {
    /// A configuration with the defaults of transformers, without grouped heads.
    pub fn new(vocab_size: usize, hidden_size: usize, num_hidden_layers: usize, num_attention_heads: usize) -> Self {
        Self {
            vocab_size,
            hidden_size,
            intermediate_size: 11_008,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads: num_attention_heads,
            head_dim: hidden_size / num_attention_heads.max(1),
            activation: Activation::Silu,
            max_position_embeddings: 2048,
            initializer_range: 0.02,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: None,
            attention_bias: false,
            attention_dropout: 0.0,
            mlp_bias: false,
            tie_word_embeddings: false,
            pad_token_id: None,
            labels: default_labels(2),
            other: JsonObject::new(),
        }
    }
}

impl ModelConfig for LlamaConfig {
    const FAMILY: &'static str = "Llama";

    type File = HuggingFaceConfig;

    fn resolve(file: &HuggingFaceConfig, path: &Path) -> Result<Self, ModelError> {
        file.resolve(path)
    }

    fn validate(&self, path: &Path) -> Result<(), ModelError> {
        at_least_one(
            path,
            &[
                ("vocab_size", self.vocab_size),
                ("hidden_size", self.hidden_size),
                ("intermediate_size", self.intermediate_size),
                ("num_hidden_layers", self.num_hidden_layers),
                ("num_attention_heads", self.num_attention_heads),
                ("num_key_value_heads", self.num_key_value_heads),
                ("head_dim", self.head_dim),
                ("max_position_embeddings", self.max_position_embeddings),
            ],
        )?;
        few_layers(path, "num_hidden_layers", self.num_hidden_layers)?;
        let heads = self.num_attention_heads;
        divides(path, ("num_key_value_heads", self.num_key_value_heads), ("num_attention_heads", heads))?;
        if !self.head_dim.is_multiple_of(2) {
            return Err(refuse(path, "head_dim", "an even number, since features are rotated in pairs", self.head_dim));
        }
        if let Some(pad) = self.pad_token_id {
            is_token(path, "pad_token_id", pad, self.vocab_size)?;
        }
        probabilities(path, &[("attention_dropout", self.attention_dropout)])?;
        positive(
            path,
            &[
                ("rms_norm_eps", self.rms_norm_eps),
                ("initializer_range", self.initializer_range),
                ("rope_theta", self.rope_theta),
            ],
        )
    }

    fn to_hugging_face(&self, architecture: &str, dtype: &str) -> Result<JsonObject, Source> {
        let scaling = RopeScaling::write(self.rope_scaling);
        let mut rope = scaling.clone();
        rope.insert("rope_theta".into(), self.rope_theta.into());
        let mut common = CommonFields::written(
            (architecture, "llama", dtype),
            Some(self.tie_word_embeddings),
            &self.labels,
            &self.other,
        );
        if !architecture.ends_with("ForSequenceClassification") {
            // A language model has no labels.
            (common.id2label, common.label2id) = (None, None);
        }
        JsonObject::of(&HuggingFaceConfig {
            common,
            vocab_size: Some(self.vocab_size),
            hidden_size: Some(self.hidden_size),
            intermediate_size: Some(self.intermediate_size),
            num_hidden_layers: Some(self.num_hidden_layers),
            num_attention_heads: Some(self.num_attention_heads),
            num_key_value_heads: Some(self.num_key_value_heads),
            head_dim: Some(self.head_dim),
            hidden_act: Some(self.activation.name().into()),
            max_position_embeddings: Some(self.max_position_embeddings),
            initializer_range: Some(self.initializer_range),
            rms_norm_eps: Some(self.rms_norm_eps),
            pad_token_id: self.pad_token_id.map(|id| id as i64),
            attention_bias: Some(self.attention_bias),
            attention_dropout: Some(self.attention_dropout),
            mlp_bias: Some(self.mlp_bias),
            // transformers 4 reads the first two keys, and transformers 5 reads `rope_parameters`.
            rope_theta: Some(self.rope_theta),
            rope_scaling: self.rope_scaling.map(|_| JsonObject(scaling)),
            rope_parameters: Some(JsonObject(rope)),
            ..HuggingFaceConfig::default()
        })
    }

    fn initializer_range(&self) -> f64 {
        self.initializer_range
    }

    fn padding_row(&self, name: &str) -> Option<usize> {
        self.pad_token_id.filter(|_| name.ends_with("embed_tokens.weight"))
    }

    crate::config::of_tokens!();
}

impl HuggingFaceConfig {
    /// Create the configuration from a file, with transformers' defaults for absent keys. `path` is used only in messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if a size is missing, or if a setting is not supported.
    pub fn resolve(&self, path: &Path) -> Result<LlamaConfig, ModelError> {
        let hidden_size = size(path, "hidden_size", self.hidden_size)?;
        let heads = size(path, "num_attention_heads", self.num_attention_heads)?;
        at_least_one(path, &[("num_attention_heads", heads)])?;
        // transformers requires this even if `head_dim` is set.
        divides(path, ("num_attention_heads", heads), ("hidden_size", hidden_size))?;
        let default = LlamaConfig::new(
            size(path, "vocab_size", self.vocab_size)?,
            hidden_size,
            size(path, "num_hidden_layers", self.num_hidden_layers)?,
            heads,
        );
        let vocab_size = default.vocab_size;
        let longest = self.max_position_embeddings.unwrap_or(default.max_position_embeddings);
        let (rope_theta, rope_scaling) = self.rotation(path, longest)?;
        let config = LlamaConfig {
            intermediate_size: size(path, "intermediate_size", self.intermediate_size)?,
            num_key_value_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim: self.head_dim.unwrap_or(default.head_dim),
            activation: activation(path, "hidden_act", self.hidden_act.as_deref(), default.activation)?,
            max_position_embeddings: longest,
            initializer_range: self.initializer_range.unwrap_or(default.initializer_range),
            rms_norm_eps: self.rms_norm_eps.unwrap_or(default.rms_norm_eps),
            rope_theta: rope_theta.unwrap_or(default.rope_theta),
            rope_scaling,
            attention_bias: self.attention_bias.unwrap_or(false),
            attention_dropout: self.attention_dropout.unwrap_or(0.0),
            mlp_bias: self.mlp_bias.unwrap_or(false),
            tie_word_embeddings: self.common.tie_word_embeddings.unwrap_or(false),
            // If the id is outside the vocabulary, such as -1, there is no padding token.
            pad_token_id: self.pad_token_id.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < vocab_size),
            labels: self.common.labels(2, path)?,
            other: self.common.other.clone(),
            ..default
        };
        config.validate(path)?;
        Ok(config)
    }

    /// The base of the rotation and its scaling, from the keys of transformers 4 or 5. `longest` is
    /// `max_position_embeddings`.
    fn rotation<'a>(&'a self, path: &Path, longest: usize) -> Result<(Option<f64>, Option<RopeScaling>), ModelError> {
        let (mut theta, mut scaling) = (self.rope_theta, None);
        let original = self.common.other.0.get("original_max_position_embeddings").and_then(Value::as_f64);
        let rotations = [("rope_scaling", &self.rope_scaling), ("rope_parameters", &self.rope_parameters)];
        // The first object that is not empty is used, as in transformers.
        let said = |(key, rotation): (&'static str, &'a Option<JsonObject>)| {
            Some((key, &rotation.as_ref().filter(|rotation| !rotation.is_empty())?.0))
        };
        if let Some((key, rotation)) = rotations.into_iter().find_map(said) {
            scaling = RopeScaling::read(path, (key, rotation), (longest, original))?;
            if let Some(found) = rotation.get("rope_theta") {
                let found = found.as_f64().ok_or_else(|| refuse(path, key, "a number as rope_theta", found))?;
                theta = Some(found);
            }
            partial(path, rotation.get("partial_rotary_factor").and_then(Value::as_f64))?;
        }
        partial(path, self.partial_rotary_factor)?;
        Ok((theta, scaling))
    }
}

/// Refuse a configuration that rotates only a part of each head.
fn partial(path: &Path, factor: Option<f64>) -> Result<(), ModelError> {
    match factor.filter(|factor| *factor != 1.0) {
        Some(found) => Err(refuse(path, "partial_rotary_factor", "1, since asym rotates whole heads", found)),
        None => Ok(()),
    }
}
