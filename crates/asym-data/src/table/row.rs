//! Rows, their cells, and the choice of both.

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
    /// Any other number. A whole number that does not fit into an `i64` is the nearest `f64`.
    Float(f64),
    /// A list of values.
    List(Vec<Cell>),
    /// Bytes that are not marked as text.
    Bytes(Vec<u8>),
    /// Values with names, without those that are null.
    Struct(Vec<(String, Cell)>),
}

impl Cell {
    /// A text unchanged, a number in its shortest form, and `true` or `false`. `None` for lists, bytes and structs.
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

/// Which cells of a row are wanted. They come back in the order of this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Columns by their names. The order of the columns in the file, the case of their names, and space around the
    /// names do not matter.
    Named(Vec<String>),
    /// Columns by their positions, counted from 0. A TSV or CSV file has no header then.
    Positional {
        /// Columns of each row.
        width: usize,
        /// The positions that are wanted.
        wanted: Vec<usize>,
    },
    /// Columns of a file without a header, by their numbers, counted from 1. The first row determines the number of
    /// columns.
    Numbered(Vec<usize>),
}

/// How a file holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tabs between cells and no quoting: a quote is part of the text.
    Tsv,
    /// Commas, semicolons or tabs between cells, which are quoted where necessary, as spreadsheets, pandas and the Hub write
    /// them. Cells between tabs need not be quoted.
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

/// How to read a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How the file holds its rows.
    pub format: Format,
    /// The columns that are wanted.
    pub columns: Columns,
    /// Whether rows with too few columns are left out, with a warning in the log, instead of refused.
    pub skip_short_rows: bool,
}

/// The wanted cells of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line in the file, or the row of a Parquet file, counted from 1.
    pub line: usize,
    /// The cells, in the order of the wanted columns.
    pub cells: Vec<Cell>,
}
