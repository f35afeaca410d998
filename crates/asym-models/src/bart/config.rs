//! The configuration of BART, and its format in Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{
    CommonFields, ModelConfig, activation, at_least_one, default_labels, divides, few_layers, is_token, positive,
    probabilities, size,
};
use crate::error::Source;
use crate::json::JsonObject;
use crate::{Activation, ModelError};

/// The keys of `config.json` in a BART checkpoint. Keys may be absent, and unknown keys are kept.
///
/// Source: `BartConfig` of transformers, 4 and 5.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys are documented by transformers")]
pub struct HuggingFaceConfig {
    #[serde(flatten)]
    pub common: CommonFields,
    pub vocab_size: Option<usize>,
    pub d_model: Option<usize>,
    pub encoder_layers: Option<usize>,
    pub encoder_attention_heads: Option<usize>,
    pub encoder_ffn_dim: Option<usize>,
    pub decoder_layers: Option<usize>,
    pub decoder_attention_heads: Option<usize>,
    pub decoder_ffn_dim: Option<usize>,
    pub max_position_embeddings: Option<usize>,
    pub activation_function: Option<String>,
    pub dropout: Option<f64>,
    pub attention_dropout: Option<f64>,
    pub activation_dropout: Option<f64>,
    pub classifier_dropout: Option<f64>,
    pub encoder_layerdrop: Option<f64>,
    pub decoder_layerdrop: Option<f64>,
    pub init_std: Option<f64>,
    pub scale_embedding: Option<bool>,
    /// Some files use -1 if there is no padding token.
    pub pad_token_id: Option<i64>,
    pub eos_token_id: Option<usize>,
    pub decoder_start_token_id: Option<usize>,
}

/// The blocks of the encoder or the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack {
    /// Number of blocks.
    pub layers: usize,
    /// Number of attention heads, a divisor of `d_model`.
    pub heads: usize,
    /// Width inside the feed-forward layer.
    pub ffn_dim: usize,
}

/// The configuration of a BART model, in which every setting has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct BartConfig {
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub d_model: usize,
    /// The encoder's blocks.
    pub encoder: Stack,
    /// The decoder's blocks.
    pub decoder: Stack,
    /// Maximum length of a sequence in tokens. The position tables have two more rows.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward layers.
    pub activation: Activation,
    /// Dropout on embeddings and on each sublayer's output.
    pub dropout: f64,
    /// Dropout on attention probabilities.
    pub attention_dropout: f64,
    /// Dropout inside the feed-forward layers.
    pub activation_dropout: f64,
    /// Dropout in the classification head.
    pub classifier_dropout: f64,
    /// The probabilities of dropping a block of the encoder and of the decoder in training. asym does not drop blocks and
    /// only keeps the values for the file.
    pub layerdrop: [f64; 2],
    /// Standard deviation of randomly initialized weights.
    pub init_std: f64,
    /// Whether embeddings are multiplied by √d_model.
    pub scale_embedding: bool,
    /// Whether the encoder, the decoder and the head share one word embedding.
    pub tie_word_embeddings: bool,
    /// The padding token.
    pub pad_token_id: usize,
    /// The token that ends a sequence. The classifier uses the state of the last such token.
    pub eos_token_id: usize,
    /// The token that the decoder starts with.
    pub decoder_start_token_id: usize,
    /// The names of the labels of a classifier, in the order of its logits.
    pub labels: Vec<String>,
    /// Keys of `config.json` that asym does not use.
    pub other: JsonObject,
}

impl BartConfig {
    /// A configuration with the defaults of transformers and the same blocks in the encoder and the decoder. The
    /// attention heads have a width of 64. If 64 does not divide `d_model`, there is one head.
    pub fn new(vocab_size: usize, d_model: usize, layers: usize) -> Self {
        let heads = if d_model.is_multiple_of(64) { d_model / 64 } else { 1 };
        let stack = Stack { layers, heads, ffn_dim: 4 * d_model };
        Self {
            vocab_size,
            d_model,
            encoder: stack,
            decoder: stack,
            max_position_embeddings: 1024,
            activation: Activation::Gelu,
            dropout: 0.1,
            attention_dropout: 0.0,
            activation_dropout: 0.0,
            classifier_dropout: 0.0,
            layerdrop: [0.0; 2],
            init_std: 0.02,
            scale_embedding: false,
            tie_word_embeddings: true,
            pad_token_id: 1,
            eos_token_id: 2,
            decoder_start_token_id: 2,
            labels: default_labels(3),
            other: JsonObject::new(),
        }
    }
}

impl ModelConfig for BartConfig {
    const FAMILY: &'static str = "BART";

    type File = HuggingFaceConfig;

    fn resolve(file: &HuggingFaceConfig, path: &Path) -> Result<Self, ModelError> {
        file.resolve(path)
    }

    fn validate(&self, path: &Path) -> Result<(), ModelError> {
        at_least_one(
            path,
            &[
                ("vocab_size", self.vocab_size),
                ("d_model", self.d_model),
                ("encoder_layers", self.encoder.layers),
                ("encoder_attention_heads", self.encoder.heads),
                ("encoder_ffn_dim", self.encoder.ffn_dim),
                ("decoder_layers", self.decoder.layers),
                ("decoder_attention_heads", self.decoder.heads),
                ("decoder_ffn_dim", self.decoder.ffn_dim),
                ("max_position_embeddings", self.max_position_embeddings),
                ("id2label", self.labels.len()),
            ],
        )?;
        few_layers(path, "encoder_layers", self.encoder.layers)?;
        few_layers(path, "decoder_layers", self.decoder.layers)?;
        divides(path, ("encoder_attention_heads", self.encoder.heads), ("d_model", self.d_model))?;
        divides(path, ("decoder_attention_heads", self.decoder.heads), ("d_model", self.d_model))?;
        is_token(path, "pad_token_id", self.pad_token_id, self.vocab_size)?;
        is_token(path, "eos_token_id", self.eos_token_id, self.vocab_size)?;
        is_token(path, "decoder_start_token_id", self.decoder_start_token_id, self.vocab_size)?;
        probabilities(
            path,
            &[
                ("dropout", self.dropout),
                ("attention_dropout", self.attention_dropout),
                ("activation_dropout", self.activation_dropout),
                ("classifier_dropout", self.classifier_dropout),
            ],
        )?;
        positive(path, &[("init_std", self.init_std)])
    }

    fn to_hugging_face(&self, architecture: &str, dtype: &str) -> Result<JsonObject, Source> {
        JsonObject::of(&HuggingFaceConfig {
            common: CommonFields::written(
                (architecture, "bart", dtype),
                Some(self.tie_word_embeddings),
                &self.labels,
                &self.other,
            ),
            vocab_size: Some(self.vocab_size),
            d_model: Some(self.d_model),
            encoder_layers: Some(self.encoder.layers),
            encoder_attention_heads: Some(self.encoder.heads),
            encoder_ffn_dim: Some(self.encoder.ffn_dim),
            decoder_layers: Some(self.decoder.layers),
            decoder_attention_heads: Some(self.decoder.heads),
            decoder_ffn_dim: Some(self.decoder.ffn_dim),
            max_position_embeddings: Some(self.max_position_embeddings),
            activation_function: Some(self.activation.name().into()),
            dropout: Some(self.dropout),
            attention_dropout: Some(self.attention_dropout),
            activation_dropout: Some(self.activation_dropout),
            classifier_dropout: Some(self.classifier_dropout),
            encoder_layerdrop: Some(self.layerdrop[0]),
            decoder_layerdrop: Some(self.layerdrop[1]),
            init_std: Some(self.init_std),
            scale_embedding: Some(self.scale_embedding),
            pad_token_id: Some(self.pad_token_id as i64),
            eos_token_id: Some(self.eos_token_id),
            decoder_start_token_id: Some(self.decoder_start_token_id),
        })
    }

    fn initializer_range(&self) -> f64 {
        self.init_std
    }

    fn padding_row(&self, name: &str) -> Option<usize> {
        (name.ends_with("shared.weight") || name.ends_with("embed_tokens.weight")).then_some(self.pad_token_id)
    }

    crate::config::of_tokens!();
}

impl HuggingFaceConfig {
    /// Create the configuration from a file, with transformers' defaults for absent keys. `path` is used only in messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if a size is missing, or if a setting is not supported.
    pub fn resolve(&self, path: &Path) -> Result<BartConfig, ModelError> {
        let default = BartConfig::new(
            size(path, "vocab_size", self.vocab_size)?,
            size(path, "d_model", self.d_model)?,
            size(path, "encoder_layers", self.encoder_layers)?,
        );
        at_least_one(path, &[("vocab_size", default.vocab_size)])?;
        let pad = self.pad_token_id.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < default.vocab_size);
        let config = BartConfig {
            encoder: Stack {
                layers: default.encoder.layers,
                heads: size(path, "encoder_attention_heads", self.encoder_attention_heads)?,
                ffn_dim: size(path, "encoder_ffn_dim", self.encoder_ffn_dim)?,
            },
            decoder: Stack {
                layers: size(path, "decoder_layers", self.decoder_layers)?,
                heads: size(path, "decoder_attention_heads", self.decoder_attention_heads)?,
                ffn_dim: size(path, "decoder_ffn_dim", self.decoder_ffn_dim)?,
            },
            max_position_embeddings: self.max_position_embeddings.unwrap_or(default.max_position_embeddings),
            activation: activation(
                path,
                "activation_function",
                self.activation_function.as_deref(),
                default.activation,
            )?,
            dropout: self.dropout.unwrap_or(default.dropout),
            attention_dropout: self.attention_dropout.unwrap_or(0.0),
            activation_dropout: self.activation_dropout.unwrap_or(0.0),
            classifier_dropout: self.classifier_dropout.unwrap_or(0.0),
            layerdrop: [self.encoder_layerdrop.unwrap_or(0.0), self.decoder_layerdrop.unwrap_or(0.0)],
            init_std: self.init_std.unwrap_or(default.init_std),
            scale_embedding: self.scale_embedding.unwrap_or(false),
            tie_word_embeddings: self.common.tie_word_embeddings.unwrap_or(true),
            // An id outside the vocabulary is replaced, since padding is masked.
            pad_token_id: pad.unwrap_or(default.pad_token_id.min(default.vocab_size - 1)),
            eos_token_id: self.eos_token_id.unwrap_or(default.eos_token_id),
            decoder_start_token_id: self.decoder_start_token_id.unwrap_or(default.decoder_start_token_id),
            labels: self.common.labels(3, path)?,
            other: self.common.other.clone(),
            ..default
        };
        config.validate(path)?;
        Ok(config)
    }
}
