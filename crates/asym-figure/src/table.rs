//! Tables in Markdown with aligned columns.

use std::fmt;
use std::ops::RangeBounds;

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, ContentArrangement};

/// The width of a terminal, in characters, to which tables are fitted.
pub const TERMINAL: usize = 120;

/// A table of text. Its `Display` is Markdown.
///
/// ```
/// let mut table = asym_figure::Table::new(["layer", "loss"], 1..);
/// table.row(["query", "0.25"]);
/// assert_eq!(table.to_string(), "| layer | loss |\n|-------|------|\n| query | 0.25 |");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    /// Whether a column is aligned to the right.
    numbers: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows. The columns in `numbers`, counted from 0, are aligned to the right.
    pub fn new<C: Into<String>>(header: impl IntoIterator<Item = C>, numbers: impl RangeBounds<usize>) -> Self {
        let header: Vec<String> = header.into_iter().map(Into::into).collect();
        let numbers = (0..header.len()).map(|at| numbers.contains(&at)).collect();
        Self { header, numbers, rows: Vec::new() }
    }

    /// Add a row. Missing cells are empty.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.header.len(), String::new());
        self.rows.push(cells);
    }

    /// Split the columns into tables of at most `width` characters, which all begin with the first `names` columns. If a column
    /// does not fit next to these columns, its table is wider.
    pub fn within(&self, width: usize, names: usize) -> Vec<Self> {
        let first: Vec<usize> = (0..names.min(self.header.len())).collect();
        let (mut tables, mut columns) = (Vec::new(), first.clone());
        for column in first.len()..self.header.len() {
            columns.push(column);
            if columns.len() > first.len() + 1 && self.of(&columns).width() > width {
                columns.pop();
                tables.push(self.of(&columns));
                columns = [first.clone(), vec![column]].concat();
            }
        }
        tables.push(self.of(&columns));
        tables
    }

    /// A table with only these columns.
    fn of(&self, columns: &[usize]) -> Self {
        let pick = |cells: &Vec<String>| columns.iter().map(|column| cells[*column].clone()).collect::<Vec<_>>();
        Self {
            header: pick(&self.header),
            numbers: columns.iter().map(|column| self.numbers[*column]).collect(),
            rows: self.rows.iter().map(pick).collect(),
        }
    }

    /// The width in characters. It is that of the line of dashes, which has no combining characters.
    fn width(&self) -> usize {
        self.to_string().lines().nth(1).map_or(0, |line| line.chars().count())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(&self.header).add_rows(&self.rows);
        for (column, is_number) in table.column_iter_mut().zip(&self.numbers) {
            column.set_cell_alignment(if *is_number { CellAlignment::Right } else { CellAlignment::Left });
        }
        table.fmt(f)
    }
}

/// Notes with their numbers, counted from 1, in lines of at most `width` characters.
pub fn numbered(notes: impl IntoIterator<Item = impl Into<String>>, width: usize) -> String {
    let mut list = comfy_table::Table::new();
    let width = u16::try_from(width).unwrap_or(u16::MAX);
    list.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    for (number, note) in (1..).zip(notes) {
        list.add_row([number.to_string(), note.into()]);
    }
    list.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_tables_are_split_and_repeat_the_row_names() {
        let mut table = Table::new(["B̂", "first", "second", "third"], 1..);
        table.row(["b", "1", "2"]);
        assert_eq!(table.within(100, 1), [table.clone()]);
        // | B | first | second | has 22 characters, and with the third column 30.
        let parts: Vec<String> = table.within(22, 1).iter().map(ToString::to_string).collect();
        assert_eq!(parts.len(), 2, "{parts:?}");
        assert!(parts[0].ends_with("| b |     1 |      2 |") && parts[1].ends_with("| b |       |"), "{parts:?}");
        assert_eq!(table.within(21, 1).len(), 3);
        assert_eq!(table.within(1, 1).len(), 3, "a column that does not fit has a separate table");
    }
}
