//! Tab-separated files as GLUE ships them: no quoting, perhaps a header.

use ::csv::StringRecord;

use super::Collector;
use super::csv::Quotes;
use crate::error::TaskError;

/// Reads `text`.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TaskError> {
    if let Some(line) = quoted(text) {
        return Err(TaskError::QuotedTsv { path: collector.path.to_owned(), line });
    }
    // Quoting is off because a `"` is text here, often without its partner. Only a newline ends a row: a carriage
    // return before it is taken off below, any other belongs to its sentence.
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .has_headers(false)
        .flexible(true)
        .terminator(::csv::Terminator::Any(b'\n'))
        .from_reader(text.as_bytes());
    let mut columns: Option<(usize, Vec<usize>)> = None;
    let mut record = StringRecord::new();
    loop {
        // The reader skips blank lines without moving the position that it gives the record behind them.
        let start = reader.position();
        let blank = text.as_bytes()[start.byte() as usize..].iter().take_while(|byte| **byte == b'\n').count();
        let line = start.line() as usize + blank;
        let more = reader
            .read_record(&mut record)
            .map_err(|source| TaskError::Csv { path: collector.path.to_owned(), source })?;
        if !more {
            return Ok(());
        }
        if record.len() == 1 && record[0].trim().is_empty() {
            continue;
        }
        let (width, wanted) = match &columns {
            Some(columns) => columns,
            None => {
                let names: Vec<&str> = record.iter().collect();
                let width = collector.width_without_header();
                let columns = columns.insert((width.unwrap_or(names.len()), collector.wanted(&names)?));
                if width.is_none() {
                    continue;
                }
                columns
            }
        };
        // One column too many is refused as well: a tab inside a sentence would silently cut it.
        if record.len() != *width {
            collector.wrong_width(line, *width, record.len())?;
            continue;
        }
        let cells: Vec<&str> = wanted.iter().map(|position| cell(&record, *position)).collect();
        collector.row(line, &cells)?;
    }
}

/// A cell, without the carriage return that ends a line of Windows.
fn cell(record: &StringRecord, position: usize) -> &str {
    let cell = &record[position];
    match cell.strip_suffix('\r') {
        Some(text) if position + 1 == record.len() => text,
        _ => cell,
    }
}

/// The first line that shows that the file is quoted as CSV is, if it is.
///
/// A program that quotes writes each `"` of a text twice and puts the cell between quotes. Where every quote of a file can
/// be read so, and at least one is doubled, quotes are marks and not text. GLUE's own files have lone quotes all over.
fn quoted(text: &str) -> Option<usize> {
    match Quotes::scan(text, b'\t') {
        Quotes { proper: true, open: None, doubled } => doubled,
        _ => None,
    }
}
