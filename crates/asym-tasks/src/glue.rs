//! GLUE's tasks: one row of a table each.
//!
//! To add a task: a variant of [`Task`], its place in [`Task::ALL`], a row in `glue/rows.rs`, and its generator in
//! `grammar`. Nothing else in the crate knows a task's columns, labels or metrics.

mod files;
mod generated;
mod rows;
mod submission;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::files::Layout;
pub use self::generated::generated;
pub(crate) use self::submission::spell;
pub use self::submission::write_submission;
use crate::error::{TaskError, nearest};
use crate::metrics::Metric;
use crate::table::{Answers, Example};

/// A benchmark task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The corpus of linguistic acceptability: is a sentence grammatical?
    Cola,
    /// Multi-genre inference: does the first sentence entail the second, contradict it, or neither?
    Mnli,
    /// Microsoft's paraphrase corpus: do two sentences mean the same?
    Mrpc,
    /// Questions of SQuAD: does the sentence answer the question?
    Qnli,
    /// Quora's question pairs: do two questions ask the same?
    Qqp,
    /// Recognizing textual entailment: does the first sentence entail the second?
    Rte,
    /// Stanford's sentiment treebank: is the sentence positive?
    Sst2,
    /// The semantic textual similarity benchmark: how similar are two sentences, from 0 to 5?
    Stsb,
}

/// What there is to know about a task.
#[derive(Debug)]
pub struct TaskRow {
    /// The name in recipes, on the command line and on the Hub.
    pub name: &'static str,
    /// The name in tables, and of GLUE's folders.
    pub title: &'static str,
    /// What is asked for.
    pub answers: Answers,
    /// The score that the paper reports first.
    pub headline: Metric,
    /// Further scores.
    pub further: &'static [Metric],
    /// The names of the development sets, and of the test sets. A single one has none.
    pub parts: &'static [&'static str],
    /// The layouts known, in the order in which a folder is searched; the first is GLUE's own.
    pub layouts: &'static [Layout],
    /// The names of GLUE's submission files, one for each part.
    pub submissions: &'static [&'static str],
    /// How the paper trains it.
    pub paper: Settings,
    /// How the embedded checkpoint is trained on the generated set: what a few minutes allow.
    pub mini: Settings,
}

/// The settings of a run that differ from task to task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Passes over the training set.
    pub epochs: usize,
    /// Examples in a step.
    pub batch_size: usize,
    /// Peak learning rate of adapters and of the head alone.
    pub learning_rate: f64,
    /// Peak learning rate where the whole model is trained.
    pub full_learning_rate: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// Tokens of an example, special ones included.
    pub max_length: usize,
}

/// A number that a run reports: a metric over all development sets, or over one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// The metric.
    pub metric: Metric,
    /// The set, by its place in [`TaskRow::parts`], and its name.
    pub part: Option<usize>,
    name: &'static str,
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some(_) => write!(f, "{} {}", self.metric, self.name),
            None => self.metric.fmt(f),
        }
    }
}

/// Examples of one file, or of the files of one set.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The name, where a task has several: "matched".
    pub name: &'static str,
    /// Where it came from: a path, or the name of a generated set.
    pub source: String,
    /// The examples, in file order.
    pub examples: Vec<Example>,
}

/// A task's examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// To train on.
    pub train: Part,
    /// To measure on: one set, or MNLI's two.
    pub dev: Vec<Part>,
}

impl Task {
    /// Every task, in the order of the paper's tables; those that it leaves out last.
    pub const ALL: &[Self] =
        &[Self::Mnli, Self::Sst2, Self::Mrpc, Self::Cola, Self::Qnli, Self::Rte, Self::Stsb, Self::Qqp];

    /// The task's row of the table.
    pub fn row(self) -> &'static TaskRow {
        match self {
            Self::Cola => &rows::COLA,
            Self::Mnli => &rows::MNLI,
            Self::Mrpc => &rows::MRPC,
            Self::Qnli => &rows::QNLI,
            Self::Qqp => &rows::QQP,
            Self::Rte => &rows::RTE,
            Self::Sst2 => &rows::SST2,
            Self::Stsb => &rows::STSB,
        }
    }

    /// The name in recipes and on the command line.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Outputs that a model needs for it.
    pub fn outputs(self) -> usize {
        self.row().answers.outputs()
    }

    /// The headline score, then the further ones.
    pub fn metrics(self) -> impl Iterator<Item = Metric> {
        let row = self.row();
        std::iter::once(row.headline).chain(row.further.iter().copied())
    }

    /// Every score: the metrics over all development sets, then, where there are several, over each.
    pub fn scores(self) -> Vec<Score> {
        let parts = self.row().parts;
        let each = if parts.len() > 1 { parts } else { &[] };
        let part = |metric| each.iter().enumerate().map(move |(at, name)| Score { metric, part: Some(at), name });
        let whole = self.metrics().map(|metric| Score { metric, part: None, name: "" });
        whole.chain(self.metrics().flat_map(part)).collect()
    }

    /// Reads training and development sets from a folder, or from the task's own folder below it, by the first layout
    /// whose files are there.
    ///
    /// # Errors
    ///
    /// [`TaskError::MissingData`] names every file that was looked for; else what [`crate::table::read`] refuses.
    pub fn read(self, folder: &Path) -> Result<Split, TaskError> {
        files::read(self, folder)
    }

    /// Reads the test sets, which have no labels, from a folder as [`read`](Self::read) does.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_tests(self, folder: &Path) -> Result<Vec<Part>, TaskError> {
        files::read_tests(self, folder)
    }

    /// Whether an example is a pair of texts.
    pub fn is_pair(self) -> bool {
        self.row().layouts.iter().any(Layout::is_pair)
    }

    /// Whether `path`, a file of the Hub's data set of GLUE, belongs to this task: to its test sets, or to the others, so
    /// that a run need not fetch tests.
    pub fn is_hub_file(self, path: &str, tests: bool) -> bool {
        let name = path.strip_prefix(self.name()).and_then(|rest| rest.strip_prefix('/'));
        name.is_some_and(|name| name.ends_with(".parquet") && name.starts_with("test") == tests)
    }
}

impl FromStr for Task {
    type Err = TaskError;

    fn from_str(name: &str) -> Result<Self, TaskError> {
        let known = || Self::ALL.iter().map(|task| task.name());
        let is = |task: &Self| [task.name(), task.row().title].iter().any(|known| known.eq_ignore_ascii_case(name));
        Self::ALL.iter().copied().find(is).ok_or_else(|| TaskError::UnknownTask {
            found: name.to_owned(),
            nearest: nearest(name, known()),
            known: known().collect(),
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().title)
    }
}
