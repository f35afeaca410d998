//! Errors of instruction tasks.

use asym_data::{TableError, TokenizerError};

use crate::mmlu::MmluError;
use crate::names::hint;
use crate::sets::SetsError;

/// Data that cannot be trained on. `line` counts from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum InstructionError {
    /// A setting has a value that it cannot have.
    #[error("the setting `{setting}` of the task is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The values that it can have.
        expected: String,
    },

    /// A text is neither the name of a known template nor a template.
    #[error(
        "there is no template `{found}`{}; write stanford, alpaca-lora, plain or chat, or a Jinja template of the prompt, such as \
        \"Question: {{{{ instruction }}}}\\nAnswer: \"", hint(nearest.as_deref())
    )]
    UnknownTemplate {
        /// The name.
        found: String,
        /// The name that it is nearest to.
        nearest: Option<String>,
    },

    /// A template of a user's own cannot be used.
    #[error("the template of the task: {message}; it may name {}", names.join(" and "))]
    Template {
        /// The problem.
        message: String,
        /// The values that a template has.
        names: Vec<&'static str>,
    },

    /// The questions of MMLU cannot be read.
    #[error(transparent)]
    Mmlu(#[from] MmluError),

    /// The columns of a file are of no known layout.
    #[error(
        "{path}: the columns {} are neither instruction and output, nor prompt and completion, nor messages; name yours, as in \
        task.instruction=question task.output=answer", found.join(", ")
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
        /// The problem, and what is expected.
        problem: String,
    },

    /// There are too few rows to train and to evaluate.
    #[error("{path}: {rows} row; at least two are needed, one to train on and one to evaluate on")]
    TooFewRows {
        /// The file.
        path: String,
        /// The number of rows.
        rows: usize,
    },

    /// The checkpoint has no chat template.
    #[error("{model}: the checkpoint has no chat template, which task.template=chat needs; name another template")]
    NoChatTemplate {
        /// The checkpoint.
        model: String,
    },

    /// Conversations need a chat template.
    #[error(
        "the column `{column}` holds conversations, which the template {template} cannot render; use task.template=chat"
    )]
    NeedsChat {
        /// The column.
        column: String,
        /// The template.
        template: String,
    },

    /// The checkpoint names no token that ends a text.
    #[error(
        "{model}: neither the tokenizer nor the model names a token that ends a text; set task.eos=false to train without it"
    )]
    NoEnd {
        /// The checkpoint.
        model: String,
    },

    /// Rows have no token that counts in the loss.
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
        /// The most tokens of a text.
        max_length: usize,
        /// Their lines.
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
        /// The most tokens of a text.
        max_length: usize,
        /// Their lines.
        at: Vec<usize>,
    },

    /// No row is left.
    #[error("{path}: no row is left after those without labels and those that are too long; raise task.max_length")]
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

    /// The sets cannot be found.
    #[error(transparent)]
    Sets(#[from] SetsError),

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Lines that a message names.
const NAMED: usize = 10;

/// Lines for people: `line 3`, or `lines 3, 7 and 12 more`.
pub(super) fn lines(at: &[usize]) -> String {
    let named: Vec<String> = at.iter().take(NAMED).map(ToString::to_string).collect();
    let more = at.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {}{rest}", if at.len() == 1 { "line" } else { "lines" }, named.join(", "))
}
