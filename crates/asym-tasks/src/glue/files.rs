//! Where a task's files may lie, and what they may be called.

use std::path::{Path, PathBuf};

use super::{Part, Split, Task};
use crate::error::TaskError;
use crate::table::{self, Columns, Format, Reading};

/// A set of files in which a task is distributed.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    train: &'static str,
    dev: &'static [&'static str],
    tests: &'static [&'static str],
    columns: Columns,
    test_columns: Columns,
    naming: Naming,
    skip_short_rows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// These very names, of GLUE's TSV files.
    Files,
    /// Names without their ending: a file or several of any other format.
    Stems,
}

/// The endings of a stem's files, and what they hold. The Hub's TSV files are quoted, unlike GLUE's.
const ENDINGS: [(&str, Format); 5] = [
    (".parquet", Format::Parquet),
    (".jsonl", Format::JsonLines),
    (".json", Format::JsonLines),
    (".csv", Format::Csv),
    (".tsv", Format::Csv),
];

/// A set's files, in their order.
struct Found {
    paths: Vec<PathBuf>,
    format: Format,
}

impl Layout {
    /// GLUE's TSV files by their names.
    pub(super) const fn files(
        train: &'static str,
        dev: &'static [&'static str],
        columns: Columns,
        tests: &'static [&'static str],
        test_columns: Columns,
    ) -> Self {
        Self { train, dev, tests, columns, test_columns, naming: Naming::Files, skip_short_rows: false }
    }

    /// Files as on the Hub: a stem and an ending that tells the format, perhaps in several parts.
    pub(super) const fn stems(
        train: &'static str,
        dev: &'static [&'static str],
        tests: &'static [&'static str],
        columns: Columns,
    ) -> Self {
        Self { train, dev, tests, columns, test_columns: columns, naming: Naming::Stems, skip_short_rows: false }
    }

    /// Rows that are cut short are left out.
    pub(super) const fn skip_short_rows(self) -> Self {
        Self { skip_short_rows: true, ..self }
    }

    pub(super) fn is_pair(&self) -> bool {
        matches!(self.columns, Columns::Named { second: Some(_), .. })
    }

    /// How a search for `names` is described.
    fn describe(&self, names: &[&str]) -> String {
        let names: Vec<String> = match self.naming {
            Naming::Files => names.iter().map(ToString::to_string).collect(),
            Naming::Stems => names.iter().map(|name| format!("{name}.parquet (or .jsonl, .csv)")).collect(),
        };
        names.join(" and ")
    }

    /// The files of `name` in `folder`, if there are any.
    fn find(&self, folder: &Path, name: &str) -> Result<Option<Found>, TaskError> {
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
fn shards(folder: &Path, name: &str, ending: &str) -> Result<Vec<PathBuf>, TaskError> {
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
    match found.first() {
        Some((_, expected, path))
            if found.iter().enumerate().any(|(at, shard)| shard.0 != at) || found.len() != *expected =>
        {
            Err(TaskError::MissingShard { path: path.clone(), expected: *expected, found: found.len() })
        }
        _ => Ok(found.into_iter().map(|(.., path)| path).collect()),
    }
}

/// A layout and the folder whose files have it.
fn search(
    task: Task,
    folder: &Path,
    names: impl Fn(&Layout) -> Vec<&'static str>,
) -> Result<(Layout, Vec<Found>), TaskError> {
    let row = task.row();
    for folder in [folder.to_path_buf(), folder.join(row.title), folder.join(row.name)] {
        for layout in row.layouts {
            let names = names(layout);
            let found: Vec<_> =
                names.iter().map(|name| layout.find(&folder, name)).collect::<Result<_, TaskError>>()?;
            let found: Option<Vec<_>> = found.into_iter().collect();
            if let Some(found) = found.filter(|found| !found.is_empty()) {
                return Ok((*layout, found));
            }
        }
    }
    Err(TaskError::MissingData {
        task: row.name,
        folder: folder.to_owned(),
        looked_for: row
            .layouts
            .iter()
            .map(|layout| layout.describe(&names(layout)))
            .filter(|files| !files.is_empty())
            .collect(),
    })
}

fn read_part(name: &'static str, Found { paths, format }: &Found, reading: Reading) -> Result<Part, TaskError> {
    let mut examples = Vec::new();
    for path in paths {
        examples.append(&mut table::read(path, Reading { format: *format, ..reading })?);
    }
    let source = match paths.as_slice() {
        [path] => path.display().to_string(),
        paths => format!("{} and {} more", paths[0].display(), paths.len() - 1),
    };
    Ok(Part { name, source, examples })
}

pub(super) fn read(task: Task, folder: &Path) -> Result<Split, TaskError> {
    let names = |layout: &Layout| std::iter::once(layout.train).chain(layout.dev.iter().copied()).collect();
    let (layout, files) = search(task, folder, names)?;
    let reading = Reading {
        format: Format::Tsv,
        columns: layout.columns,
        answers: task.row().answers,
        skip_short_rows: layout.skip_short_rows,
    };
    let train = read_part("", &files[0], reading)?;
    let dev = files[1..].iter().zip(task.row().parts).map(|(files, name)| read_part(name, files, reading));
    Ok(Split { train, dev: dev.collect::<Result<_, _>>()? })
}

pub(super) fn read_tests(task: Task, folder: &Path) -> Result<Vec<Part>, TaskError> {
    let (layout, files) = search(task, folder, |layout| layout.tests.to_vec())?;
    let columns = match layout.test_columns {
        Columns::Named { first, second, .. } => Columns::Named { first, second, label: None },
        positional @ Columns::Positional { .. } => positional,
    };
    // Each row of a test set must get its answer, so that none is left out.
    let reading = Reading { format: Format::Tsv, columns, answers: task.row().answers, skip_short_rows: false };
    files.iter().zip(task.row().parts).map(|(files, name)| read_part(name, files, reading)).collect()
}
