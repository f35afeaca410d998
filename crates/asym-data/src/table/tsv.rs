//! Tab-separated files without quoting, with or without a header.

use ::csv::StringRecord;

use super::collector::Collector;
use super::error::TableError;
use super::quotes::Quotes;

/// Reads `text`.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TableError> {
    if let Some(line) = quoted(text) {
        return Err(TableError::QuotedTsv { path: collector.path.to_owned(), line });
    }
    // Quoting is off because a `"` is text here, and it is often unpaired. Only a newline ends a row. A carriage return before
    // the newline is removed below, and any other carriage return is part of a text.
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .has_headers(false)
        .flexible(true)
        .terminator(::csv::Terminator::Any(b'\n'))
        .from_reader(text.as_bytes());
    let mut columns = collector.fixed();
    let mut record = StringRecord::new();
    loop {
        // The reader skips blank lines after this position, so they are added to the line of the next record.
        let start = reader.position();
        let blank = text.as_bytes()[start.byte() as usize..].iter().take_while(|byte| **byte == b'\n').count();
        let line = start.line() as usize + blank;
        let more = reader
            .read_record(&mut record)
            .map_err(|source| TableError::Csv { path: collector.path.to_owned(), source })?;
        if !more {
            return Ok(());
        }
        if record.len() == 1 && record[0].trim().is_empty() {
            continue;
        }
        if columns.is_none() {
            let names: Vec<&str> = record.iter().collect();
            columns = Some((names.len(), collector.find(&names)?));
            if collector.has_header() {
                continue;
            }
        }
        let Some((width, wanted)) = &columns else { continue };
        // An extra column is refused as well, because a tab inside a text would truncate the text.
        if record.len() != *width {
            collector.wrong_width(line, *width, record.len())?;
            continue;
        }
        collector.texts(line, wanted.iter().map(|position| cell(&record, *position)));
    }
}

/// A cell, without the carriage return of a Windows line end.
fn cell(record: &StringRecord, position: usize) -> &str {
    let cell = &record[position];
    match cell.strip_suffix('\r') {
        Some(text) if position + 1 == record.len() => text,
        _ => cell,
    }
}

/// The first line with a doubled quote, if the file is quoted like a CSV file.
///
/// A program that quotes cells writes each `"` of a text twice and puts the cell between quotes. If every quote of a file
/// follows this rule, and at least one quote is doubled, the quotes are not part of the texts. A TSV file without quoting, such
/// as those of many benchmarks, usually has unpaired quotes in its texts.
fn quoted(text: &str) -> Option<usize> {
    match Quotes::scan(text, b'\t') {
        Quotes { proper: true, open: None, doubled } => doubled,
        _ => None,
    }
}
