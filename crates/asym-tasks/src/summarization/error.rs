//! Errors of summarization.

use std::path::PathBuf;

use asym_data::{TableError, TokenizerError};
use asym_models::generation::GenerationError;

use crate::answers::AnswersError;
use crate::sets::SetsError;

/// The reason why documents cannot be summarized, or why a model cannot be trained on them. `line` is counted from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SummarizationError {
    /// The recipe does not name the data, or a column.
    #[error("the task {task} needs `{setting}`; {how}")]
    Missing {
        /// The task.
        task: String,
        /// The setting.
        setting: &'static str,
        /// How to give the setting.
        how: &'static str,
    },

    /// A setting has an invalid value.
    #[error("the setting `{setting}` is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The valid values.
        expected: String,
    },

    /// A set has too few rows with a document and a summary.
    #[error("{path}: {rows} rows with a document and a summary; {needed}")]
    TooFewRows {
        /// The file.
        path: String,
        /// The number of rows.
        rows: usize,
        /// The number that is needed.
        needed: &'static str,
    },

    /// A row cannot be encoded.
    #[error("{path}:{line}: {source}")]
    Encode {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The error of the tokenizer.
        source: TokenizerError,
    },

    /// The tokenizer does not add the token that ends a text, so the model would never learn to stop.
    #[error(
        "{path}: the tokenizer does not end texts with the token {id}, at which the model stops; use the tokenizer of the \
         checkpoint, which adds this token"
    )]
    NoEnd {
        /// The checkpoint.
        path: PathBuf,
        /// The token that ends a text.
        id: usize,
    },

    /// The settings of the generation are invalid, or the logits of the model are not finite.
    #[error("{what}: {source}")]
    Generation {
        /// The subject: the settings, or the rows of a batch.
        what: String,
        /// The error.
        source: Box<GenerationError>,
    },

    /// The tokens of a summary cannot be decoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    /// The sets cannot be found.
    #[error(transparent)]
    Sets(#[from] SetsError),

    /// The file of answers cannot be read or written.
    #[error(transparent)]
    Answers(#[from] AnswersError),

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
}
