//! Errors of collections of pictures.

use std::path::PathBuf;

use crate::table::TableError;

/// Pictures cannot be listed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PicturesError {
    /// The operating system refused access to a folder.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// A folder does not have the expected layout.
    #[error("{}: {found}; {expected}", path.display())]
    Layout {
        /// The folder.
        path: PathBuf,
        /// The contents of the folder.
        found: String,
        /// The supported layouts.
        expected: &'static str,
    },

    /// A folder contains no pictures.
    #[error("{}: no picture in this folder; looked for files that end in {}", path.display(), super::ENDINGS.join(", "))]
    NoPicture {
        /// The folder.
        path: PathBuf,
    },

    /// Two names differ only in case.
    #[error(
        "{path}: the names `{first}` and `{second}` differ only in case, so they are different names on some file systems \
        and the same name on others; rename one of them, or move its files"
    )]
    Case {
        /// The folder or table.
        path: String,
        /// The first name.
        first: String,
        /// The second name.
        second: String,
    },

    /// A table has no column of pictures, of classes or of environments.
    #[error("{}: no column {}; the table has {}", path.display(), expected.join(" or "), found.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The names that were looked for.
        expected: Vec<&'static str>,
        /// The columns of the table.
        found: Vec<String>,
    },

    /// A cell does not contain a picture, a class or the name of an environment.
    #[error("{}: row {row}: the column `{column}` does not contain {expected}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1.
        row: usize,
        /// The column.
        column: String,
        /// A description of the accepted values.
        expected: &'static str,
    },

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
}
