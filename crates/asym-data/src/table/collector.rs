//! The rows of a file while it is read.

use super::error::TableError;
use super::row::{Cell, Columns, Reading, Row};

/// Collects the rows of a file.
pub(super) struct Collector<'a> {
    pub(super) path: &'a str,
    reading: &'a Reading,
    rows: Vec<Row>,
    skipped: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(path: &'a str, reading: &'a Reading) -> Result<Self, TableError> {
        if let Columns::Positional { width, wanted } = &reading.columns
            && let Some(position) = wanted.iter().find(|position| *position >= width)
        {
            return Err(TableError::Position { path: path.to_owned(), position: *position, width: *width });
        }
        Ok(Self { path, reading, rows: Vec::new(), skipped: 0 })
    }

    /// The width of each row and the positions of the wanted cells, if the columns are positional. If not, [`find`](Self::find)
    /// determines them from the first row.
    pub(super) fn fixed(&self) -> Option<(usize, Vec<usize>)> {
        match &self.reading.columns {
            Columns::Positional { width, wanted } => Some((*width, wanted.clone())),
            Columns::Named(_) | Columns::Numbered(_) => None,
        }
    }

    /// Whether the first row, which [`find`](Self::find) reads, is a header and not data.
    pub(super) fn has_header(&self) -> bool {
        matches!(self.reading.columns, Columns::Named(_))
    }

    /// The positions of the wanted cells in a file whose columns have these names.
    pub(super) fn find(&self, names: &[&str]) -> Result<Vec<usize>, TableError> {
        let wanted = match &self.reading.columns {
            Columns::Named(wanted) => wanted,
            Columns::Positional { width, wanted } => {
                if names.len() != *width {
                    let (expected, found) = (*width, names.len());
                    return Err(TableError::ColumnCount { path: self.path.to_owned(), line: 1, expected, found });
                }
                return Ok(wanted.clone());
            }
            Columns::Numbered(wanted) => {
                let position = |number: &usize| {
                    let (position, width) = (number.wrapping_sub(1), names.len());
                    if position < width {
                        return Ok(position);
                    }
                    Err(TableError::Number { path: self.path.to_owned(), number: *number, width })
                };
                return wanted.iter().map(position).collect();
            }
        };
        let position = |expected: &String| {
            let exact = |name: &&str| name.trim() == expected.trim();
            let similar = |name: &&str| name.trim().eq_ignore_ascii_case(expected.trim());
            let at = |is: &dyn Fn(&&str) -> bool| -> Vec<usize> {
                names.iter().enumerate().filter(|(_, name)| is(name)).map(|(at, _)| at).collect()
            };
            let found = Some(at(&exact)).filter(|found| !found.is_empty()).unwrap_or_else(|| at(&similar));
            match found.as_slice() {
                [position] => Ok(*position),
                [] => Err(TableError::MissingColumn {
                    path: self.path.to_owned(),
                    expected: expected.clone(),
                    found: names.iter().map(|name| name.trim().to_owned()).collect(),
                }),
                _ => Err(TableError::RepeatedColumn { path: self.path.to_owned(), column: expected.clone() }),
            }
        };
        wanted.iter().map(position).collect()
    }

    /// Adds a row of texts.
    pub(super) fn texts<'b>(&mut self, line: usize, cells: impl Iterator<Item = &'b str>) {
        self.rows.push(Row { line, cells: cells.map(|cell| Cell::Text(cell.to_owned())).collect() });
    }

    /// Adds a row of cells, each with the name of its column. `None` is a cell that is missing or cannot be read.
    pub(super) fn cells<'b>(
        &mut self,
        line: usize,
        cells: impl Iterator<Item = (&'b str, Option<Cell>)>,
    ) -> Result<(), TableError> {
        let present = |(column, cell): (&str, Option<Cell>)| {
            cell.ok_or_else(|| TableError::MissingValue { path: self.path.to_owned(), line, column: column.to_owned() })
        };
        let cells = cells.map(present).collect::<Result<_, _>>()?;
        self.rows.push(Row { line, cells });
        Ok(())
    }

    /// Skips or refuses a row of `found` columns, if it is not `expected` columns wide.
    pub(super) fn wrong_width(&mut self, line: usize, expected: usize, found: usize) -> Result<(), TableError> {
        if self.reading.skip_short_rows && found < expected {
            self.skipped += 1;
            return Ok(());
        }
        Err(TableError::ColumnCount { path: self.path.to_owned(), line, expected, found })
    }

    pub(super) fn finish(self) -> Result<Vec<Row>, TableError> {
        if self.skipped > 0 {
            log::warn!("{}: rows with too few columns, which were left out: {}", self.path, self.skipped);
        }
        if self.rows.is_empty() {
            return Err(TableError::EmptyFile { path: self.path.to_owned() });
        }
        Ok(self.rows)
    }
}
