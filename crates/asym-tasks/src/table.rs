//! Files of labelled texts, whatever their format: GLUE's TSV, CSV, JSON lines, the Hub's Parquet.
//!
//! A format is one file below this one: it tells the `Collector` its columns once and then each row's cells, and knows
//! nothing of tasks.

mod csv;
mod json_lines;
mod parquet;
#[cfg(test)]
mod tests;
mod tsv;

use std::path::Path;

use crate::error::TaskError;

/// Where a layout keeps what a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// The file names its columns; neither their order nor the case of the names matters.
    Named {
        /// The (first) sentence.
        first: &'static str,
        /// The second sentence of a pair.
        second: Option<&'static str>,
        /// The label; none in a test set.
        label: Option<&'static str>,
    },
    /// No header; positions count from 0.
    Positional {
        /// Columns of each row.
        width: usize,
        /// The (first) sentence.
        first: usize,
        /// The label.
        label: usize,
    },
}

/// What is right for an example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A class, an index into the task's names of classes.
    Class(usize),
    /// A number, such as a degree of similarity.
    Score(f32),
    /// Nobody knows: the example is of a test set, or somebody's own text.
    Unknown,
}

/// What a task asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers {
    /// One of these classes. Files give a class by its name, by its spelling, or by its position here, as the Hub's do.
    Classes {
        /// What people and configurations call them; a class is an index into it.
        names: &'static [&'static str],
        /// How GLUE's files write them, in the same order.
        spelt: &'static [&'static str],
    },
    /// A number of this range, both ends included.
    Score {
        /// The least.
        least: f32,
        /// The most.
        most: f32,
    },
}

/// One text or pair of texts, with what is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The text, or the first of a pair, exactly as the file has it.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// What is right.
    pub target: Target,
    /// The line in the file, or the row of a Parquet file, counted from 1.
    pub line: usize,
}

/// How a file holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tabs between cells and nothing quoted, as GLUE ships its files.
    Tsv,
    /// Cells quoted where they must be, by commas or tabs: what spreadsheets, pandas and the Hub write.
    Csv,
    /// A JSON object per line.
    JsonLines,
    /// Apache Parquet, the Hub's own.
    Parquet,
}

/// How to read a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// How the file holds its rows.
    pub format: Format,
    /// Where it keeps what the task needs.
    pub columns: Columns,
    /// What its labels may be.
    pub answers: Answers,
    /// Whether rows with too few columns are left out, with a warning, rather than refused.
    pub skip_short_rows: bool,
}

impl Answers {
    /// The names of the classes; none where a score is asked for.
    pub fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Classes { names, .. } => names,
            Self::Score { .. } => &[],
        }
    }

    /// Outputs that a model needs: one per class, or one for a score.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { names, .. } => names.len(),
            Self::Score { .. } => 1,
        }
    }

    fn parse(&self, path: &str, line: usize, found: &str) -> Result<Target, TaskError> {
        let found = found.trim();
        match self {
            Self::Classes { names, spelt } => names
                .iter()
                .position(|name| *name == found)
                .or_else(|| spelt.iter().position(|name| *name == found))
                // A column of numbers with a hole in it becomes one of floats in pandas: `1.0`.
                .or_else(|| {
                    found.parse::<f64>().ok().and_then(|number| (0..names.len()).find(|class| *class as f64 == number))
                })
                .map(Target::Class)
                .ok_or_else(|| TaskError::UnknownLabel {
                    path: path.to_owned(),
                    line,
                    found: found.to_owned(),
                    allowed: spelt,
                }),
            Self::Score { least, most } => found
                .parse::<f32>()
                .ok()
                .filter(|score| (*least..=*most).contains(score))
                .map(Target::Score)
                .ok_or_else(|| TaskError::UnknownScore {
                    path: path.to_owned(),
                    line,
                    found: found.to_owned(),
                    least: *least,
                    most: *most,
                }),
        }
    }
}

/// Reads the file at `path`.
///
/// # Errors
///
/// [`TaskError::Io`], [`TaskError::NotUtf8`], [`TaskError::Parquet`], and what [`parse`] refuses.
pub fn read(path: &Path, reading: Reading) -> Result<Vec<Example>, TaskError> {
    let name = path.display().to_string();
    if reading.format == Format::Parquet {
        let mut collector = Collector::new(&name, reading);
        let file = std::fs::File::open(path).map_err(|source| TaskError::Io { path: path.to_owned(), source })?;
        parquet::read(file, &mut collector)?;
        return collector.finish();
    }
    let bytes = std::fs::read(path).map_err(|source| TaskError::Io { path: path.to_owned(), source })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| TaskError::NotUtf8 {
        path: name.clone(),
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
    })?;
    parse(&name, text, reading)
}

/// Reads the text of a file that errors call `name`.
///
/// # Errors
///
/// [`TaskError::EmptyFile`], [`TaskError::MissingColumn`], [`TaskError::QuotedTsv`], and, with their line,
/// [`TaskError::Csv`], [`TaskError::Json`], [`TaskError::ColumnCount`], [`TaskError::MissingValue`],
/// [`TaskError::UnknownLabel`], [`TaskError::UnknownScore`].
pub fn parse(name: &str, text: &str, reading: Reading) -> Result<Vec<Example>, TaskError> {
    // Some files begin with a byte order mark, which would become part of the first column's name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut collector = Collector::new(name, reading);
    match reading.format {
        Format::Tsv => tsv::read(text, &mut collector)?,
        Format::Csv => csv::read(text, &mut collector)?,
        Format::JsonLines => json_lines::read(text, &mut collector)?,
        Format::Parquet => {
            let source = "a Parquet file is no text: read it by its path".into();
            return Err(TaskError::Parquet { path: name.to_owned(), source });
        }
    }
    collector.finish()
}

/// Takes the rows of a file and keeps what the task needs.
struct Collector<'a> {
    path: &'a str,
    reading: Reading,
    examples: Vec<Example>,
    skipped: usize,
}

impl<'a> Collector<'a> {
    fn new(path: &'a str, reading: Reading) -> Self {
        Self { path, reading, examples: Vec::new(), skipped: 0 }
    }

    /// The positions of the cells that [`row`](Self::row) wants, in its order, in a file whose columns are called
    /// `names`.
    fn wanted(&self, names: &[&str]) -> Result<Vec<usize>, TaskError> {
        match self.reading.columns {
            Columns::Positional { first, label, .. } => Ok(vec![first, label]),
            Columns::Named { first, second, label } => [Some(first), second, label]
                .into_iter()
                .flatten()
                .map(|expected| {
                    names.iter().position(|name| name.trim().eq_ignore_ascii_case(expected)).ok_or_else(|| {
                        TaskError::MissingColumn {
                            path: self.path.to_owned(),
                            expected,
                            found: names.iter().map(|name| name.trim().to_owned()).collect(),
                        }
                    })
                })
                .collect(),
        }
    }

    /// The number of columns of a file without a header.
    fn width_without_header(&self) -> Option<usize> {
        match self.reading.columns {
            Columns::Positional { width, .. } => Some(width),
            Columns::Named { .. } => None,
        }
    }

    /// A row's wanted cells: first text, second text where there is one, label where there is one.
    fn row(&mut self, line: usize, cells: &[&str]) -> Result<(), TaskError> {
        let (pair, labelled) = match self.reading.columns {
            Columns::Named { second, label, .. } => (second.is_some(), label.is_some()),
            Columns::Positional { .. } => (false, true),
        };
        let mut cells = cells.iter().copied();
        let first = cells.next().unwrap_or_default().to_owned();
        let second = if pair { cells.next().map(ToOwned::to_owned) } else { None };
        let target = match cells.next() {
            Some(label) if labelled => self.reading.answers.parse(self.path, line, label)?,
            _ => Target::Unknown,
        };
        self.examples.push(Example { first, second, target, line });
        Ok(())
    }

    /// A row of `found` columns where `expected` were.
    fn wrong_width(&mut self, line: usize, expected: usize, found: usize) -> Result<(), TaskError> {
        if self.reading.skip_short_rows && found < expected {
            self.skipped += 1;
            return Ok(());
        }
        Err(TaskError::ColumnCount { path: self.path.to_owned(), line, expected, found })
    }

    fn finish(self) -> Result<Vec<Example>, TaskError> {
        if self.skipped > 0 {
            log::warn!("{}: {} rows with too few columns were left out", self.path, self.skipped);
        }
        if self.examples.is_empty() {
            return Err(TaskError::EmptyFile { path: self.path.to_owned() });
        }
        Ok(self.examples)
    }
}
