//! Comma- and tab-separated files whose cells are quoted where they must be.

use super::collector::Collector;
use super::error::TableError;
use super::quotes::Quotes;

/// Reads `text`. Its first row names the columns, unless the layout gives their positions.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let header = text.lines().next().unwrap_or_default();
    // The name of a column has neither commas nor tabs.
    let delimiter = if header.contains('\t') { b'\t' } else { b',' };
    if let Some(line) = Quotes::scan(text, delimiter).open {
        return Err(TableError::OpenQuote { path: collector.path.to_owned(), line });
    }
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let path = collector.path;
    let mut columns = collector.fixed();
    for record in reader.records() {
        let record = record.map_err(|source| TableError::Csv { path: path.to_owned(), source })?;
        let Some((width, wanted)) = &columns else {
            let names: Vec<&str> = record.iter().collect();
            columns = Some((names.len(), collector.find(&names)?));
            continue;
        };
        let line = record.position().map_or(0, |position| position.line() as usize);
        if record.len() != *width {
            collector.wrong_width(line, *width, record.len())?;
            continue;
        }
        collector.texts(line, wanted.iter().map(|position| &record[*position]));
    }
    Ok(())
}
