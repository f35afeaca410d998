//! Files with commas, semicolons or tabs between cells, which are quoted where necessary.

use super::collector::Collector;
use super::error::TableError;
use super::quotes::Quotes;
use super::tsv;

/// Reads `text`. Its first row is a header if the wanted columns are named.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let delimiter = match collector.fixed() {
        Some((width, _)) => of_width(text, width),
        None => delimiter(text.lines().next().unwrap_or_default()),
    };
    let quotes = Quotes::scan(text, delimiter);
    // Most programs that write tabs between cells do not quote the cells, so a quote inside a cell is text.
    if delimiter == b'\t' && !quotes.proper {
        return tsv::read(text, collector);
    }
    if let Some(line) = quotes.open {
        return Err(TableError::OpenQuote { path: collector.path.to_owned(), line });
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let path = collector.path;
    let mut columns = collector.fixed();
    for record in reader.records() {
        let record = record.map_err(|source| TableError::Csv { path: path.to_owned(), source })?;
        if columns.is_none() {
            let names: Vec<&str> = record.iter().collect();
            columns = Some((names.len(), collector.find(&names)?));
            if collector.has_header() {
                continue;
            }
        }
        let Some((width, wanted)) = &columns else { continue };
        let line = record.position().map_or(0, |position| line(text, position));
        if record.len() != *width {
            collector.wrong_width(line, *width, record.len())?;
            continue;
        }
        collector.texts(line, wanted.iter().map(|position| &record[*position]));
    }
    Ok(())
}

/// The line of a record. The reader's position may be before the line feed of the previous row, and before blank lines.
fn line(text: &str, position: &csv::Position) -> usize {
    let before = text.as_bytes()[position.byte() as usize..].iter().take_while(|byte| [b'\r', b'\n'].contains(byte));
    position.line() as usize + before.filter(|byte| **byte == b'\n').count()
}

/// The delimiter of a file with this header: a tab if the header contains one, else a semicolon if it contains one, else a
/// comma. Names of columns rarely contain a tab or a semicolon. Commas come last, because a name in a header with semicolons may
/// contain one, as in "price, net".
fn delimiter(header: &str) -> u8 {
    [b'\t', b';'].into_iter().find(|delimiter| header.bytes().any(|byte| byte == *delimiter)).unwrap_or(b',')
}

/// The delimiter that divides the first row into `width` cells, or a comma if there is no such delimiter.
fn of_width(text: &str, width: usize) -> u8 {
    let divides = |delimiter: &u8| {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(*delimiter).has_headers(false).from_reader(text.as_bytes());
        reader.records().next().is_some_and(|row| row.is_ok_and(|row| row.len() == width))
    };
    [b'\t', b';'].into_iter().find(divides).unwrap_or(b',')
}
