//! The table of data sets, with a row for each.
//!
//! The paper's settings are those of the LoRA scripts for RoBERTa-large, which the paper follows. The learning rate of full
//! fine-tuning comes from RoBERTa. Class indices are the same as in the Hub's data sets, so a checkpoint that was fine-tuned on
//! the Hub's data has the same classes here.

use super::answers::Answers;
use super::dataset::{Dataset, DatasetRow, Defaults};
use super::layout::{Columns, Layout};
use crate::metrics::Metric;

impl Dataset {
    /// The row of the data set in the table.
    pub fn row(self) -> &'static DatasetRow {
        match self {
            Self::Cola => &COLA,
            Self::Mnli => &MNLI,
            Self::Mrpc => &MRPC,
            Self::Qnli => &QNLI,
            Self::Qqp => &QQP,
            Self::Rte => &RTE,
            Self::Sst2 => &SST2,
            Self::Stsb => &STSB,
        }
    }
}

const fn pair(first: &'static str, second: &'static str, label: &'static str) -> Columns {
    Columns::Named { first, second: Some(second), label: Some(label) }
}

const fn single(first: &'static str, label: &'static str) -> Columns {
    Columns::Named { first, second: None, label: Some(label) }
}

/// A layout with one development set and one test set, in GLUE's files.
const fn glue(columns: Columns, tests: Columns) -> Layout {
    Layout::files("train.tsv", &["dev.tsv"], columns, &["test.tsv"], tests)
}

const fn hub(columns: Columns) -> Layout {
    Layout::stems("train", &["validation"], &["test"], columns)
}

const fn paper(epochs: usize, batch_size: usize, learning_rate: f64, max_length: usize) -> Defaults {
    Defaults { epochs, batch_size, learning_rate, full_learning_rate: 1e-5, weight_decay: 0.1, max_length }
}

/// A layout whose file names differ from those of other data sets in the same folder.
const fn prefixed(columns: Columns, tests: Columns) -> Layout {
    Layout::files("glue_train.tsv", &["glue_dev.tsv"], columns, &["glue_test.tsv"], tests)
}

/// Classes that are written as their names in GLUE's files.
const fn named(names: &'static [&'static str]) -> Answers {
    Answers::Classes { names, spelled: names }
}

/// Classes that are written as 0 and 1 in GLUE's files.
const fn binary(names: &'static [&'static str]) -> Answers {
    Answers::Classes { names, spelled: &["0", "1"] }
}

/// The settings for the embedded checkpoint. If full fine-tuning stays on a plateau with one of three seeds, the data set has
/// more epochs and a lower learning rate.
const fn mini(epochs: usize, full_learning_rate: f64) -> Defaults {
    Defaults { epochs, batch_size: 32, learning_rate: 3e-3, full_learning_rate, weight_decay: 0.01, max_length: 64 }
}

const ENTAILMENT: Answers = named(&["entailment", "not_entailment"]);

/// The columns are the source, the label, the linguists' mark and the sentence.
const COLA_COLUMNS: Columns = Columns::Positional { width: 4, first: 3, label: 1 };

static COLA: DatasetRow = DatasetRow {
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

static MNLI: DatasetRow = DatasetRow {
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

static MRPC: DatasetRow = DatasetRow {
    name: "mrpc",
    title: "MRPC",
    answers: binary(&["not_equivalent", "equivalent"]),
    headline: Metric::Accuracy,
    further: &[Metric::F1],
    parts: &[""],
    layouts: &[
        glue(MRPC_COLUMNS, MRPC_COLUMNS),
        prefixed(MRPC_COLUMNS, MRPC_COLUMNS),
        // The corpus as Microsoft distributes it. GLUE's development set is part of Microsoft's training file. Therefore, the
        // development set here is Microsoft's test file, whose labels are public.
        Layout::files("msr_paraphrase_train.txt", &["msr_paraphrase_test.txt"], MRPC_COLUMNS, &[], MRPC_COLUMNS),
        hub(pair("sentence1", "sentence2", "label")),
    ],
    submissions: &["MRPC.tsv"],
    paper: paper(20, 32, 3e-4, 512),
    mini: mini(3, 5e-4),
};

const QNLI_COLUMNS: Columns = pair("question", "sentence", "label");

static QNLI: DatasetRow = DatasetRow {
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

static QQP: DatasetRow = DatasetRow {
    name: "qqp",
    title: "QQP",
    answers: binary(&["not_duplicate", "duplicate"]),
    headline: Metric::Accuracy,
    further: &[Metric::F1],
    parts: &[""],
    layouts: &[
        // GLUE's own training file has a few truncated rows. Other implementations skip them as well.
        glue(QQP_COLUMNS, QQP_COLUMNS).skip_short_rows(),
        hub(pair("question1", "question2", "label")),
    ],
    submissions: &["QQP.tsv"],
    paper: paper(20, 32, 3e-4, 512),
    mini: mini(3, 5e-4),
};

const RTE_COLUMNS: Columns = pair("sentence1", "sentence2", "label");

static RTE: DatasetRow = DatasetRow {
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

static SST2: DatasetRow = DatasetRow {
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

static STSB: DatasetRow = DatasetRow {
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
