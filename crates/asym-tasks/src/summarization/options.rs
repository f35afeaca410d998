//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

/// The settings of a summarization task. A benchmark decides those that are left out; for a user's own data, `text` and `summary`
/// are needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummarizationOptions {
    /// Whether the first row names the columns, which is the default. If not, columns are numbers, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The column of the documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The column of the summaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// A file of its own for the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The share of the examples that is set aside for the evaluation, if no file is given or found for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed that draws that share. It is the same for all runs, whose seeds do not change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// Tokens of a document, special tokens included; a longer one is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_source_length: Option<usize>,
    /// Tokens of a summary, special tokens included. A longer one is cut in training, and none longer is generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_target_length: Option<usize>,
    /// The share of a label's probability that is spread over all tokens, as `label_smoothing_factor` of transformers. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Beams of the search in the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_beams: Option<usize>,
    /// The number of examples that are evaluated, the first ones of the set. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_examples: Option<usize>,
}
