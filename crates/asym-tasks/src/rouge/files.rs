//! Summaries and references from files.

use std::path::{Path, PathBuf};

use asym_data::table::{self, Columns, Files, Reading, TableError};

use super::error::RougeError;
use super::score::{Rouge, RougeScore};

/// A column of texts, and the option that selects it.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The name that was given, if any.
    pub given: Option<&'a str>,
    /// The name that is used if none was given.
    pub default: &'static str,
    /// The name of the option, for messages.
    pub option: &'static str,
}

/// The texts of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    path: PathBuf,
    rows: Vec<(usize, String)>,
}

impl Texts {
    /// The texts of the file at `path`: the lines of a `.txt` file, or a column of a table.
    ///
    /// # Errors
    ///
    /// A file that is missing or damaged, a missing column, and [`RougeError::NoRows`].
    pub fn read(path: &Path, column: Column<'_>) -> Result<Self, RougeError> {
        let rows = if path.extension().is_some_and(|ending| ending == "txt") {
            if column.given.is_some() {
                return Err(RougeError::NoColumns { path: path.to_owned(), option: column.option });
            }
            lines(path)?
        } else {
            cells(path, column.given.unwrap_or(column.default))?
        };
        if rows.is_empty() {
            return Err(RougeError::NoRows { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), rows })
    }

    /// The texts in their order.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rows.iter().map(|(_, text)| text.as_str())
    }

    /// The lines of the texts that are empty or only white space.
    pub fn empty(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.iter().filter(|(_, text)| text.trim().is_empty()).map(|(line, _)| *line)
    }

    /// The scores of these summaries against `references`, row by row.
    ///
    /// # Errors
    ///
    /// [`RougeError::Lengths`] and [`RougeError::EmptyReference`].
    pub fn scores(&self, references: &Self) -> Result<Vec<RougeScore>, RougeError> {
        if self.rows.len() != references.rows.len() {
            return Err(RougeError::Lengths {
                prediction_path: self.path.clone(),
                predictions: self.rows.len(),
                reference_path: references.path.clone(),
                references: references.rows.len(),
            });
        }
        if let Some(line) = references.empty().next() {
            return Err(RougeError::EmptyReference { path: references.path.clone(), line });
        }
        let rouge = Rouge::default();
        Ok(self.all().zip(references.all()).map(|(summary, reference)| rouge.score(summary, reference)).collect())
    }
}

fn lines(path: &Path) -> Result<Vec<(usize, String)>, RougeError> {
    let bytes = std::fs::read(path).map_err(|source| RougeError::Io { path: path.to_owned(), source })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| TableError::NotUtf8 {
        path: path.display().to_string(),
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(text.lines().enumerate().map(|(at, line)| (at + 1, line.to_string())).collect())
}

fn cells(path: &Path, column: &str) -> Result<Vec<(usize, String)>, RougeError> {
    let files = Files::one(path)?;
    let columns = Columns::Named(vec![column.to_string()]);
    let rows = table::read(path, &Reading { format: files.format, columns, skip_short_rows: false })?;
    let text = |row: table::Row| {
        let text = row.cells.first().and_then(|cell| cell.text().map(|text| text.into_owned()));
        let no_text = || RougeError::NoText { path: path.to_owned(), line: row.line, column: column.to_string() };
        Ok((row.line, text.ok_or_else(no_text)?))
    };
    rows.into_iter().map(text).collect()
}
