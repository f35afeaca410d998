//! The names of BERT's and RoBERTa's parameters in Hugging Face's files, for each family and head.

use asym_core::Naming;

use super::Family;
use crate::KeyTable;

/// The entries that the tables of BERT and RoBERTa share.
const fn shared(family: Family) -> KeyTable {
    KeyTable {
        // Old checkpoints, such as MiniLM's, store these buffers.
        buffers: &["embeddings.position_ids", "embeddings.token_type_ids"],
        base: (family.prefix(), &["embeddings", "encoder", "pooler"]),
        vocabulary: match family {
            Family::Bert => &["bert.embeddings.word_embeddings", "cls.predictions.decoder"],
            Family::DistilBert => &[],
            Family::Roberta | Family::XlmRoberta | Family::Camembert => {
                &["roberta.embeddings.word_embeddings", "lm_head.decoder"]
            }
        },
        // Old checkpoints have TensorFlow's names for the parameters of a LayerNorm.
        renamed: &[("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")],
        ..KeyTable::EMPTY
    }
}

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
    task_head: &["classifier"],
    dropped: &["cls"],
    ..shared(Family::Bert)
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
    task_head: &["classifier"],
    dropped: &["lm_head", "roberta.pooler"],
    ..shared(Family::Roberta)
};

/// `BertForMaskedLM`. Its decoder is tied to the word embedding, unless the configuration unties them.
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
    dropped: &["bert.pooler", "cls.seq_relationship", "classifier"],
    tied: &[
        ("bert.embeddings.word_embeddings.weight", &["cls.predictions.decoder.weight"]),
        ("cls.predictions.bias", &["cls.predictions.decoder.bias"]),
    ],
    // Files of transformers 4 contain the bias only once.
    instead: &[("cls.predictions.decoder.bias", "cls.predictions.bias")],
    ..shared(Family::Bert)
};

/// `RobertaForMaskedLM`. Its decoder is tied to the word embedding, unless the configuration unties them.
pub const ROBERTA_MASKED_LM: KeyTable = KeyTable {
    architecture: "RobertaForMaskedLM",
    naming: Naming(&[
        ("backbone", "roberta"),
        ("self_attention", "self"),
        // This is the only norm with a name in snake case.
        ("lm_head.layer_norm", "lm_head.layer_norm"),
        ("layer_norm", "LayerNorm"),
    ]),
    head: &["lm_head"],
    dropped: &["roberta.pooler", "classifier"],
    tied: &[
        ("roberta.embeddings.word_embeddings.weight", &["lm_head.decoder.weight"]),
        ("lm_head.bias", &["lm_head.decoder.bias"]),
    ],
    instead: &[("lm_head.decoder.bias", "lm_head.bias")],
    ..shared(Family::Roberta)
};

/// The table of a family that shares RoBERTa's architecture, with the name of its class.
const fn called(architecture: &'static str, table: KeyTable) -> KeyTable {
    KeyTable { architecture, ..table }
}

/// `XLMRobertaForSequenceClassification`.
pub const XLM_ROBERTA_CLASSIFIER: KeyTable = called("XLMRobertaForSequenceClassification", ROBERTA_CLASSIFIER);

/// `XLMRobertaForMaskedLM`.
pub const XLM_ROBERTA_MASKED_LM: KeyTable = called("XLMRobertaForMaskedLM", ROBERTA_MASKED_LM);

/// `CamembertForSequenceClassification`.
pub const CAMEMBERT_CLASSIFIER: KeyTable = called("CamembertForSequenceClassification", ROBERTA_CLASSIFIER);

/// `CamembertForMaskedLM`.
pub const CAMEMBERT_MASKED_LM: KeyTable = called("CamembertForMaskedLM", ROBERTA_MASKED_LM);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_renamed_as_in_transformers() {
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
