//! Errors of GLUE's data.

use std::path::PathBuf;

use asym_data::TableError;

use crate::text::EncodeError;

/// A data set of GLUE cannot be read, encoded or written.
///
/// `path` is the path of the file, or the display name of a generated data set. `line` is counted from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum GlueError {
    /// A folder does not contain a complete set of the data set's files.
    #[error("{}: there are no data of {dataset}; looked for {} in this folder and in the data set's subfolder; put one of \
        these sets of files there, or set --data to another folder", folder.display(), looked_for.join("; or "))]
    MissingData {
        /// The name of the data set.
        dataset: &'static str,
        /// The folder that was searched.
        folder: PathBuf,
        /// The sets of files that can be read.
        looked_for: Vec<String>,
    },

    /// A label is not a label of the data set.
    #[error("{path}:{line}: label `{found}` is not one of {}; is this the file of another data set, or a test file \
        without labels?", allowed.join(", "))]
    UnknownLabel {
        /// The file.
        path: String,
        /// The line of the row.
        line: usize,
        /// The value of the label column.
        found: String,
        /// The data set's labels, as they are written in files.
        allowed: &'static [&'static str],
    },

    /// A label is not a number in the data set's range.
    #[error(
        "{path}:{line}: score `{found}` is not a number from {least} to {most}; is this the file of another data set, or a \
        test file without labels?"
    )]
    UnknownScore {
        /// The file.
        path: String,
        /// The line of the row.
        line: usize,
        /// The value of the label column.
        found: String,
        /// The lowest score.
        least: f32,
        /// The highest score.
        most: f32,
    },

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),

    /// The texts of a row cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
}
