//! What differs from task to task, as data.
//!
//! The settings are those of the LoRA scripts for RoBERTa-large, which the paper follows; the learning rate of full
//! fine-tuning is RoBERTa's own. Class numbers are those of the Hub's data set, so that a checkpoint fine-tuned there
//! keeps its meaning here.

use super::files::Layout;
use super::{Settings, TaskRow};
use crate::metrics::Metric;
use crate::table::{Answers, Columns};

const fn pair(first: &'static str, second: &'static str, label: &'static str) -> Columns {
    Columns::Named { first, second: Some(second), label: Some(label) }
}

const fn single(first: &'static str, label: &'static str) -> Columns {
    Columns::Named { first, second: None, label: Some(label) }
}

/// One development and one test set, in GLUE's files and in the Hub's.
const fn glue(columns: Columns, tests: Columns) -> Layout {
    Layout::files("train.tsv", &["dev.tsv"], columns, &["test.tsv"], tests)
}

const fn hub(columns: Columns) -> Layout {
    Layout::stems("train", &["validation"], &["test"], columns)
}

const fn paper(epochs: usize, batch_size: usize, learning_rate: f64, max_length: usize) -> Settings {
    Settings { epochs, batch_size, learning_rate, full_learning_rate: 1e-5, weight_decay: 0.1, max_length }
}

/// Files that were copied beside those of other tasks carry this name.
const fn prefixed(columns: Columns, tests: Columns) -> Layout {
    Layout::files("glue_train.tsv", &["glue_dev.tsv"], columns, &["glue_test.tsv"], tests)
}

/// Classes that GLUE's files write by their names.
const fn named(names: &'static [&'static str]) -> Answers {
    Answers::Classes { names, spelt: names }
}

/// Classes that they write as 0 and 1.
const fn binary(names: &'static [&'static str]) -> Answers {
    Answers::Classes { names, spelt: &["0", "1"] }
}

/// Where a seed in three of full fine-tuning stays on a plateau, it gets more passes and a lower rate.
const fn mini(epochs: usize, full_learning_rate: f64) -> Settings {
    Settings { epochs, batch_size: 32, learning_rate: 3e-3, full_learning_rate, weight_decay: 0.01, max_length: 64 }
}

const ENTAILMENT: Answers = named(&["entailment", "not_entailment"]);

/// Source, label, the linguists' mark, sentence.
const COLA_COLUMNS: Columns = Columns::Positional { width: 4, first: 3, label: 1 };

pub(super) const COLA: TaskRow = TaskRow {
    name: "cola",
    title: "CoLA",
    answers: binary(&["unacceptable", "acceptable"]),
    headline: Metric::Matthews,
    further: &[Metric::Accuracy],
    parts: &[""],
    layouts: &[
        glue(COLA_COLUMNS, single("sentence", "label")),
        prefixed(COLA_COLUMNS, single("sentence", "label")),
        hub(single("sentence", "label")),
    ],
    submissions: &["CoLA.tsv"],
    paper: paper(20, 32, 3e-4, 128),
    mini: mini(3, 5e-4),
};

pub(super) const MNLI: TaskRow = TaskRow {
    name: "mnli",
    title: "MNLI",
    answers: named(&["entailment", "neutral", "contradiction"]),
    headline: Metric::Accuracy,
    further: &[],
    parts: &["matched", "mismatched"],
    layouts: &[
        Layout::files(
            "train.tsv",
            &["dev_matched.tsv", "dev_mismatched.tsv"],
            pair("sentence1", "sentence2", "gold_label"),
            &["test_matched.tsv", "test_mismatched.tsv"],
            pair("sentence1", "sentence2", "gold_label"),
        ),
        Layout::stems(
            "train",
            &["validation_matched", "validation_mismatched"],
            &["test_matched", "test_mismatched"],
            pair("premise", "hypothesis", "label"),
        ),
    ],
    submissions: &["MNLI-m.tsv", "MNLI-mm.tsv"],
    paper: paper(10, 32, 3e-4, 128),
    mini: mini(5, 2e-4),
};

const MRPC_COLUMNS: Columns = pair("#1 String", "#2 String", "Quality");

pub(super) const MRPC: TaskRow = TaskRow {
    name: "mrpc",
    title: "MRPC",
    answers: binary(&["not_equivalent", "equivalent"]),
    headline: Metric::Accuracy,
    further: &[Metric::F1],
    parts: &[""],
    layouts: &[
        glue(MRPC_COLUMNS, MRPC_COLUMNS),
        prefixed(MRPC_COLUMNS, MRPC_COLUMNS),
        // The corpus as Microsoft ships it. GLUE's dev set was cut from its training file, so its test file, whose
        // labels are public, is what there is to measure on.
        Layout::files("msr_paraphrase_train.txt", &["msr_paraphrase_test.txt"], MRPC_COLUMNS, &[], MRPC_COLUMNS),
        hub(pair("sentence1", "sentence2", "label")),
    ],
    submissions: &["MRPC.tsv"],
    paper: paper(20, 32, 3e-4, 512),
    mini: mini(3, 5e-4),
};

const QNLI_COLUMNS: Columns = pair("question", "sentence", "label");

pub(super) const QNLI: TaskRow = TaskRow {
    name: "qnli",
    title: "QNLI",
    answers: ENTAILMENT,
    headline: Metric::Accuracy,
    further: &[],
    parts: &[""],
    layouts: &[glue(QNLI_COLUMNS, QNLI_COLUMNS), hub(QNLI_COLUMNS)],
    submissions: &["QNLI.tsv"],
    paper: paper(10, 32, 2e-4, 512),
    mini: mini(5, 2e-4),
};

const QQP_COLUMNS: Columns = pair("question1", "question2", "is_duplicate");

pub(super) const QQP: TaskRow = TaskRow {
    name: "qqp",
    title: "QQP",
    answers: binary(&["not_duplicate", "duplicate"]),
    headline: Metric::Accuracy,
    further: &[Metric::F1],
    parts: &[""],
    layouts: &[
        // GLUE's own training file has a few rows that are cut short; whoever reads it leaves them out.
        glue(QQP_COLUMNS, QQP_COLUMNS).skip_short_rows(),
        hub(pair("question1", "question2", "label")),
    ],
    submissions: &["QQP.tsv"],
    paper: paper(20, 32, 3e-4, 512),
    mini: mini(3, 5e-4),
};

const RTE_COLUMNS: Columns = pair("sentence1", "sentence2", "label");

pub(super) const RTE: TaskRow = TaskRow {
    name: "rte",
    title: "RTE",
    answers: ENTAILMENT,
    headline: Metric::Accuracy,
    further: &[],
    parts: &[""],
    layouts: &[glue(RTE_COLUMNS, RTE_COLUMNS), hub(RTE_COLUMNS)],
    submissions: &["RTE.tsv"],
    paper: paper(20, 64, 4e-4, 512),
    mini: mini(3, 5e-4),
};

const SST2_COLUMNS: Columns = single("sentence", "label");

pub(super) const SST2: TaskRow = TaskRow {
    name: "sst2",
    title: "SST-2",
    answers: binary(&["negative", "positive"]),
    headline: Metric::Accuracy,
    further: &[],
    parts: &[""],
    layouts: &[glue(SST2_COLUMNS, SST2_COLUMNS), hub(SST2_COLUMNS)],
    submissions: &["SST-2.tsv"],
    paper: paper(10, 64, 4e-4, 512),
    mini: mini(3, 5e-4),
};

pub(super) const STSB: TaskRow = TaskRow {
    name: "stsb",
    title: "STS-B",
    answers: Answers::Score { least: 0.0, most: 5.0 },
    headline: Metric::Pearson,
    further: &[Metric::Spearman],
    parts: &[""],
    layouts: &[
        glue(pair("sentence1", "sentence2", "score"), pair("sentence1", "sentence2", "score")),
        hub(pair("sentence1", "sentence2", "label")),
    ],
    submissions: &["STS-B.tsv"],
    paper: paper(10, 32, 3e-4, 128),
    mini: mini(5, 2e-4),
};
