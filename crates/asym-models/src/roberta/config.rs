//! The configuration of BERT and RoBERTa, and its format in Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::distilbert;
use crate::config::{
    CommonFields, ModelConfig, activation, at_least_one, default_labels, divides, few_layers, is_token, positive,
    probabilities, quoted, size,
};
use crate::error::{Source, refuse};
use crate::json::JsonObject;
use crate::{Activation, ModelError};

/// The keys of `config.json` in a BERT or RoBERTa checkpoint. Keys may be absent, and unknown keys are kept.
///
/// Source: `BertConfig` and `RobertaConfig` of transformers, 4 and 5.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys are documented by transformers")]
pub struct HuggingFaceConfig {
    #[serde(flatten)]
    pub common: CommonFields,
    pub vocab_size: Option<usize>,
    pub hidden_size: Option<usize>,
    pub num_hidden_layers: Option<usize>,
    pub num_attention_heads: Option<usize>,
    pub intermediate_size: Option<usize>,
    pub hidden_act: Option<String>,
    pub hidden_dropout_prob: Option<f64>,
    pub attention_probs_dropout_prob: Option<f64>,
    pub classifier_dropout: Option<f64>,
    pub max_position_embeddings: Option<usize>,
    pub type_vocab_size: Option<usize>,
    pub layer_norm_eps: Option<f64>,
    pub initializer_range: Option<f64>,
    /// Some files use -1 if there is no padding token.
    pub pad_token_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_embedding_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_decoder: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_cross_attention: Option<bool>,
}

/// The families that share this encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// BERT (Devlin et al., 2019).
    Bert,
    /// RoBERTa (Liu et al., 2019).
    Roberta,
    /// XLM-RoBERTa: RoBERTa's architecture with a multilingual vocabulary (Conneau et al., 2020).
    XlmRoberta,
    /// CamemBERT: RoBERTa's architecture with a French vocabulary (Martin et al., 2020).
    Camembert,
    /// DistilBERT: BERT with fewer blocks and without token types and pooler (Sanh et al., 2019).
    DistilBert,
}

impl Family {
    /// `model_type` in `config.json`.
    pub const fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Camembert => "camembert",
            Self::DistilBert => "distilbert",
        }
    }

    /// The prefix of the encoder's keys in a checkpoint.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta | Self::XlmRoberta | Self::Camembert => "roberta",
            Self::DistilBert => "distilbert",
        }
    }

    /// Whether positions count only the tokens that are not padding, and the heads are those of RoBERTa.
    pub const fn is_roberta(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta | Self::Camembert)
    }
}

/// The configuration of an encoder, in which every setting has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// The family, which determines position ids, heads and the names of parameters.
    pub family: Family,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward layer.
    pub intermediate_size: usize,
    /// Activation of the feed-forward layer and of BERT's masked-LM head.
    pub activation: Activation,
    /// Dropout on embeddings and on each sublayer's output.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// Dropout in the classification head. If it is `None`, `hidden_dropout_prob` is used.
    pub classifier_dropout: Option<f64>,
    /// Number of rows of the position table. RoBERTa reserves `pad_token_id + 1` of them; see [`max_length`](Self::max_length).
    pub max_position_embeddings: usize,
    /// Number of token types.
    pub type_vocab_size: usize,
    /// The epsilon that is added to the variance in LayerNorm.
    pub layer_norm_eps: f64,
    /// Standard deviation of randomly initialized weights.
    pub initializer_range: f64,
    /// The padding token.
    pub pad_token_id: usize,
    /// Whether the decoder of the masked-LM head is tied to the word embedding.
    pub tie_word_embeddings: bool,
    /// The names of the labels of a classifier, in the order of its logits.
    pub labels: Vec<String>,
    /// Keys of `config.json` that asym does not use, such as the ids of special tokens.
    pub other: JsonObject,
}

impl EncoderConfig {
    /// Create a configuration with the defaults of transformers. The intermediate size is four times the hidden size,
    /// dropout is 0.1, and there are two labels.
    ///
    /// The attention heads have a width of 64, as in both papers. If 64 does not divide `hidden_size`, there is one
    /// head.
    pub fn new(family: Family, vocab_size: usize, hidden_size: usize, num_hidden_layers: usize) -> Self {
        let (max_position_embeddings, type_vocab_size, layer_norm_eps, pad_token_id) = match family {
            Family::Bert => (512, 2, 1e-12, 0),
            Family::Roberta | Family::XlmRoberta | Family::Camembert => (514, 1, 1e-5, 1),
            Family::DistilBert => (512, 0, 1e-12, 0),
        };
        Self {
            family,
            vocab_size,
            hidden_size,
            num_hidden_layers,
            num_attention_heads: if hidden_size.is_multiple_of(64) { hidden_size / 64 } else { 1 },
            intermediate_size: hidden_size * 4,
            activation: Activation::Gelu,
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            classifier_dropout: None,
            max_position_embeddings,
            type_vocab_size,
            layer_norm_eps,
            initializer_range: 0.02,
            pad_token_id,
            tie_word_embeddings: true,
            labels: default_labels(2),
            other: JsonObject::new(),
        }
    }

    /// Number of labels of a classifier.
    pub fn num_labels(&self) -> usize {
        self.labels.len()
    }

    /// The maximum length of a sequence in tokens. RoBERTa does not count padding.
    pub fn max_length(&self) -> usize {
        match self.family {
            Family::Bert | Family::DistilBert => self.max_position_embeddings,
            // Positions count from `pad_token_id + 1`.
            Family::Roberta | Family::XlmRoberta | Family::Camembert => {
                self.max_position_embeddings.saturating_sub(self.pad_token_id + 1)
            }
        }
    }
}

impl ModelConfig for EncoderConfig {
    const FAMILY: &'static str = "BERT, DistilBERT, RoBERTa, XLM-RoBERTa or CamemBERT";

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
                ("num_hidden_layers", self.num_hidden_layers),
                ("num_attention_heads", self.num_attention_heads),
                ("intermediate_size", self.intermediate_size),
                ("max_position_embeddings", self.max_position_embeddings),
                // DistilBERT has no token types.
                ("type_vocab_size", self.type_vocab_size.max(usize::from(self.family == Family::DistilBert))),
                ("id2label", self.num_labels()),
            ],
        )?;
        few_layers(path, "num_hidden_layers", self.num_hidden_layers)?;
        divides(path, ("num_attention_heads", self.num_attention_heads), ("hidden_size", self.hidden_size))?;
        is_token(path, "pad_token_id", self.pad_token_id, self.vocab_size)?;
        if self.max_length() == 0 {
            let expected = format!("more than pad_token_id + 1 = {}", self.pad_token_id + 1);
            return Err(refuse(path, "max_position_embeddings", expected, self.max_position_embeddings));
        }
        probabilities(
            path,
            &[
                ("hidden_dropout_prob", self.hidden_dropout_prob),
                ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
                ("classifier_dropout", self.classifier_dropout.unwrap_or(0.0)),
            ],
        )?;
        positive(path, &[("layer_norm_eps", self.layer_norm_eps), ("initializer_range", self.initializer_range)])
    }

    fn to_hugging_face(&self, architecture: &str, dtype: &str) -> Result<JsonObject, Source> {
        let common = CommonFields::written(
            (architecture, self.family.model_type(), dtype),
            Some(self.tie_word_embeddings),
            &self.labels,
            &self.other,
        );
        if self.family == Family::DistilBert {
            return write_distilbert(self, common);
        }
        JsonObject::of(&HuggingFaceConfig {
            common,
            vocab_size: Some(self.vocab_size),
            hidden_size: Some(self.hidden_size),
            num_hidden_layers: Some(self.num_hidden_layers),
            num_attention_heads: Some(self.num_attention_heads),
            intermediate_size: Some(self.intermediate_size),
            hidden_act: Some(self.activation.name().into()),
            hidden_dropout_prob: Some(self.hidden_dropout_prob),
            attention_probs_dropout_prob: Some(self.attention_probs_dropout_prob),
            classifier_dropout: self.classifier_dropout,
            max_position_embeddings: Some(self.max_position_embeddings),
            type_vocab_size: Some(self.type_vocab_size),
            layer_norm_eps: Some(self.layer_norm_eps),
            initializer_range: Some(self.initializer_range),
            pad_token_id: Some(self.pad_token_id as i64),
            position_embedding_type: Some("absolute".into()),
            ..HuggingFaceConfig::default()
        })
    }

    fn initializer_range(&self) -> f64 {
        self.initializer_range
    }

    fn padding_row(&self, name: &str) -> Option<usize> {
        let padded = name.ends_with("word_embeddings.weight")
            || (self.family.is_roberta() && name.ends_with("position_embeddings.weight"));
        padded.then_some(self.pad_token_id)
    }

    crate::config::of_tokens!();
}

impl HuggingFaceConfig {
    /// The padding token. BERT masks padding and does not depend on its id, so an id outside the vocabulary, such as -1,
    /// is replaced by 0. RoBERTa counts positions from the id.
    fn pad(&self, defaults: &EncoderConfig, path: &Path) -> Result<usize, ModelError> {
        let Some(found) = self.pad_token_id else { return Ok(defaults.pad_token_id) };
        match usize::try_from(found) {
            Ok(id) if id < defaults.vocab_size => Ok(id),
            _ if !defaults.family.is_roberta() => Ok(0),
            Ok(id) => Ok(id),
            Err(_) => Err(refuse(path, "pad_token_id", "a token id, from which RoBERTa counts positions", found)),
        }
    }

    /// Create the configuration from a file, with transformers' defaults for absent keys. `path` is used only in
    /// messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if a size is missing, or if a setting is not supported.
    pub fn resolve(&self, path: &Path) -> Result<EncoderConfig, ModelError> {
        let family = match self.common.model_type.as_deref() {
            Some("bert") => Family::Bert,
            Some("roberta") => Family::Roberta,
            Some("xlm-roberta") => Family::XlmRoberta,
            Some("camembert") => Family::Camembert,
            Some("distilbert") => {
                let sizes = (self.vocab_size, self.max_position_embeddings, self.initializer_range);
                let config = resolve_distilbert(&self.common, sizes, self.pad_token_id, path)?;
                config.validate(path)?;
                return Ok(config);
            }
            other => {
                let expected = "`bert`, `roberta`, `xlm-roberta`, `camembert` or `distilbert`";
                return Err(refuse(path, "model_type", expected, quoted(other)));
            }
        };
        let activation = activation(path, "hidden_act", self.hidden_act.as_deref(), Activation::Gelu)?;
        if !matches!(self.position_embedding_type.as_deref(), None | Some("absolute")) {
            let found = quoted(self.position_embedding_type.as_deref());
            return Err(refuse(path, "position_embedding_type", "`absolute`", found));
        }
        for (key, value) in [("is_decoder", self.is_decoder), ("add_cross_attention", self.add_cross_attention)] {
            if value == Some(true) {
                return Err(refuse(path, key, "`false`, since asym supports only encoders", "`true`"));
            }
        }
        let defaults = EncoderConfig::new(
            family,
            size(path, "vocab_size", self.vocab_size)?,
            size(path, "hidden_size", self.hidden_size)?,
            size(path, "num_hidden_layers", self.num_hidden_layers)?,
        );
        let config = EncoderConfig {
            num_attention_heads: size(path, "num_attention_heads", self.num_attention_heads)?,
            intermediate_size: size(path, "intermediate_size", self.intermediate_size)?,
            activation,
            hidden_dropout_prob: self.hidden_dropout_prob.unwrap_or(0.1),
            attention_probs_dropout_prob: self.attention_probs_dropout_prob.unwrap_or(0.1),
            classifier_dropout: self.classifier_dropout,
            // These three defaults are the same in `BertConfig` and `RobertaConfig` of transformers. Published RoBERTa
            // checkpoints have other values.
            max_position_embeddings: self.max_position_embeddings.unwrap_or(512),
            type_vocab_size: self.type_vocab_size.unwrap_or(2),
            layer_norm_eps: self.layer_norm_eps.unwrap_or(1e-12),
            initializer_range: self.initializer_range.unwrap_or(0.02),
            pad_token_id: self.pad(&defaults, path)?,
            tie_word_embeddings: self.common.tie_word_embeddings.unwrap_or(true),
            labels: self.common.labels(2, path)?,
            other: self.common.other.clone(),
            ..defaults
        };
        config.validate(path)?;
        Ok(config)
    }
}

/// The configuration of DistilBERT, with transformers' defaults for absent keys. `common` are the keys that it shares
/// with other families. A `pad_token_id` outside the vocabulary is replaced by 0.
fn resolve_distilbert(
    common: &CommonFields,
    (vocab_size, positions, range): (Option<usize>, Option<usize>, Option<f64>),
    pad_token_id: Option<i64>,
    path: &Path,
) -> Result<EncoderConfig, ModelError> {
    let json = |source: serde_json::Error| ModelError::Json { path: path.into(), source: source.into() };
    let fields: distilbert::Fields = serde_json::from_value(Value::Object(common.other.0.clone())).map_err(json)?;
    let vocab_size = size(path, "vocab_size", vocab_size)?;
    let defaults = EncoderConfig::new(
        Family::DistilBert,
        vocab_size,
        size(path, "dim", fields.dim)?,
        size(path, "n_layers", fields.n_layers)?,
    );
    let mut other = common.other.clone();
    distilbert::OWN.iter().for_each(|key| drop(other.0.remove(*key)));
    Ok(EncoderConfig {
        num_attention_heads: size(path, "n_heads", fields.n_heads)?,
        intermediate_size: size(path, "hidden_dim", fields.hidden_dim)?,
        activation: activation(path, "activation", fields.activation.as_deref(), Activation::Gelu)?,
        hidden_dropout_prob: fields.dropout.unwrap_or(0.1),
        attention_probs_dropout_prob: fields.attention_dropout.unwrap_or(0.1),
        classifier_dropout: Some(fields.seq_classif_dropout.unwrap_or(0.2)),
        max_position_embeddings: positions.unwrap_or(512),
        initializer_range: range.unwrap_or(0.02),
        pad_token_id: pad_token_id.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < vocab_size).unwrap_or(0),
        tie_word_embeddings: common.tie_word_embeddings.unwrap_or(true),
        labels: common.labels(2, path)?,
        other,
        ..defaults
    })
}

/// Convert the configuration to the JSON of DistilBERT's `config.json`.
fn write_distilbert(config: &EncoderConfig, common: CommonFields) -> Result<JsonObject, Source> {
    let fields = distilbert::Fields {
        vocab_size: Some(config.vocab_size),
        dim: Some(config.hidden_size),
        hidden_dim: Some(config.intermediate_size),
        n_layers: Some(config.num_hidden_layers),
        n_heads: Some(config.num_attention_heads),
        max_position_embeddings: Some(config.max_position_embeddings),
        activation: Some(config.activation.name().into()),
        dropout: Some(config.hidden_dropout_prob),
        attention_dropout: Some(config.attention_probs_dropout_prob),
        seq_classif_dropout: config.classifier_dropout,
        initializer_range: Some(config.initializer_range),
        pad_token_id: Some(config.pad_token_id as i64),
    };
    let mut both: Map<String, Value> = Map::new();
    for value in [serde_json::to_value(common)?, serde_json::to_value(fields)?] {
        both.extend(value.as_object().cloned().unwrap_or_default());
    }
    Ok(JsonObject(both))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::InFamily;

    const MINIMAL: &str = r#"{"model_type": "roberta", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "an_unknown_key": [1]"#;

    fn parse(rest: &str) -> Result<EncoderConfig, ModelError> {
        EncoderConfig::parse(&format!("{MINIMAL}{rest}}}"), Path::new("config.json"))
    }

    #[test]
    fn missing_keys_use_the_defaults_of_transformers() {
        let config = parse("").unwrap();
        assert_eq!((config.pad_token_id, config.num_labels(), config.layer_norm_eps), (1, 2, 1e-12));
        assert_eq!((config.max_position_embeddings, config.max_length()), (512, 510));
    }

    #[test]
    fn configurations_survive_a_round_trip() {
        let config = EncoderConfig::new(Family::Bert, 100, 128, 2);
        let config = config.with_num_labels(12, Path::new("config.json")).unwrap();
        let value = config.to_hugging_face("BertForSequenceClassification", "float32").unwrap();
        assert_eq!(EncoderConfig::parse(&value.to_string(), Path::new("config.json")).unwrap(), config);
    }

    #[test]
    fn unsupported_keys_are_named() {
        let cases = [
            (r#", "hidden_act": "mish""#, "`hidden_act`: expected `gelu`"),
            (r#", "position_embedding_type": "relative_key""#, "`position_embedding_type`"),
            (r#", "is_decoder": true"#, "`is_decoder`"),
            (r#", "hidden_dropout_prob": 1.5"#, "`hidden_dropout_prob`"),
            (r#", "pad_token_id": 10"#, "`pad_token_id`: expected an id below vocab_size 10, found 10"),
            (r#", "id2label": {"0": "no", "2": "yes"}"#, "`id2label`: expected the ids 0 to 1, found `0`, `2`"),
            (r#", "num_labels": 3, "id2label": {"0": "no"}"#, "`num_labels`: expected 1 as in id2label, found 3"),
            (r#", "num_labels": 0"#, "`id2label`: expected at least one, found 0"),
            (r#", "max_position_embeddings": 2"#, "`max_position_embeddings`"),
            (r#", "layer_norm_eps": -1"#, "`layer_norm_eps`"),
        ];
        for (rest, message) in cases {
            let error = parse(rest).unwrap_err().to_string();
            assert!(error.starts_with("config.json: ") && error.contains(message), "{error}");
        }
        let replaced = [
            (
                "\"roberta\"",
                "\"llama\"",
                "`model_type`: expected `bert`, `roberta`, `xlm-roberta`, `camembert` or `distilbert`, found `llama`",
            ),
            ("\"num_attention_heads\": 2", "\"num_attention_heads\": 3", "a divisor of hidden_size 8, found 3"),
            ("\"vocab_size\": 10,", "", "`vocab_size`: expected a size, found nothing"),
            ("\"hidden_size\": 8", "\"hidden_size\": 0", "`hidden_size`: expected at least one, found 0"),
            ("\"hidden_size\": 8", "\"hidden_size\": -8", "line 1 column"),
        ];
        for (from, to, message) in replaced {
            let text = format!("{}}}", MINIMAL.replace(from, to));
            let error = EncoderConfig::parse(&text, Path::new("config.json")).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
