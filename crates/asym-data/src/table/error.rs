//! Errors of a table.

use std::path::PathBuf;

/// A table cannot be read.
///
/// `path` is the file as it was given to [`read`](super::read), or the name that was given to [`parse`](super::parse). `line`
/// is counted from 1.
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
    #[error("{path}:{line}: not a JSON object: {source}; a file of JSON lines has one object per line")]
    Json {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The error of the reader.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A file that begins like a JSON array is not an array of objects.
    #[error("{path}: not an array of JSON objects: {source}; repair the file, or write one object per line")]
    JsonArray {
        /// The file.
        path: String,
        /// The error of the reader, which includes the line and the column.
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

    /// A gzip archive decompresses to far more bytes than a text would, and could fill the memory.
    #[error(
        "{}: {packed} bytes of gzip decompress to more than {most} bytes, which is too large for a table; if the file is \
        right, decompress it first",
        path.display()
    )]
    Bomb {
        /// The file.
        path: PathBuf,
        /// The number of compressed bytes.
        packed: usize,
        /// The largest number of bytes to which the file may be decompressed.
        most: u64,
    },

    /// The ending of a file's name is unknown.
    #[error("{}: the name of a table must end in {}", path.display(), super::Format::ENDINGS)]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// A set consists of several files, and some of them are missing.
    #[error("{}: {found} of {expected} parts are in this folder; fetch the missing parts", path.display())]
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
        "{path}: the Parquet file cannot be read: {source}; fetch it again, or save it with Snappy, Zstandard or gzip \
        compression"
    )]
    Parquet {
        /// The file.
        path: String,
        /// The error of the reader.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A row has no value in a column, or a value of a type that [`Cell`](super::Cell) does not support.
    #[error("{path}: row {line}: no readable value in column `{column}`; repair or remove the row")]
    MissingValue {
        /// The file.
        path: String,
        /// The line, or the position of the row in a Parquet file or JSON array.
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
        "{path}:{line}: this file is quoted like CSV (each \" is written twice), but it is read as TSV without quoting; \
        write it without quoting, or save it as a .csv file"
    )]
    QuotedTsv {
        /// The file.
        path: String,
        /// The first line with a doubled quote.
        line: usize,
    },

    /// A file has no rows, or only a header.
    #[error("{path}: the file has no rows; fetch it again")]
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

    /// A header lacks a wanted column.
    #[error(
        "{path}:1: the header has no column `{expected}` (found: {}); check that it is the right file",
        listed(found)
    )]
    MissingColumn {
        /// The file.
        path: String,
        /// The name of the column.
        expected: String,
        /// The columns in the header.
        found: Vec<String>,
    },

    /// A header contains a wanted column twice.
    #[error("{path}:1: the header has two columns `{column}`; rename one of them")]
    RepeatedColumn {
        /// The file.
        path: String,
        /// The name of the column.
        column: String,
    },

    /// A wanted position is outside the row.
    #[error(
        "{path}: column {position} (counted from 0) is wanted, but a row has {width} columns; give a position below {width}"
    )]
    Position {
        /// The file.
        path: String,
        /// The wanted position, counted from 0.
        position: usize,
        /// The number of columns in each row.
        width: usize,
    },

    /// A file without a header has no column at a wanted position.
    #[error(
        "{path}: column {number} is wanted, but the first row has {width} columns; give a position from 1 to {width}"
    )]
    Number {
        /// The file.
        path: String,
        /// The wanted position, counted from 1.
        number: usize,
        /// The number of columns in the first row.
        width: usize,
    },

    /// A row has too few or too many columns. A tab inside a text adds a column.
    #[error("{path}:{line}: {expected} columns expected, {found} found; repair or remove the line")]
    ColumnCount {
        /// The file.
        path: String,
        /// The line of the row.
        line: usize,
        /// The expected number of columns.
        expected: usize,
        /// The number of columns in the row.
        found: usize,
    },
}

/// The largest number of names in a message.
const NAMES: usize = 20;
/// The largest number of characters of a name in a message.
const LENGTH: usize = 60;

/// Names for a message, shortened if necessary. The whole file can be a single name if its line ends are not those of its
/// format.
fn listed(names: &[String]) -> String {
    let short = |name: &String| match name.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    let shown = names.iter().take(NAMES).map(short).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES { format!("{shown} and {} more", names.len() - NAMES) } else { shown }
}
