//! Errors of instruction tasks.

use asym_data::{TableError, TokenizerError};

use crate::mmlu::MmluError;
use crate::names::hint;
use crate::sets::SetsError;

/// Data that cannot be used for training. `line` is counted from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum InstructionError {
    /// A setting has an invalid value.
    #[error("the setting `{setting}` of the task is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The valid values.
        expected: String,
    },

    /// A text is neither the name of a known template nor a template.
    #[error(
        "there is no template `{found}`{}; use stanford, alpaca-lora, plain or chat, or a Jinja template of the prompt, such as \
        \"Question: {{{{ instruction }}}}\\nAnswer: \"", hint(nearest.as_deref())
    )]
    UnknownTemplate {
        /// The name.
        found: String,
        /// The most similar known name.
        nearest: Option<String>,
    },

    /// A user's own template is invalid.
    #[error("the template of the task: {message}; it may use {}", names.join(" and "))]
    Template {
        /// The problem.
        message: String,
        /// The variables that a template can use.
        names: Vec<&'static str>,
    },

    /// The questions of MMLU cannot be read.
    #[error(transparent)]
    Mmlu(#[from] MmluError),

    /// The columns of a file do not have a known layout.
    #[error(
        "{path}: the columns {} are neither instruction and output, nor prompt and completion, nor messages; set their names, as \
        in task.instruction=question task.output=answer", found.join(", ")
    )]
    Columns {
        /// The file.
        path: String,
        /// The columns.
        found: Vec<String>,
    },

    /// A row is not an example.
    #[error("{path}:{line}: {problem}")]
    Row {
        /// The file.
        path: String,
        /// The line, or the row of a JSON array or a Parquet file.
        line: usize,
        /// The problem, and the expected form.
        problem: String,
    },

    /// There are too few rows for training and evaluation.
    #[error("{path}: {rows} row; at least two are needed, one for training and one for evaluation")]
    TooFewRows {
        /// The file.
        path: String,
        /// The number of rows.
        rows: usize,
    },

    /// The checkpoint has no chat template.
    #[error("{model}: the checkpoint has no chat template, which task.template=chat needs; use another template")]
    NoChatTemplate {
        /// The checkpoint.
        model: String,
    },

    /// Conversations need a chat template.
    #[error(
        "the column `{column}` contains conversations, which the template {template} cannot render; use task.template=chat"
    )]
    NeedsChat {
        /// The column.
        column: String,
        /// The template.
        template: String,
    },

    /// The checkpoint does not define an end-of-text token.
    #[error(
        "{model}: neither the tokenizer nor the model defines an end-of-text token; set task.eos=false to train without it"
    )]
    NoEnd {
        /// The checkpoint.
        model: String,
    },

    /// Rows have no token that is used in the loss.
    #[error(
        "{path}: {count} of {rows} rows have no labeled token within max_length={max_length}, at {}; raise task.max_length, repair \
        the rows, or leave them out with task.unlabeled=drop",
        lines(at)
    )]
    Unlabeled {
        /// The file.
        path: String,
        /// The number of such rows.
        count: usize,
        /// The number of all rows.
        rows: usize,
        /// The maximum number of tokens of a text.
        max_length: usize,
        /// The lines of these rows.
        at: Vec<usize>,
    },

    /// Rows are too long.
    #[error(
        "{path}: {count} of {rows} rows have more than max_length={max_length} tokens, at {}; raise task.max_length, or choose \
        task.too_long=cut or task.too_long=drop",
        lines(at)
    )]
    TooLong {
        /// The file.
        path: String,
        /// The number of such rows.
        count: usize,
        /// The number of all rows.
        rows: usize,
        /// The maximum number of tokens of a text.
        max_length: usize,
        /// The lines of these rows.
        at: Vec<usize>,
    },

    /// No row is left.
    #[error(
        "{path}: no row is left after rows without labels and rows that are too long are left out; raise task.max_length"
    )]
    NothingLeft {
        /// The file.
        path: String,
    },

    /// A text cannot be rendered or encoded.
    #[error("{path}:{line}: {source}")]
    Encode {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The error of the tokenizer, or of the chat template.
        source: TokenizerError,
    },

    /// The training set or the evaluation set cannot be found.
    #[error(transparent)]
    Sets(#[from] SetsError),

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The maximum number of lines that a message lists.
const NAMED: usize = 10;

/// Line numbers as text: `line 3`, or `lines 3, 7 and 12 more`.
pub(super) fn lines(at: &[usize]) -> String {
    let named: Vec<String> = at.iter().take(NAMED).map(ToString::to_string).collect();
    let more = at.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {}{rest}", if at.len() == 1 { "line" } else { "lines" }, named.join(", "))
}
