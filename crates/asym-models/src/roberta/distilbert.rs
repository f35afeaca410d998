//! DistilBERT's `config.json`, whose keys are not BERT's, and the names of its parameters.
//!
//! Sources: Sanh et al., 2019 (arXiv:1910.01108); `modeling_distilbert.py` of transformers 5.

use std::path::Path;

use asym_core::Naming;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Family;
use super::config::EncoderConfig;
use crate::config::{CommonFields, activation, size};
use crate::{Activation, KeyTable, ModelError};

/// `DistilBertForSequenceClassification`.
pub const DISTILBERT_CLASSIFIER: KeyTable = KeyTable {
    architecture: "DistilBertForSequenceClassification",
    naming: Naming(&[
        ("backbone", "distilbert"),
        ("encoder", "transformer"),
        ("attention.self_attention.query", "attention.q_lin"),
        ("attention.self_attention.key", "attention.k_lin"),
        ("attention.self_attention.value", "attention.v_lin"),
        ("attention.output.dense", "attention.out_lin"),
        ("attention.output.layer_norm", "sa_layer_norm"),
        ("intermediate.dense", "ffn.lin1"),
        ("output.dense", "ffn.lin2"),
        ("output.layer_norm", "output_layer_norm"),
        ("embeddings.layer_norm", "embeddings.LayerNorm"),
        ("head.DistilBert.dense", "pre_classifier"),
        ("head.DistilBert.classifier", "classifier"),
    ]),
    head: &["pre_classifier", "classifier"],
    task_head: &["pre_classifier", "classifier"],
    dropped: &["vocab_transform", "vocab_layer_norm", "vocab_projector"],
    buffers: &["embeddings.position_ids"],
    base: ("distilbert", &["embeddings", "transformer"]),
    vocabulary: &["distilbert.embeddings.word_embeddings"],
    ..KeyTable::EMPTY
};

/// The keys that are DistilBERT's own.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Fields {
    vocab_size: Option<usize>,
    dim: Option<usize>,
    hidden_dim: Option<usize>,
    n_layers: Option<usize>,
    n_heads: Option<usize>,
    max_position_embeddings: Option<usize>,
    activation: Option<String>,
    dropout: Option<f64>,
    attention_dropout: Option<f64>,
    seq_classif_dropout: Option<f64>,
    initializer_range: Option<f64>,
    pad_token_id: Option<i64>,
}

/// The keys of [`Fields`] that BERT's configuration does not have.
const OWN: [&str; 8] =
    ["dim", "hidden_dim", "n_layers", "n_heads", "activation", "dropout", "attention_dropout", "seq_classif_dropout"];

/// The configuration in the text of a file, with transformers' defaults. `common` are its shared keys, and `pad_token_id` is 0 where
/// the file's is no token.
pub(super) fn resolve(
    common: &CommonFields,
    (vocab_size, positions, range): (Option<usize>, Option<usize>, Option<f64>),
    pad_token_id: Option<i64>,
    path: &Path,
) -> Result<EncoderConfig, ModelError> {
    let json = |source| ModelError::Json { path: path.into(), source };
    let fields: Fields = serde_json::from_value(Value::Object(common.other.clone())).map_err(json)?;
    let vocab_size = size(path, "vocab_size", vocab_size)?;
    let defaults = EncoderConfig::new(
        Family::DistilBert,
        vocab_size,
        size(path, "dim", fields.dim)?,
        size(path, "n_layers", fields.n_layers)?,
    );
    let mut other = common.other.clone();
    OWN.iter().for_each(|key| drop(other.remove(*key)));
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

/// The keys of `config.json` for a configuration.
pub(super) fn write(config: &EncoderConfig, common: CommonFields) -> serde_json::Result<Value> {
    let fields = Fields {
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
    Ok(Value::Object(both))
}
