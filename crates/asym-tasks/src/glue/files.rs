//! Finding and reading the files of a data set.

use std::path::{Path, PathBuf};

use asym_data::table::{self, Format, Reading, TableError};

use super::answers::{Answers, Example, Target};
use super::dataset::{Dataset, Part, Split};
use super::error::GlueError;
use super::layout::{Columns, Layout, Naming};

/// The endings of a stem's files, and their formats. The Hub's TSV files are quoted, unlike GLUE's.
const ENDINGS: [(&str, Format); 5] = [
    (".parquet", Format::Parquet),
    (".jsonl", Format::JsonLines),
    (".json", Format::JsonLines),
    (".csv", Format::Csv),
    (".tsv", Format::Csv),
];

/// The files of one set, in their order.
struct Found {
    paths: Vec<PathBuf>,
    format: Format,
}

impl Layout {
    /// The files of the set `name` in `folder`, if there are any.
    fn find(&self, folder: &Path, name: &str) -> Result<Option<Found>, GlueError> {
        if self.naming == Naming::Files {
            let path = folder.join(name);
            return Ok(path.is_file().then(|| Found { paths: vec![path], format: Format::Tsv }));
        }
        for (ending, format) in ENDINGS {
            let path = folder.join(format!("{name}{ending}"));
            if path.is_file() {
                return Ok(Some(Found { paths: vec![path], format }));
            }
            let shards = shards(folder, name, ending)?;
            if !shards.is_empty() {
                return Ok(Some(Found { paths: shards, format }));
            }
        }
        Ok(None)
    }
}

/// The files `NAME-00000-of-00003.ENDING`, all of them.
fn shards(folder: &Path, name: &str, ending: &str) -> Result<Vec<PathBuf>, GlueError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found: Vec<(usize, usize, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(ending)?;
            let (number, count) = rest.split_once("-of-")?;
            Some((number.parse().ok()?, count.parse().ok()?, path))
        })
        .collect();
    found.sort();
    if let Some((_, expected, path)) = found.first()
        && (found.len() != *expected || found.iter().enumerate().any(|(at, shard)| shard.0 != at))
    {
        return Err(GlueError::MissingShard { path: path.clone(), expected: *expected, found: found.len() });
    }
    Ok(found.into_iter().map(|(.., path)| path).collect())
}

/// The first layout whose files are in `folder` or in the data set's own folder below it, and these files.
fn search(
    dataset: Dataset,
    folder: &Path,
    names: impl Fn(&Layout) -> Vec<&'static str>,
) -> Result<(Layout, Vec<Found>), GlueError> {
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

/// How the rows of a set become examples.
#[derive(Clone, Copy)]
struct Rows {
    columns: Columns,
    answers: Answers,
    skip_short_rows: bool,
}

impl Rows {
    fn read_part(self, name: &'static str, Found { paths, format }: &Found) -> Result<Part, GlueError> {
        let reading =
            Reading { format: *format, columns: self.columns.wanted(), skip_short_rows: self.skip_short_rows };
        let mut examples = Vec::new();
        for path in paths {
            let file = path.display().to_string();
            for row in table::read(path, &reading)? {
                examples.push(self.example(&file, row)?);
            }
        }
        let source = match paths.as_slice() {
            [path] => path.display().to_string(),
            paths => format!("{} and {} more", paths[0].display(), paths.len() - 1),
        };
        Ok(Part { name, source, examples })
    }

    /// The cells of `row` are in the order of [`Columns::wanted`].
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

/// Reads the training and development sets from `folder`, or from the data set's own folder below it, in the first
/// layout whose files are there.
///
/// # Errors
///
/// [`GlueError::MissingData`] names every file that was looked for. [`GlueError::MissingShard`] if a set is incomplete,
/// [`GlueError::Table`], [`GlueError::UnknownLabel`] and [`GlueError::UnknownScore`] if a file cannot be understood.
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
/// As [`read`].
pub fn read_tests(dataset: Dataset, folder: &Path) -> Result<Vec<Part>, GlueError> {
    let (layout, files) = search(dataset, folder, |layout| layout.tests.to_vec())?;
    let row = dataset.row();
    // Each row of a test set must get an answer, so none is left out.
    let rows = Rows { columns: layout.test_columns.without_label(), answers: row.answers, skip_short_rows: false };
    files.iter().zip(row.parts).map(|(files, name)| rows.read_part(name, files)).collect()
}
