//! Comma- and tab-separated files whose cells are quoted where they must be.

use super::Collector;
use crate::error::TaskError;

/// Reads `text`; its first row names the columns.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TaskError> {
    let header = text.lines().next().unwrap_or_default();
    // No task has a comma or a tab in a column's name.
    let delimiter = if header.contains('\t') { b'\t' } else { b',' };
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
