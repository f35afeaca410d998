//! The keys of DistilBERT's `config.json`, which differ from those of BERT, and the names of its parameters.
//!
//! Sources: Sanh et al., 2019 (arXiv:1910.01108); `modeling_distilbert.py` of transformers 5.

use asym_core::Naming;
use serde::{Deserialize, Serialize};

use crate::KeyTable;

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

/// The keys of DistilBERT's `config.json`, without the keys that every family has.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) vocab_size: Option<usize>,
    pub(super) dim: Option<usize>,
    pub(super) hidden_dim: Option<usize>,
    pub(super) n_layers: Option<usize>,
    pub(super) n_heads: Option<usize>,
    pub(super) max_position_embeddings: Option<usize>,
    pub(super) activation: Option<String>,
    pub(super) dropout: Option<f64>,
    pub(super) attention_dropout: Option<f64>,
    pub(super) seq_classif_dropout: Option<f64>,
    pub(super) initializer_range: Option<f64>,
    pub(super) pad_token_id: Option<i64>,
}

/// The keys of [`Fields`] that BERT's configuration does not have.
pub(super) const OWN: [&str; 8] =
    ["dim", "hidden_dim", "n_layers", "n_heads", "activation", "dropout", "attention_dropout", "seq_classif_dropout"];
