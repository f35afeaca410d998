//! Errors of reading and writing answer files.

use std::path::PathBuf;

/// Why answers cannot be read or written.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    /// The answers in a folder belong to a different evaluation.
    #[error(
        "{}: {key} is {found}, but this evaluation needs {expected}; choose another --output or remove the folder",
        path.display()
    )]
    OtherEvaluation {
        /// The file of the settings.
        path: PathBuf,
        /// The setting that differs.
        key: String,
        /// Its value in the file.
        found: String,
        /// Its value in this evaluation.
        expected: String,
    },

    /// A line cannot be read.
    #[error("{}:{line}: {problem}; remove the line to evaluate its question again", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The problem.
        problem: String,
    },

    /// Another process is writing the same file.
    #[error(
        "{}: another process is evaluating in this folder; wait until it ends, or choose another --output",
        path.display()
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
}
