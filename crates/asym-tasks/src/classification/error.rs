//! Errors of a user's own data.

use asym_data::TableError;

use crate::sets::SetsError;
use crate::text::EncodeError;

/// Data of a user's own that cannot be trained on. `line` counts from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ClassificationError {
    /// The recipe does not name the data, or a column.
    #[error("the task classification needs `{setting}`; {how}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// How to give it.
        how: &'static str,
    },

    /// A setting has a value that it cannot have.
    #[error("the setting `{setting}` of the task classification is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The values that it can have.
        expected: &'static str,
    },

    /// There are too few rows to train and to evaluate.
    #[error("{path}: {rows} row; at least two are needed, one to train on and one to evaluate on")]
    TooFewRows {
        /// The file.
        path: String,
        /// The number of rows.
        rows: usize,
    },

    /// All examples have the same answer.
    #[error(
        "{path}: every row has the answer `{found}` in column `{column}`: there is nothing to learn; name another column"
    )]
    Constant {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The answer.
        found: String,
    },

    /// Numbers that are hardly classes.
    #[error(
        "{path}: column `{column}` has {found} different numbers, more than {most}: for a score, set problem_type to regression; \
        for classes, write them as words"
    )]
    ManyNumbers {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The different numbers.
        found: usize,
        /// The most that count as classes.
        most: usize,
    },

    /// Each row has an answer of its own.
    #[error(
        "{path}: column `{column}` has another value in each of the {rows} rows, so that it is no label; name another column"
    )]
    AllDifferent {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The number of rows.
        rows: usize,
    },

    /// A cell holds no answer of the expected kind.
    #[error("{path}:{line}: column `{column}` holds `{found}`, which is not {expected}; repair or remove the row")]
    Answer {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The column.
        column: String,
        /// The value.
        found: String,
        /// The values that are understood.
        expected: &'static str,
    },

    /// A label of the evaluation set, or of a recipe that is repeated, is not known.
    #[error("{path}:{line}: the label `{found}` is none of {}; {help}", shown(known))]
    UnknownLabel {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The label.
        found: String,
        /// The labels.
        known: Vec<String>,
        /// The advice of the message.
        help: &'static str,
    },

    /// The sets cannot be found.
    #[error(transparent)]
    Sets(#[from] SetsError),

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),

    /// The texts of a row cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Labels that a message lists.
const SHOWN: usize = 12;

fn shown(labels: &[String]) -> String {
    let more = labels.len().saturating_sub(SHOWN);
    let list = labels.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
