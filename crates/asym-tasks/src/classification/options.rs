//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

use crate::names::Names;
use crate::text::Problem;

/// The settings of a classification task. Settings that are left out, except for `text` and `label`, are determined by
/// the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassificationOptions {
    /// Whether the first row names the columns, which is the default. If not, columns are numbers, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The column of the text, or of the first of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The column of the second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// The column of the answer. Several columns hold a label each: 1 or true where an example has it, 0 or false where not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Names>,
    /// The kind of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<Problem>,
    /// The text between several labels in one cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The names of the labels, in the order of the model's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// A file of its own for the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The share of the examples that is set aside for the evaluation, if no file is given or found for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed that draws that share. It is the same for all runs, whose seeds do not change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// Tokens of an example, special tokens included; a longer one is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}
