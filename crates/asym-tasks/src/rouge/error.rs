//! Errors of ROUGE from files.

use std::path::PathBuf;

use asym_data::TableError;

/// Why summaries in files cannot be scored. `line` counts from 1, and counts rows in a Parquet file.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RougeError {
    /// The two files do not belong together.
    #[error(
        "{}: {predictions} summaries, and {}: {references} references; the two need as many, in the same order",
        prediction_path.display(),
        reference_path.display()
    )]
    Lengths {
        /// The file of the summaries.
        prediction_path: PathBuf,
        /// Their number.
        predictions: usize,
        /// The file of the references.
        reference_path: PathBuf,
        /// Their number.
        references: usize,
    },

    /// There is nothing to compare a summary with.
    #[error("{}:{line}: the reference is empty; repair or remove the row in both files", path.display())]
    EmptyReference {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },

    /// A cell holds no text.
    #[error("{}:{line}: column `{column}` holds a list or bytes, and a text is expected", path.display())]
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
    #[error("{}: a .txt file has a text per line and no column; leave out {option}", path.display())]
    NoColumns {
        /// The file.
        path: PathBuf,
        /// The option that names one.
        option: &'static str,
    },

    /// The operating system refused access to a file.
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
