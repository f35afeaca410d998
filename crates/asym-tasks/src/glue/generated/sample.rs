//! Generated examples.

use crate::text::Target;

/// One generated example.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The text, or the first of a pair.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// The right answer. Classes are numbered as in the data sets on the Hub.
    pub target: Target,
    /// The construction, or the kind of example: the source column of CoLA's files, the genre column of other files.
    pub source: &'static str,
    /// The key of the scene or sentence. No two examples of a part share a key, and no development set has a key of a
    /// training set.
    pub key: String,
    /// The index of the example's development set: 0, or 1 for MNLI's mismatched set. It is 0 in training sets.
    pub part: usize,
}

impl Sample {
    /// The second text of a pair, or nothing.
    pub(super) fn second(&self) -> &str {
        self.second.as_deref().unwrap_or_default()
    }
}

/// A generated data set in two parts. No scene is in both parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The training set.
    pub train: Vec<Sample>,
    /// The development sets, one after the other if there are several.
    pub dev: Vec<Sample>,
}
