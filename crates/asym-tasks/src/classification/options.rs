//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

use crate::names::Names;
use crate::text::Problem;

/// The settings of a classification task. Only `text` and `label` are required. The other settings have defaults or are inferred
/// from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassificationOptions {
    /// Whether the first row contains the names of the columns, which is the default. If not, the columns are numbered from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The column of the text, or of the first text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The column of the second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// The column of the answer. Each of several columns represents one label: its value is 1 or true if the example has the
    /// label, and 0 or false if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Names>,
    /// The kind of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<Problem>,
    /// The text that separates several labels in one cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The names of the labels, in the order of the model's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// A separate file with the evaluation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The share of the examples that is held out for the evaluation, if there is no separate evaluation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed that selects the held-out examples. It does not depend on the seed of a run, so all runs have the same split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// The maximum number of tokens of an example, including special tokens. Longer examples are truncated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}
