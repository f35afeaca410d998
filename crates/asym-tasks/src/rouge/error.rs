//! Errors of ROUGE from files.

use std::path::PathBuf;

use asym_data::TableError;

/// The reason why summaries in files cannot be scored. `line` is counted from 1; for a Parquet file, it is the number of the row.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RougeError {
    /// The two files have different numbers of texts.
    #[error(
        "{}: {predictions} summaries, but {}: {references} references; both need the same number, in the same order",
        prediction_path.display(),
        reference_path.display()
    )]
    Lengths {
        /// The file of the summaries.
        prediction_path: PathBuf,
        /// The number of summaries.
        predictions: usize,
        /// The file of the references.
        reference_path: PathBuf,
        /// The number of references.
        references: usize,
    },

    /// A reference is empty.
    #[error("{}:{line}: the reference is empty; repair or remove the row in both files", path.display())]
    EmptyReference {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },

    /// A cell does not contain text.
    #[error("{}:{line}: column `{column}` contains a list or bytes, but a text is expected", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: String,
    },

    /// A file has no rows.
    #[error("{}: no rows; write one text per line, or a table with a column of texts", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },

    /// A file of plain text has no columns.
    #[error("{}: a .txt file has one text per line and no columns; leave out {option}", path.display())]
    NoColumns {
        /// The file.
        path: PathBuf,
        /// The option that names a column.
        option: &'static str,
    },

    /// A file cannot be read.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
}
