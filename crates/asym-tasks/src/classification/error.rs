//! Errors of the task `classification`.

use asym_data::TableError;

use crate::sets::SetsError;
use crate::text::EncodeError;

/// A user's own data that cannot be used for training. `line` is counted from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ClassificationError {
    /// The recipe lacks a required setting, such as the data or a column.
    #[error("the task classification needs `{setting}`; {how}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// How to set it.
        how: &'static str,
    },

    /// A setting has an invalid value.
    #[error("the setting `{setting}` of the task classification is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The valid values.
        expected: &'static str,
    },

    /// There are too few rows for training and evaluation.
    #[error("{path}: {rows} row; at least two are needed, one for training and one for evaluation")]
    TooFewRows {
        /// The file.
        path: String,
        /// The number of rows.
        rows: usize,
    },

    /// All examples have the same answer.
    #[error(
        "{path}: every row has the answer `{found}` in column `{column}`, so there is nothing to learn; choose another column"
    )]
    Constant {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The answer.
        found: String,
    },

    /// There are too many different numbers for classes.
    #[error(
        "{path}: column `{column}` has {found} different numbers, more than {most}; if they are scores, set problem_type to \
        regression; if they are classes, write them as words"
    )]
    ManyNumbers {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The number of different numbers.
        found: usize,
        /// The maximum number of classes that are written as numbers.
        most: usize,
    },

    /// Each row has a different answer.
    #[error(
        "{path}: column `{column}` has a different value in each of the {rows} rows, so it is not a label; choose another column"
    )]
    AllDifferent {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The number of rows.
        rows: usize,
    },

    /// A cell does not contain an answer of the expected kind.
    #[error("{path}:{line}: column `{column}` contains `{found}`, which is not {expected}; correct or remove the row")]
    Answer {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The column.
        column: String,
        /// The value.
        found: String,
        /// The valid values.
        expected: &'static str,
    },

    /// A label of the evaluation set is not in the training set, or a label of the training set is not in the setting `labels`.
    #[error("{path}:{line}: the label `{found}` is not one of {}; {help}", shown(known))]
    UnknownLabel {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The label.
        found: String,
        /// The labels.
        known: Vec<String>,
        /// How to resolve the error.
        help: &'static str,
    },

    /// The training set or the evaluation set cannot be found.
    #[error(transparent)]
    Sets(#[from] SetsError),

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),

    /// The texts of a row cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// The maximum number of labels that a message lists.
const SHOWN: usize = 12;

fn shown(labels: &[String]) -> String {
    let more = labels.len().saturating_sub(SHOWN);
    let list = labels.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}
