//! Errors of collections of pictures.

use std::path::PathBuf;

use crate::table::TableError;

/// Pictures cannot be listed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PicturesError {
    /// The operating system refused a folder.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// A folder does not have the layout that was asked for.
    #[error("{}: {found}; {expected}", path.display())]
    Layout {
        /// The folder.
        path: PathBuf,
        /// The contents of the folder.
        found: String,
        /// The layouts that are read.
        expected: &'static str,
    },

    /// A folder holds no picture.
    #[error("{}: no picture in this folder; looked for files that end in {}", path.display(), super::ENDINGS.join(", "))]
    NoPicture {
        /// The folder.
        path: PathBuf,
    },

    /// Two names differ in the case of their letters alone.
    #[error(
        "{path}: the names `{first}` and `{second}` differ in the case of their letters alone, so that they would be two \
        classes on one system and one on another; rename one, or move its files"
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

    /// A cell does not hold a picture, a class or the name of an environment.
    #[error("{}: row {row}: the column `{column}` does not hold {expected}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The row, counted from 1.
        row: usize,
        /// The column.
        column: String,
        /// The values that are understood.
        expected: &'static str,
    },

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
}
