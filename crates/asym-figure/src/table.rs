//! Tables in Markdown, whose columns are as wide as their cells.

use std::fmt;
use std::ops::RangeBounds;

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, ContentArrangement};

/// A table of text. Its `Display` is Markdown.
///
/// ```
/// let mut table = asym_figure::Table::new(["layer", "loss"], 1..);
/// table.row(["query", "0.25"]);
/// assert_eq!(table.to_string(), "| layer | loss |\n|-------|------|\n| query | 0.25 |");
/// ```
#[derive(Debug, Clone)]
pub struct Table(comfy_table::Table);

impl Table {
    /// A table without rows, whose columns `numbers`, counted from 0, are aligned to the right.
    pub fn new<C: Into<String>>(header: impl IntoIterator<Item = C>, numbers: impl RangeBounds<usize>) -> Self {
        let header: Vec<String> = header.into_iter().map(Into::into).collect();
        let mut table = comfy_table::Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(header);
        for (at, column) in table.column_iter_mut().enumerate() {
            let is_number = numbers.contains(&at);
            column.set_cell_alignment(if is_number { CellAlignment::Right } else { CellAlignment::Left });
        }
        Self(table)
    }

    /// Add a row.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.0.add_row(cells.into_iter().map(Into::into).collect::<Vec<String>>());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Notes with their numbers, counted from 1, in lines of at most `width` characters.
pub fn numbered(notes: impl IntoIterator<Item = impl Into<String>>, width: u16) -> String {
    let mut list = comfy_table::Table::new();
    list.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    for (number, note) in (1..).zip(notes) {
        list.add_row([number.to_string(), note.into()]);
    }
    list.trim_fmt()
}
