//! Tables in Markdown.

use std::ops::Range;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// A table without rows, whose columns `numbers` are aligned to the right.
pub(crate) fn table<const N: usize>(header: [&str; N], numbers: Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(numbers.start).take(numbers.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
