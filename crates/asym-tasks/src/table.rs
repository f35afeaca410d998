//! Tab-separated files as GLUE ships them: no quoting, perhaps a byte order mark, perhaps a header.

use std::path::Path;

use crate::error::TaskError;

/// Where a layout keeps what a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// The first line names the columns; their order does not matter.
    Named {
        /// The (first) sentence.
        first: &'static str,
        /// The second sentence of a pair.
        second: Option<&'static str>,
        /// The label.
        label: &'static str,
    },
    /// No header; positions count from 0.
    Positional {
        /// Columns of each row.
        width: usize,
        /// The (first) sentence.
        first: usize,
        /// The second sentence of a pair.
        second: Option<usize>,
        /// The label.
        label: usize,
    },
}

/// One labelled text or pair of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text, or the first of a pair, exactly as the file has it.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// The class, an index into the task's labels.
    pub label: usize,
    /// The line in the file, counted from 1.
    pub line: usize,
}

/// Positions within the rows of one file.
struct Positions {
    width: usize,
    first: usize,
    second: Option<usize>,
    label: usize,
}

impl Columns {
    /// Finds the columns in a file whose first line, where there is a header, is `header`.
    fn resolve(self, path: &str, header: &csv::StringRecord) -> Result<Positions, TaskError> {
        match self {
            Self::Positional { width, first, second, label } => Ok(Positions { width, first, second, label }),
            Self::Named { first, second, label } => {
                let find = |expected: &'static str| {
                    header.iter().position(|name| name.trim() == expected).ok_or_else(|| TaskError::MissingColumn {
                        path: path.to_owned(),
                        expected,
                        found: header.iter().map(|name| name.trim().to_owned()).collect(),
                    })
                };
                Ok(Positions {
                    width: header.len(),
                    first: find(first)?,
                    second: second.map(find).transpose()?,
                    label: find(label)?,
                })
            }
        }
    }

    fn has_header(self) -> bool {
        matches!(self, Self::Named { .. })
    }
}

/// Reads the file at `path`.
///
/// # Errors
///
/// [`TaskError::Io`], [`TaskError::NotUtf8`], and whatever [`parse`] refuses.
pub fn read(path: &Path, columns: Columns, labels: &'static [&'static str]) -> Result<Vec<Example>, TaskError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| TaskError::Io { path: path.to_owned(), source })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| TaskError::NotUtf8 {
        path: name.clone(),
        line: 1 + newlines(&bytes[..error.valid_up_to()]),
    })?;
    parse(&name, text, columns, labels)
}

/// Reads the text of a file that errors call `name`. A label's class is its position in `labels`.
///
/// # Errors
///
/// [`TaskError::EmptyFile`], [`TaskError::MissingColumn`], [`TaskError::ColumnCount`], [`TaskError::UnknownLabel`], the
/// latter two with their line.
pub fn parse(
    name: &str,
    text: &str,
    columns: Columns,
    labels: &'static [&'static str],
) -> Result<Vec<Example>, TaskError> {
    // MRPC's original files begin with a byte order mark, which would become part of the first column's name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Quoting is off because a `"` is text here, often without its partner. Only a newline ends a row: a carriage
    // return before it is taken off below, any other belongs to its sentence.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(text.as_bytes());
    let mut positions = None;
    let mut examples = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        // The reader skips blank lines without moving the position that it gives the record behind them.
        let start = reader.position();
        let blank = text.as_bytes()[start.byte() as usize..].iter().take_while(|byte| **byte == b'\n').count();
        let line = start.line() as usize + blank;
        let more =
            reader.read_record(&mut record).map_err(|source| TaskError::Csv { path: name.to_owned(), source })?;
        if !more {
            break;
        }
        if record.len() == 1 && record[0].trim().is_empty() {
            continue;
        }
        let positions = match &positions {
            Some(positions) => positions,
            None => {
                let positions = positions.insert(columns.resolve(name, &record)?);
                if columns.has_header() {
                    continue;
                }
                positions
            }
        };
        examples.push(example(name, line, &record, positions, labels)?);
    }
    if examples.is_empty() {
        return Err(TaskError::EmptyFile { path: name.to_owned() });
    }
    Ok(examples)
}

fn example(
    name: &str,
    line: usize,
    record: &csv::StringRecord,
    positions: &Positions,
    labels: &'static [&'static str],
) -> Result<Example, TaskError> {
    // One column too many is refused as well: a tab inside a sentence would silently cut it.
    if record.len() != positions.width {
        return Err(TaskError::ColumnCount {
            path: name.to_owned(),
            line,
            expected: positions.width,
            found: record.len(),
        });
    }
    let field = |position: usize| {
        let field = &record[position];
        let last = position + 1 == record.len();
        match field.strip_suffix('\r') {
            Some(text) if last => text,
            _ => field,
        }
    };
    let found = field(positions.label).trim();
    let label = labels.iter().position(|label| *label == found).ok_or_else(|| TaskError::UnknownLabel {
        path: name.to_owned(),
        line,
        found: found.to_owned(),
        allowed: labels,
    })?;
    Ok(Example {
        first: field(positions.first).to_owned(),
        second: positions.second.map(|position| field(position).to_owned()),
        label,
        line,
    })
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const PAIR: Columns = Columns::Named { first: "#1 String", second: Some("#2 String"), label: "Quality" };
    const SINGLE: Columns = Columns::Positional { width: 4, first: 3, second: None, label: 1 };
    const BINARY: &[&str] = &["0", "1"];
    const HEADER: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";

    fn pairs(text: &str) -> Result<Vec<Example>, TaskError> {
        parse("pairs.tsv", text, PAIR, BINARY)
    }

    fn pair(first: &str, second: &str, label: usize, line: usize) -> Example {
        Example { first: first.into(), second: Some(second.into()), label, line }
    }

    #[test]
    fn quotes_are_text() {
        let text = format!("{HEADER}1\t1\t2\tHe said \"yes\t\"No\n0\t3\t4\t\"\t\"a\" b\"\n");
        assert_eq!(pairs(&text).unwrap(), [pair("He said \"yes", "\"No", 1, 2), pair("\"", "\"a\" b\"", 0, 3)]);
    }

    #[test]
    fn mark_carriage_returns_and_a_missing_last_newline() {
        let plain = format!("{HEADER}1\t1\t2\ta b\tc d\n0\t3\t4\te\tf\n");
        let expected = [pair("a b", "c d", 1, 2), pair("e", "f", 0, 3)];
        assert_eq!(pairs(&plain).unwrap(), expected);
        assert_eq!(pairs(plain.trim_end()).unwrap(), expected);
        let windows = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
        assert_eq!(pairs(&windows).unwrap(), expected);
        assert_eq!(pairs(windows.trim_end()).unwrap(), expected);
    }

    #[test]
    fn a_carriage_return_inside_a_sentence_stays() {
        let text = format!("{HEADER}1\t1\t2\ta\rb\tc\n");
        assert_eq!(pairs(&text).unwrap(), [pair("a\rb", "c", 1, 2)]);
    }

    #[test]
    fn blank_lines_count_as_lines() {
        let text = format!("{HEADER}\n\n1\t1\t2\ta\tb\n\r\n\n0\t1\t2\tc\td\n\n");
        assert_eq!(pairs(&text).unwrap(), [pair("a", "b", 1, 4), pair("c", "d", 0, 7)]);
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "#2 String\tQuality\t#1 String\nb\t1\ta\n";
        assert_eq!(pairs(text).unwrap(), [pair("a", "b", 1, 2)]);
    }

    #[test]
    fn no_header_where_the_layout_has_none() {
        let examples = parse("cola.tsv", "gj04\t1\t\tIt is.\nks08\t0\t*\tIs it it.", SINGLE, BINARY);
        let examples = examples.unwrap();
        assert_eq!(examples.len(), 2);
        assert_eq!(examples[0].first, "It is.");
        assert_eq!(examples[0].second, None);
        assert_eq!((examples[1].label, examples[1].line), (0, 2));
    }

    #[test]
    fn a_wrong_label_is_named_with_its_line() {
        let error = pairs(&format!("{HEADER}1\t1\t2\ta\tb\n2\t1\t2\ta\tb\n")).unwrap_err();
        assert!(matches!(&error, TaskError::UnknownLabel { line: 3, found, .. } if found == "2"), "{error:?}");
        assert!(error.to_string().starts_with("pairs.tsv:3: label `2`"), "{error}");
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        for (row, columns) in [("1\t1\t2\tonly one", 4), ("1\t1\t2\ta\tb\tc", 6), ("1", 1)] {
            let error = pairs(&format!("{HEADER}{row}\n")).unwrap_err();
            assert!(
                matches!(error, TaskError::ColumnCount { line: 2, expected: 5, found, .. } if found == columns),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_missing_header_is_refused() {
        let error = pairs("1\t1\t2\ta\tb\n").unwrap_err();
        assert!(matches!(error, TaskError::MissingColumn { expected: "#1 String", .. }), "{error:?}");
    }

    #[test]
    fn nothing_is_refused() {
        for text in ["", "\u{feff}", "\n\n", HEADER] {
            let error = pairs(text).unwrap_err();
            assert!(matches!(error, TaskError::EmptyFile { .. }), "{error:?}");
        }
    }
}
