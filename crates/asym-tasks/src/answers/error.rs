//! Errors of answers on file.

use std::path::PathBuf;

/// Why answers cannot be read or written.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    /// The answers in a folder belong to another evaluation.
    #[error(
        "{}: {key} is {found} there and {expected} here; give another --output, or remove the folder",
        path.display()
    )]
    OtherEvaluation {
        /// The file of the settings.
        path: PathBuf,
        /// The setting that differs.
        key: String,
        /// Its value in the file.
        found: String,
        /// Its value now.
        expected: String,
    },

    /// A line cannot be read.
    #[error("{}:{line}: {problem}; remove the line, and its question is asked again", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The problem.
        problem: String,
    },

    /// Another process writes the same file.
    #[error("{}: another process evaluates in this folder; wait for it, or give another --output", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
}
