//! Finding and reading the files of a data set.

use std::path::Path;

use asym_data::table::{self, Files, Format, Reading, TableError};

use super::answers::Answers;
use super::dataset::{Dataset, Part, Split};
use super::error::GlueError;
use super::layout::{Columns, Layout, Naming};
use crate::text::{Example, Target};

impl Layout {
    /// The files of the set `name` in `folder`, if there are any. GLUE's own TSV files have no quoting, but TSV files from the
    /// Hub do.
    fn find(&self, folder: &Path, name: &str) -> Result<Option<Files>, GlueError> {
        if self.naming == Naming::Files {
            let path = folder.join(name);
            return Ok(path.is_file().then(|| Files { paths: vec![path], format: Format::Tsv }));
        }
        Ok(Files::find(folder, name)?)
    }
}

/// The first layout whose files are in `folder` or in the data set's subfolder, and these files.
fn search(
    dataset: Dataset,
    folder: &Path,
    names: impl Fn(&Layout) -> Vec<&'static str>,
) -> Result<(Layout, Vec<Files>), GlueError> {
    let row = dataset.row();
    for folder in [folder.to_path_buf(), folder.join(row.title), folder.join(row.name)] {
        for layout in row.layouts {
            let names = names(layout);
            let found: Vec<_> =
                names.iter().map(|name| layout.find(&folder, name)).collect::<Result<_, GlueError>>()?;
            let found: Option<Vec<_>> = found.into_iter().collect();
            if let Some(found) = found.filter(|found| !found.is_empty()) {
                return Ok((*layout, found));
            }
        }
    }
    Err(GlueError::MissingData {
        dataset: row.name,
        folder: folder.to_owned(),
        looked_for: row
            .layouts
            .iter()
            .map(|layout| layout.describe(&names(layout)))
            .filter(|files| !files.is_empty())
            .collect(),
    })
}

/// How to convert the rows of a set to examples.
#[derive(Clone, Copy)]
struct Rows {
    columns: Columns,
    answers: Answers,
    skip_short_rows: bool,
}

impl Rows {
    fn read_part(self, name: &'static str, files: &Files) -> Result<Part, GlueError> {
        let reading =
            Reading { format: files.format, columns: self.columns.wanted(), skip_short_rows: self.skip_short_rows };
        let mut examples = Vec::new();
        for path in &files.paths {
            let file = path.display().to_string();
            for row in table::read(path, &reading)? {
                examples.push(self.example(&file, row)?);
            }
        }
        Ok(Part { name, source: files.describe(), examples })
    }

    /// Convert `row` to an example. Its cells are in the order of [`Columns::wanted`].
    fn example(self, path: &str, table::Row { line, cells }: table::Row) -> Result<Example, GlueError> {
        let mut cells = cells.into_iter();
        let mut text = |column: &str| {
            let text = match cells.next() {
                Some(table::Cell::Text(text)) => Some(text),
                cell => cell.and_then(|cell| cell.text().map(|text| text.into_owned())),
            };
            text.ok_or_else(|| TableError::MissingValue { path: path.to_owned(), line, column: column.to_owned() })
        };
        let (first, second) = match self.columns {
            Columns::Named { first, second, .. } => (text(first)?, second.map(text).transpose()?),
            Columns::Positional { first, .. } => (text(&first.to_string())?, None),
        };
        let target = match cells.next().filter(|_| self.columns.has_label()) {
            Some(label) => self.answers.parse(path, line, &label)?,
            None => Target::Unknown,
        };
        Ok(Example { first, second, target, line })
    }
}

/// Reads the training and development sets from `folder` or from the data set's subfolder. The first layout whose files exist is
/// used.
///
/// # Errors
///
/// [`GlueError::MissingData`] lists every file that was looked for. [`GlueError::Table`], [`GlueError::UnknownLabel`] and
/// [`GlueError::UnknownScore`] if a file cannot be parsed.
pub fn read(dataset: Dataset, folder: &Path) -> Result<Split, GlueError> {
    let names = |layout: &Layout| std::iter::once(layout.train).chain(layout.dev.iter().copied()).collect();
    let (layout, files) = search(dataset, folder, names)?;
    let row = dataset.row();
    let rows = Rows { columns: layout.columns, answers: row.answers, skip_short_rows: layout.skip_short_rows };
    let train = rows.read_part("", &files[0])?;
    let dev = files[1..].iter().zip(row.parts).map(|(files, name)| rows.read_part(name, files));
    Ok(Split { train, dev: dev.collect::<Result<_, _>>()? })
}

/// Reads the test sets, which have no labels, from `folder` as [`read`] does.
///
/// # Errors
///
/// The errors of [`read`].
pub fn read_tests(dataset: Dataset, folder: &Path) -> Result<Vec<Part>, GlueError> {
    let (layout, files) = search(dataset, folder, |layout| layout.tests.to_vec())?;
    let row = dataset.row();
    // Each row of a test set needs an answer, so short rows are not skipped.
    let rows = Rows { columns: layout.test_columns.without_label(), answers: row.answers, skip_short_rows: false };
    files.iter().zip(row.parts).map(|(files, name)| rows.read_part(name, files)).collect()
}
