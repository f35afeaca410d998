//! Rows of a table in a file: CSV, TSV, JSON lines, a JSON array, one of these compressed with gzip, or Parquet.
//!
//! A [`Reading`] sets the format of the file and the wanted columns. [`read`] and [`parse`] return the wanted cells of each row
//! and the line of the row. They do not interpret the cells.
//!
//! Each format has its own submodule. It passes the names of the columns to the `Collector` once, and then the cells of each
//! row.

mod collector;
mod csv;
mod error;
mod find;
mod json;
mod parquet;
mod quotes;
mod row;
#[cfg(test)]
mod tests;
mod tsv;

use std::io::Read;
use std::path::Path;

use collector::Collector;
pub use error::TableError;
pub use find::Files;
pub use parquet::{ParquetSchema, parquet_schema};
pub use row::{Cell, Columns, Format, Reading, Row};

/// The first bytes of a gzip archive.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The largest allowed ratio of decompressed to compressed bytes. The ratio is five to ten for texts, and about a thousand for
/// zeros.
const UNPACKED: u64 = 100;
/// An archive may always be decompressed to this number of bytes.
const SMALL: u64 = 64 << 20;

/// Reads the file at `path`. A text that is compressed with gzip is decompressed, regardless of its name.
///
/// # Errors
///
/// [`TableError::Io`], [`TableError::Gzip`], [`TableError::Bomb`], [`TableError::NotUtf8`], [`TableError::Parquet`], and the
/// errors of [`parse`].
pub fn read(path: &Path, reading: &Reading) -> Result<Vec<Row>, TableError> {
    let name = path.display().to_string();
    if reading.format == Format::Parquet {
        let mut collector = Collector::new(&name, reading)?;
        let file = std::fs::File::open(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
        parquet::read(file, &mut collector)?;
        return collector.finish();
    }
    let mut bytes = std::fs::read(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
    if bytes.starts_with(&GZIP) {
        let most = (bytes.len() as u64).saturating_mul(UNPACKED).max(SMALL);
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .take(most + 1)
            .read_to_end(&mut unpacked)
            .map_err(|source| TableError::Gzip { path: path.to_owned(), source })?;
        if unpacked.len() as u64 > most {
            return Err(TableError::Bomb { path: path.to_owned(), packed: bytes.len(), most });
        }
        bytes = unpacked;
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| TableError::NotUtf8 {
        path: name.clone(),
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
    })?;
    parse(&name, text, reading)
}

/// Reads the text of a file. `name` is the name of the file in errors.
///
/// # Errors
///
/// [`TableError::EmptyFile`], [`TableError::MissingColumn`], [`TableError::RepeatedColumn`], [`TableError::Position`],
/// [`TableError::Number`], [`TableError::Csv`], [`TableError::JsonArray`], and, with the line, [`TableError::QuotedTsv`],
/// [`TableError::OpenQuote`], [`TableError::Json`], [`TableError::ColumnCount`] and [`TableError::MissingValue`].
/// [`TableError::Parquet`] if the format is Parquet, which is not text.
pub fn parse(name: &str, text: &str, reading: &Reading) -> Result<Vec<Row>, TableError> {
    // Some files begin with a byte order mark, which would become part of the first column's name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut collector = Collector::new(name, reading)?;
    match reading.format {
        Format::Tsv => tsv::read(text, &mut collector)?,
        Format::Csv => csv::read(text, &mut collector)?,
        Format::Json => json::read(text, &mut collector)?,
        Format::Parquet => {
            let source = "a Parquet file is not text: read it by its path".into();
            return Err(TableError::Parquet { path: name.to_owned(), source });
        }
    }
    collector.finish()
}
