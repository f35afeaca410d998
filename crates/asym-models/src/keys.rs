//! What Hugging Face's files call the parameters, per family and head: each table is the whole truth about one kind of
//! checkpoint.

use asym_core::Naming;

use crate::Family;

/// How one model class of transformers is stored.
#[derive(Debug, Clone, Copy)]
pub struct KeyTable {
    /// The class in `architectures`.
    pub architecture: &'static str,
    /// Burn's paths and what files call them, where the two differ.
    pub naming: Naming,
    /// Modules that a checkpoint of another task lacks: each is initialised where it is absent as a whole.
    pub head: &'static [&'static str],
    /// Modules that checkpoints of other tasks carry and this model has no use for.
    pub dropped: &'static [&'static str],
}

/// Buffers that are not parameters: old checkpoints, MiniLM's among them, store the numbers 0 to n - 1.
pub(crate) const DROPPED_BUFFERS: &[&str] = &["embeddings.position_ids", "embeddings.token_type_ids"];

/// Modules of the encoder, which checkpoints of the bare encoder store without the family's prefix.
pub(crate) const ENCODER_MODULES: &[&str] = &["embeddings", "encoder", "pooler"];

/// What TensorFlow called a LayerNorm's parameters, in old checkpoints.
pub(crate) const OLD_NORM_NAMES: &[(&str, &str)] =
    &[("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")];

/// `BertForSequenceClassification`.
pub const BERT_CLASSIFIER: KeyTable = KeyTable {
    architecture: "BertForSequenceClassification",
    naming: Naming(&[
        ("backbone", "bert"),
        ("self_attention", "self"),
        ("layer_norm", "LayerNorm"),
        ("head.Bert.pooler", "bert.pooler.dense"),
        ("head.Bert.classifier", "classifier"),
    ]),
    head: &["bert.pooler", "classifier"],
    dropped: &["cls"],
};

/// `RobertaForSequenceClassification`.
pub const ROBERTA_CLASSIFIER: KeyTable = KeyTable {
    architecture: "RobertaForSequenceClassification",
    naming: Naming(&[
        ("backbone", "roberta"),
        ("self_attention", "self"),
        ("layer_norm", "LayerNorm"),
        ("head.Roberta", "classifier"),
    ]),
    head: &["classifier"],
    dropped: &["lm_head", "roberta.pooler"],
};

/// `BertForMaskedLM`; its decoder is the word embedding and is not loaded twice.
pub const BERT_MASKED_LM: KeyTable = KeyTable {
    architecture: "BertForMaskedLM",
    naming: Naming(&[
        ("backbone", "bert"),
        ("self_attention", "self"),
        ("lm_head.dense", "cls.predictions.transform.dense"),
        ("lm_head.layer_norm", "cls.predictions.transform.LayerNorm"),
        ("lm_head", "cls.predictions"),
        ("layer_norm", "LayerNorm"),
    ]),
    head: &["cls.predictions"],
    dropped: &["bert.pooler", "cls.seq_relationship", "cls.predictions.decoder", "classifier"],
};

/// `RobertaForMaskedLM`; its decoder is the word embedding and is not loaded twice.
pub const ROBERTA_MASKED_LM: KeyTable = KeyTable {
    architecture: "RobertaForMaskedLM",
    naming: Naming(&[
        ("backbone", "roberta"),
        ("self_attention", "self"),
        // This one norm is spelled as in Python's style guide.
        ("lm_head.layer_norm", "lm_head.layer_norm"),
        ("layer_norm", "LayerNorm"),
    ]),
    head: &["lm_head"],
    dropped: &["roberta.pooler", "lm_head.decoder", "classifier"],
};

impl KeyTable {
    /// The table of a sequence classifier.
    pub const fn classifier(family: Family) -> &'static Self {
        match family {
            Family::Bert => &BERT_CLASSIFIER,
            Family::Roberta => &ROBERTA_CLASSIFIER,
        }
    }

    /// The table of a masked language model.
    pub const fn masked_lm(family: Family) -> &'static Self {
        match family {
            Family::Bert => &BERT_MASKED_LM,
            Family::Roberta => &ROBERTA_MASKED_LM,
        }
    }
}

/// Whether the tensor `key` is in the module `module`, or is it.
pub(crate) fn within(key: &str, module: &str) -> bool {
    key.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_transformers_writes_them() {
        let cases = [
            (
                BERT_CLASSIFIER,
                "backbone.encoder.layer.0.attention.self_attention.query.weight",
                "bert.encoder.layer.0.attention.self.query.weight",
            ),
            (BERT_CLASSIFIER, "head.Bert.pooler.weight", "bert.pooler.dense.weight"),
            (BERT_CLASSIFIER, "head.Bert.classifier.bias", "classifier.bias"),
            (ROBERTA_CLASSIFIER, "head.Roberta.out_proj.bias", "classifier.out_proj.bias"),
            (
                ROBERTA_MASKED_LM,
                "backbone.encoder.layer.1.attention.output.layer_norm",
                "roberta.encoder.layer.1.attention.output.LayerNorm",
            ),
            (ROBERTA_MASKED_LM, "lm_head.layer_norm", "lm_head.layer_norm"),
            (BERT_MASKED_LM, "lm_head.layer_norm", "cls.predictions.transform.LayerNorm"),
            (BERT_MASKED_LM, "lm_head.bias", "cls.predictions.bias"),
        ];
        for (table, path, name) in cases {
            assert_eq!(table.naming.apply(path), name);
        }
    }
}
