//! The right answer to a text, and the kinds of answers.

use serde::{Deserialize, Serialize};

/// The kind of answer to a text, serialized with its name in the `config.json` of transformers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// One of several classes: softmax and cross-entropy.
    #[default]
    #[serde(rename = "single_label_classification")]
    Classes,
    /// A number: squared error.
    #[serde(rename = "regression")]
    Score,
    /// Any number of several labels: a sigmoid and binary cross-entropy for each label.
    #[serde(rename = "multi_label_classification")]
    Labels,
}

impl Problem {
    /// The problem of a classifier with `outputs` outputs, by the `name` in its configuration. As in transformers, without a
    /// known name one output is a score and several outputs are classes.
    pub fn of(name: Option<&str>, outputs: usize) -> Self {
        match name {
            Some("multi_label_classification") => Self::Labels,
            Some("regression") => Self::Score,
            Some("single_label_classification") => Self::Classes,
            _ if outputs == 1 => Self::Score,
            _ => Self::Classes,
        }
    }

    /// The value of `problem_type` in `config.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classes => "single_label_classification",
            Self::Score => "regression",
            Self::Labels => "multi_label_classification",
        }
    }
}

/// The answer to a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A class, as an index into the names of the classes.
    Class(usize),
    /// A number, such as a degree of similarity.
    Score(f32),
    /// Labels, as indices into their names, the smallest first.
    Labels(Vec<usize>),
    /// The answer is unknown, because the example is from a test set or is a user's own text.
    Unknown,
}

impl Target {
    /// The group of an example in a split: its class, or the first of its labels.
    pub(crate) fn group(&self) -> usize {
        match self {
            Self::Class(class) => *class,
            Self::Labels(labels) => labels.first().map_or(0, |label| label + 1),
            Self::Score(_) | Self::Unknown => 0,
        }
    }
}

/// A text or a pair of texts, with its right answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The text, or the first of a pair, exactly as in the file.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// The right answer.
    pub target: Target,
    /// The line in the file, or the row of a Parquet file, counted from 1.
    pub line: usize,
}
