//! The files of a user's own data, and their rows.

use std::path::Path;

use asym_data::table::{self, Cell, Columns, Files, Reading, TableError};

use super::error::ClassificationError;
use super::options::ClassificationOptions;
use crate::names::Names;
use crate::sets;

/// The names of the columns of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The column of the text.
    pub text: String,
    /// The column of the second text.
    pub pair: Option<String>,
    /// The columns of the answer.
    pub label: Names,
    /// Whether the first row contains the names of the columns. If not, the columns are numbered from 1.
    pub header: bool,
}

impl Named {
    /// The columns that are set in `options`.
    ///
    /// # Errors
    ///
    /// [`ClassificationError::Missing`].
    pub fn of(options: &ClassificationOptions) -> Result<Self, ClassificationError> {
        let missing = |setting, how| ClassificationError::Missing { setting, how };
        let text = options.text.clone();
        let text = text.ok_or_else(|| missing("text", "name the column of the texts, as in --text review"))?;
        let label = options.label.clone().filter(|label| !label.all().is_empty());
        let label = label.ok_or_else(|| missing("label", "name the column of the answers, as in --label stars"))?;
        Ok(Self { text, pair: options.pair.clone(), label, header: options.header.unwrap_or(true) })
    }

    fn wanted(&self) -> Result<Columns, ClassificationError> {
        let names = std::iter::once(&self.text).chain(&self.pair).chain(self.label.all());
        Ok(sets::columns(&names.cloned().collect::<Vec<_>>(), self.header)?)
    }
}

/// The rows of a data set, with the answers as they appear in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The names of the files, for messages.
    pub source: String,
    /// The rows.
    pub rows: Vec<Raw>,
}

/// A row, with the answer as it appears in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// The text.
    pub first: String,
    /// The second text.
    pub second: Option<String>,
    /// The cells of the columns of the answer.
    pub answer: Vec<Cell>,
    /// The line in the file, counted from 1.
    pub line: usize,
}

/// The training set at `path`, which is a file or a folder, and the evaluation set, if there is one.
///
/// # Errors
///
/// [`ClassificationError::Sets`], and files that cannot be read.
pub fn read(
    path: &Path,
    named: &Named,
    options: &ClassificationOptions,
) -> Result<(Rows, Option<Rows>), ClassificationError> {
    let (train, dev) = sets::pair(path, &["data"], options.dev.as_deref())?;
    Ok((rows(&train, named)?, dev.map(|dev| rows(&dev, named)).transpose()?))
}

fn rows(files: &Files, named: &Named) -> Result<Rows, ClassificationError> {
    let reading = Reading { format: files.format, columns: named.wanted()?, skip_short_rows: false };
    let mut rows = Vec::new();
    for path in &files.paths {
        for row in table::read(path, &reading)? {
            let mut cells = row.cells.into_iter();
            let mut text = |column: &String| {
                let cell = cells.next();
                cell.and_then(|cell| cell.text().map(|text| text.into_owned())).ok_or_else(|| {
                    let (path, column) = (path.display().to_string(), column.clone());
                    TableError::MissingValue { path, line: row.line, column }
                })
            };
            let first = text(&named.text)?;
            let second = named.pair.as_ref().map(&mut text).transpose()?;
            rows.push(Raw { first, second, answer: cells.collect(), line: row.line });
        }
    }
    Ok(Rows { source: files.describe(), rows })
}
