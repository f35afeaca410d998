//! Comma- and tab-separated files whose cells are quoted where they must be.

use super::Collector;
use crate::error::TaskError;

/// Reads `text`; its first row names the columns.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TaskError> {
    let header = text.lines().next().unwrap_or_default();
    // No task has a comma or a tab in a column's name.
    let delimiter = if header.contains('\t') { b'\t' } else { b',' };
    if let Some(line) = Quotes::scan(text, delimiter).open {
        return Err(TaskError::OpenQuote { path: collector.path.to_owned(), line });
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let path = collector.path;
    let mut columns: Option<(usize, Vec<usize>)> = None;
    for record in reader.records() {
        let record = record.map_err(|source| TaskError::Csv { path: path.to_owned(), source })?;
        let Some((width, wanted)) = &columns else {
            let names: Vec<&str> = record.iter().collect();
            columns = Some((names.len(), collector.wanted(&names)?));
            continue;
        };
        let line = record.position().map_or(0, |position| position.line() as usize);
        if record.len() != *width {
            collector.wrong_width(line, *width, record.len())?;
            continue;
        }
        let cells: Vec<&str> = wanted.iter().map(|position| &record[*position]).collect();
        collector.row(line, &cells)?;
    }
    Ok(())
}

/// How a text uses quotes.
pub(super) struct Quotes {
    /// Whether quotes surround whole cells or are doubled within them, and stand nowhere else.
    pub(super) proper: bool,
    /// The line of a cell whose quote is never closed.
    pub(super) open: Option<usize>,
    /// The line of the first doubled quote.
    pub(super) doubled: Option<usize>,
}

impl Quotes {
    /// Reads `text` as a CSV reader does.
    pub(super) fn scan(text: &str, delimiter: u8) -> Self {
        let mut quotes = Self { proper: true, open: None, doubled: None };
        let (mut line, mut starts) = (1, true);
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, quotes.open) {
                (b'"', Some(_)) if bytes.peek() == Some(&b'"') => {
                    bytes.next();
                    quotes.doubled.get_or_insert(line);
                }
                // The end of a cell, behind which nothing else may stand.
                (b'"', Some(_)) => {
                    quotes.open = None;
                    quotes.proper &= bytes.peek().is_none_or(|next| [delimiter, b'\n', b'\r'].contains(next));
                }
                (b'"', None) if starts => quotes.open = Some(line),
                (b'"', None) => quotes.proper = false,
                _ => {}
            }
            line += usize::from(byte == b'\n');
            starts = quotes.open.is_none() && (byte == delimiter || byte == b'\n');
        }
        quotes
    }
}
