//! Documents and summaries from files.

use std::path::Path;

use asym_data::table::{self, Files, Format, Reading};

use super::error::SummarizationError;
use super::options::SummarizationOptions;
use crate::sets;

/// A document with its summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The document, exactly as in the file.
    pub text: String,
    /// The summary.
    pub summary: String,
    /// The line in the file, or the row of a Parquet file, counted from 1.
    pub line: usize,
}

/// The rows of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// The files, for messages.
    pub source: String,
    /// The rows with both a document and a summary.
    pub rows: Vec<Document>,
    /// The lines of the rows without a document or a summary. XSum has such rows.
    pub empty: Vec<usize>,
}

/// The folders of a repository on the Hub that contain its sets: CNN/DailyMail's version, and the folder of converted data sets.
const FOLDERS: [&str; 3] = ["data", "3.0.0", "default"];

/// The training set at `path`, which is a file or a folder, and the set for the evaluation if there is one.
///
/// # Errors
///
/// [`SummarizationError::Sets`], and files that cannot be read.
pub(super) fn read(
    path: &Path,
    columns: [&str; 2],
    options: &SummarizationOptions,
) -> Result<(Documents, Option<Documents>), SummarizationError> {
    let (train, dev) = sets::pair(path, &FOLDERS, options.dev.as_deref())?;
    let header = options.header.unwrap_or(true);
    Ok((documents(&train, columns, header)?, dev.map(|dev| documents(&dev, columns, header)).transpose()?))
}

/// The set called `name` in the folder at `path`, or all rows if `path` is a file.
///
/// # Errors
///
/// [`SummarizationError::Sets`], and files that cannot be read.
pub(super) fn read_set(
    path: &Path,
    name: &str,
    columns: [&str; 2],
    header: bool,
) -> Result<Documents, SummarizationError> {
    let names: &[&str] = if sets::DEV.contains(&name) { &sets::DEV } else { &[name] };
    documents(&sets::set(path, &FOLDERS, names)?, columns, header)
}

fn documents(files: &Files, columns: [&str; 2], header: bool) -> Result<Documents, SummarizationError> {
    let names = columns.map(ToOwned::to_owned);
    let reading = Reading { format: files.format, columns: sets::columns(&names, header)?, skip_short_rows: false };
    let mut found = Documents { source: files.describe(), ..Documents::default() };
    for path in &files.paths {
        for row in table::read(path, &reading)? {
            let [text, summary] = sets::texts(path, &row, &names)?;
            if text.trim().is_empty() || summary.trim().is_empty() {
                found.empty.push(row.line);
            } else {
                found.rows.push(Document { text, summary, line: row.line });
            }
        }
    }
    Ok(found)
}

/// Whether a file of a repository on the Hub can belong to the data.
pub(super) fn is_wanted(path: &str) -> bool {
    // The repository of CNN/DailyMail has three versions of the articles, which do not differ in the columns that are used here.
    !["1.0.0/", "2.0.0/"].iter().any(|version| path.starts_with(version)) && Format::of(Path::new(path)).is_some()
}
