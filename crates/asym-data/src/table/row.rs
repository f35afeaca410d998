//! Rows, their cells, and the options for reading them.

use std::borrow::Cow;
use std::path::Path;

/// The value of one column in one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A text, exactly as the file has it. Every cell of a TSV or CSV file is a text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number. A whole number that does not fit into an `i64` is rounded to the nearest `f64`.
    Float(f64),
    /// A list of values.
    List(Vec<Cell>),
    /// Bytes that are not marked as text.
    Bytes(Vec<u8>),
    /// Named values. Null values are left out.
    Struct(Vec<(String, Cell)>),
}

impl Cell {
    /// The cell as text: a text unchanged, a number in its shortest form, or `true` or `false`. `None` for lists, bytes and
    /// structs.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Boolean(boolean) => Some(Cow::Borrowed(if *boolean { "true" } else { "false" })),
            Self::Integer(number) => Some(Cow::Owned(number.to_string())),
            Self::Float(number) => Some(Cow::Owned(number.to_string())),
            Self::List(_) | Self::Bytes(_) | Self::Struct(_) => None,
        }
    }
}

/// The wanted columns. The cells of a row are returned in the order of this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Columns by their names. The order of the columns in the file, the case of their names, and space around the
    /// names do not matter.
    Named(Vec<String>),
    /// Columns by their positions, counted from 0. In this case, a TSV or CSV file has no header.
    Positional {
        /// The number of columns in each row.
        width: usize,
        /// The wanted positions.
        wanted: Vec<usize>,
    },
    /// Columns of a file without a header, by their positions, counted from 1. The first row determines the number of columns.
    Numbered(Vec<usize>),
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tabs between cells and no quoting: a quote is part of the text.
    Tsv,
    /// Commas, semicolons or tabs between cells, which are quoted where necessary, as spreadsheets, pandas and the Hub write
    /// them. Cells that are separated by tabs need not be quoted.
    Csv,
    /// One JSON object per line, or one array of objects.
    Json,
    /// Apache Parquet, uncompressed or compressed with Snappy, Zstandard or gzip.
    Parquet,
}

/// The endings of files, and their formats. Files of text may be compressed with gzip.
const ENDINGS: [(&str, Format); 6] = [
    ("parquet", Format::Parquet),
    ("jsonl", Format::Json),
    ("ndjson", Format::Json),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("tsv", Format::Csv),
];

impl Format {
    /// The endings of files that can be read, for messages.
    pub const ENDINGS: &'static str = ".csv, .tsv, .json, .jsonl, .ndjson (each also with .gz) or .parquet";

    /// The format of a file by the ending of its name.
    pub fn of(path: &Path) -> Option<Self> {
        Self::endings()
            .find(|(ending, _)| path.to_str().is_some_and(|path| path.ends_with(ending)))
            .map(|(_, format)| format)
    }

    /// Every ending with its dot, and its format.
    pub(super) fn endings() -> impl Iterator<Item = (String, Self)> {
        let gzip = |(ending, format)| (format != Self::Parquet).then(|| (format!(".{ending}.gz"), format));
        ENDINGS.into_iter().flat_map(move |(ending, format)| {
            [Some((format!(".{ending}"), format)), gzip((ending, format))].into_iter().flatten()
        })
    }
}

/// The options for reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The format of the file.
    pub format: Format,
    /// The wanted columns.
    pub columns: Columns,
    /// Whether rows with too few columns are skipped with a warning in the log, instead of being refused.
    pub skip_short_rows: bool,
}

/// The wanted cells of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line in the file, or the position of the row in a Parquet file or JSON array, counted from 1.
    pub line: usize,
    /// The cells, in the order of the wanted columns.
    pub cells: Vec<Cell>,
}
