//! Errors of a table's file.

use std::path::PathBuf;

/// A table cannot be read.
///
/// `path` is the file as it was given to [`read`](super::read), or the name that was given to [`parse`](super::parse).
/// `line` counts from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// The `csv` crate could not split a file into records.
    #[error("{path}: it cannot be split into rows: {source}")]
    Csv {
        /// The file.
        path: String,
        /// The error of the reader.
        source: csv::Error,
    },

    /// A line is not a JSON object.
    #[error("{path}:{line}: not a JSON object: {source}; JSON lines hold one object per line")]
    Json {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The error of the reader.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file that begins as an array of objects is none.
    #[error("{path}: not an array of JSON objects: {source}; repair the file, or write one object per line")]
    JsonArray {
        /// The file.
        path: String,
        /// The error of the reader, which names line and column.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file that is compressed with gzip is damaged.
    #[error("{}: the gzip archive is damaged: {source}; fetch it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The error of the reader.
        source: std::io::Error,
    },

    /// A file that is compressed with gzip becomes far larger than a text does, and could fill the memory.
    #[error("{}: {packed} bytes of gzip become more than {most}, which no table does; unpack the file if it is right", path.display())]
    Bomb {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        packed: usize,
        /// The largest number of bytes that are unpacked.
        most: u64,
    },

    /// The ending of a file's name is of no known format.
    #[error("{}: the name of a table ends in {}", path.display(), super::Format::ENDINGS)]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// A set lies in several files, and some of them are missing.
    #[error("{}: of its {expected} parts {found} are in this folder; fetch the missing ones", path.display())]
    MissingShard {
        /// The first part that was found.
        path: PathBuf,
        /// The number of parts, from the names of the files.
        expected: usize,
        /// The number of parts that were found.
        found: usize,
    },

    /// A Parquet file cannot be read.
    #[error(
        "{path}: not a Parquet file that can be read: {source}; fetch it again, or save it with Snappy, Zstandard or gzip \
        compression"
    )]
    Parquet {
        /// The file.
        path: String,
        /// The error of the reader.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A row has no value in a column, or a value that no [`Cell`](super::Cell) can hold.
    #[error("{path}: row {line}: no value that can be read in column `{column}`; repair or remove the row")]
    MissingValue {
        /// The file.
        path: String,
        /// The line, or the row of a Parquet file.
        line: usize,
        /// The column.
        column: String,
    },

    /// A quote is opened and never closed, so the rest of the file would be one cell.
    #[error(
        "{path}:{line}: a cell begins with a quote that is never closed; write each \" of a text twice, or save the \
        file as TSV without quoting"
    )]
    OpenQuote {
        /// The file.
        path: String,
        /// The line of the cell.
        line: usize,
    },

    /// A file is quoted as CSV, but it is read as a TSV file without quoting.
    #[error(
        "{path}:{line}: this file is quoted as CSV is (each \" written twice), and it is read as TSV without quoting; \
        write it without quoting, or save it as a .csv file"
    )]
    QuotedTsv {
        /// The file.
        path: String,
        /// The first line that shows it.
        line: usize,
    },

    /// A file holds no row, or only a header.
    #[error("{path}: the file holds no row; fetch it again")]
    EmptyFile {
        /// The file.
        path: String,
    },

    /// A file is not UTF-8.
    #[error("{path}:{line}: not UTF-8; convert the file (for instance with iconv -t UTF-8)")]
    NotUtf8 {
        /// The file.
        path: String,
        /// The line of the first invalid byte.
        line: usize,
    },

    /// A header lacks a column that is wanted.
    #[error(
        "{path}:1: the header has no column `{expected}` (found: {}); check that it is the right file",
        listed(found)
    )]
    MissingColumn {
        /// The file.
        path: String,
        /// The name of the column.
        expected: String,
        /// The columns that the header names.
        found: Vec<String>,
    },

    /// A header names a wanted column twice.
    #[error("{path}:1: the header has two columns `{column}`; rename one of them")]
    RepeatedColumn {
        /// The file.
        path: String,
        /// The name of the column.
        column: String,
    },

    /// A wanted position lies outside the row.
    #[error(
        "{path}: column {position} (counted from 0) is wanted, but a row has {width} columns; give a position below {width}"
    )]
    Position {
        /// The file.
        path: String,
        /// The wanted position, counted from 0.
        position: usize,
        /// Columns of each row.
        width: usize,
    },

    /// A file without a header has no column of a wanted number.
    #[error(
        "{path}: column {number} is wanted, but the first row has {width} columns; give a number from 1 to {width}"
    )]
    Number {
        /// The file.
        path: String,
        /// The wanted number, counted from 1.
        number: usize,
        /// Columns of the first row.
        width: usize,
    },

    /// A row has too few or too many columns. A tab inside a text gives one too many.
    #[error("{path}:{line}: {expected} columns expected, {found} found; repair or remove the line")]
    ColumnCount {
        /// The file.
        path: String,
        /// The line of the row.
        line: usize,
        /// Columns that the layout has.
        expected: usize,
        /// Columns that the row has.
        found: usize,
    },
}

/// The largest number of names in a message.
const NAMES: usize = 20;
/// The largest number of characters of a name in a message.
const LENGTH: usize = 60;

/// Names for a message. The whole of a file can be one name, if its lines end in another way than those of its format.
fn listed(names: &[String]) -> String {
    let short = |name: &String| match name.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    let shown = names.iter().take(NAMES).map(short).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES { format!("{shown} and {} more", names.len() - NAMES) } else { shown }
}
