//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

/// The settings of a summarization task. A benchmark has defaults for settings that are left out. For a user's own data, `text`
/// and `summary` are required.
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
    /// A separate file for the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The fraction of the examples that is held out for the evaluation, if no file is given or found for the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed by which these examples are selected. It is the same for all runs and does not depend on their seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// The maximum number of tokens of a document, including special tokens. Longer documents are truncated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_source_length: Option<usize>,
    /// The maximum number of tokens of a summary, including special tokens. Longer summaries are truncated in training, and no
    /// longer summary is generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_target_length: Option<usize>,
    /// The fraction of a label's probability that is spread over all tokens, like `label_smoothing_factor` in transformers.
    /// Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// The number of beams of the search in the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_beams: Option<usize>,
    /// The number of examples that are evaluated, counted from the beginning of the set. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_examples: Option<usize>,
}
