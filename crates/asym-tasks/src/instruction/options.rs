//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

/// The settings of an instruction task. The task and its data decide those that are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructionOptions {
    /// The column of the instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// The column of the text that belongs to an instruction, which may be empty. Without this setting a column called `input` is
    /// used if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The column of the answer to an instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The column of a complete prompt, to which no template is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The column of the text after such a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// The column of conversations: lists of objects with `role` and `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// How a row becomes a text: `stanford`, `alpaca-lora`, `plain`, `chat`, or a Jinja template of the prompt with `instruction`
    /// and `input`, which the answer follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The tokens that count in the loss.
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
    /// How to treat rows without a token that counts in the loss, such as those whose answer was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlabeled: Option<Unlabeled>,
    /// MMLU after the last epoch: a folder with the benchmark's files, whose validation questions are asked, or `invented` for questions
    /// about the invented world. The default is `invented` without data, else no question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mmlu: Option<String>,
    /// A separate file for the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The share of the rows that is set aside for the evaluation, if no file is given or found for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed that draws these rows. All runs use the same seed for this, regardless of their own seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
}

/// The tokens that count in the loss.
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
    /// Refuse to train.
    Refuse,
}

/// How to treat rows without a token that counts in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlabeled {
    /// Refuse to train.
    #[default]
    Refuse,
    /// Leave out the rows.
    Drop,
}
