//! The data sets of GLUE, and the examples of a data set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::layout::Layout;
use crate::metrics::Metric;
use crate::text::{Example, TextScore};

/// A data set of GLUE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dataset {
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

/// The properties of a data set.
#[derive(Debug)]
pub struct DatasetRow {
    /// The name in recipes, on the command line and on the Hub.
    pub name: &'static str,
    /// The name in tables, and of GLUE's folders.
    pub title: &'static str,
    /// The answers that the data set allows.
    pub answers: Answers,
    /// The score that the paper reports first.
    pub headline: Metric,
    /// Further scores.
    pub further: &'static [Metric],
    /// The names of the development sets, which are also the names of the test sets. If there is only one development set, its
    /// name is empty.
    pub parts: &'static [&'static str],
    /// The known layouts, in the order in which a folder is searched. The first is GLUE's own.
    pub layouts: &'static [Layout],
    /// The names of GLUE's submission files, one for each part.
    pub submissions: &'static [&'static str],
    /// The settings of the paper.
    pub paper: Defaults,
    /// The settings for the embedded checkpoint on the generated set, whose training takes a few minutes.
    pub mini: Defaults,
}

/// The settings of a run that differ between data sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// The number of passes over the training set.
    pub epochs: usize,
    /// The number of examples in a step.
    pub batch_size: usize,
    /// Peak learning rate if an adapter or only the head is trained.
    pub learning_rate: f64,
    /// Peak learning rate if the whole model is trained.
    pub full_learning_rate: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// The maximum number of tokens of an example, including special tokens.
    pub max_length: usize,
}

/// Examples of one file, or of the files of one set.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The name, such as "matched". It is empty if there is only one set.
    pub name: &'static str,
    /// The origin: a path, or the name of a generated set.
    pub source: String,
    /// The examples, in file order.
    pub examples: Vec<Example>,
}

/// The examples of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The training set.
    pub train: Part,
    /// The development sets: MNLI has two, and the other data sets have one.
    pub dev: Vec<Part>,
}

impl Dataset {
    /// All data sets: first those of the paper in the order of its tables, then the other data sets.
    pub const ALL: &[Self] =
        &[Self::Mnli, Self::Sst2, Self::Mrpc, Self::Cola, Self::Qnli, Self::Rte, Self::Stsb, Self::Qqp];

    /// The data set with this name or title. Case does not matter.
    pub fn named(name: &str) -> Option<Self> {
        let is = |dataset: &Self| {
            let row = dataset.row();
            [row.name, row.title].iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        Self::ALL.iter().copied().find(is)
    }

    /// The name in recipes, on the command line and on the Hub.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The number of outputs that a model needs for this data set.
    pub fn outputs(self) -> usize {
        self.row().answers.outputs()
    }

    /// The headline metric, then the further metrics.
    pub fn metrics(self) -> impl Iterator<Item = Metric> {
        let row = self.row();
        std::iter::once(row.headline).chain(row.further.iter().copied())
    }

    /// All scores: the metrics over all development sets together, then, if there are several development sets, over each of
    /// them.
    pub fn scores(self) -> Vec<TextScore> {
        let parts = self.row().parts;
        let each = if parts.len() > 1 { parts } else { &[] };
        let part =
            |metric| each.iter().enumerate().map(move |(at, name)| TextScore { metric, part: Some((at, *name)) });
        let whole = self.metrics().map(|metric| TextScore { metric, part: None });
        whole.chain(self.metrics().flat_map(part)).collect()
    }

    /// Whether an example is a pair of texts.
    pub fn is_pair(self) -> bool {
        self.row().layouts.iter().any(Layout::is_pair)
    }

    /// Whether `path`, a file in the Hub's repository of GLUE, belongs to this data set. If `tests` is true, only the files of
    /// its test sets belong to it, and otherwise only the files of its other sets. A run does not need to download the test sets.
    pub fn is_hub_file(self, path: &str, tests: bool) -> bool {
        let name = path.strip_prefix(self.name()).and_then(|rest| rest.strip_prefix('/'));
        name.is_some_and(|name| name.ends_with(".parquet") && name.starts_with("test") == tests)
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().title)
    }
}
