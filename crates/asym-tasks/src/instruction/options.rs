//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

/// The settings of an instruction task. Settings that are left out have defaults or are inferred from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructionOptions {
    /// The column of the instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// The column of the text that belongs to an instruction, which may be empty. Without this setting, a column called `input`
    /// is used if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The column of the answer to an instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The column of a complete prompt, to which no template is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The column of the text that follows the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// The column of conversations: lists of objects with `role` and `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// How to render a row as text: `stanford`, `alpaca-lora`, `plain`, `chat`, or a Jinja template of the prompt, which can use
    /// `instruction` and `input`. The answer follows the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The tokens that are used in the loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossOn>,
    /// Whether the end-of-text token is appended to a text that does not already end with it. A chat template adds the
    /// tokens that end its turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eos: Option<bool>,
    /// The maximum number of tokens of a text, including special tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// How to treat longer texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_long: Option<TooLong>,
    /// How to treat rows without a token that is used in the loss, such as those whose answer was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlabeled: Option<Unlabeled>,
    /// The MMLU questions to evaluate after the last epoch: a folder with the benchmark's files, whose validation questions are
    /// used, or `invented` for questions about the invented world. By default, a run without data uses `invented`, and other runs
    /// skip MMLU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mmlu: Option<String>,
    /// A separate file for the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The share of the rows that is held out for the evaluation, if there is no separate evaluation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed that selects the held-out rows. It does not depend on the seed of a run, so all runs have the same split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
}

/// The tokens that are used in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossOn {
    /// The tokens of the answer, and the token that ends it.
    #[default]
    Answer,
    /// All tokens of the text except the first.
    All,
}

/// How to treat texts with more tokens than `max_length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLong {
    /// Cut off the last tokens of the text, including the end-of-text token.
    #[default]
    Cut,
    /// Leave out the rows.
    Drop,
    /// Stop with an error before training.
    Refuse,
}

/// How to treat rows without a token that is used in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlabeled {
    /// Stop with an error before training.
    #[default]
    Refuse,
    /// Leave out the rows.
    Drop,
}
