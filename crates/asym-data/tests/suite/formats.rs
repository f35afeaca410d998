//! Tables of each text format, and pictures, are written and read back.

use crate::damage::config;
use asym_data::table::{Cell, Columns, Format, Reading, TableError, parse};
use asym_data::{ImageProcessor, Picture};
use csv::{Terminator, WriterBuilder};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const HEADER: [&str; 3] = ["first", "second", "third"];

fn rows(cell: &'static str) -> impl Strategy<Value = Vec<[String; 3]>> {
    prop::collection::vec([cell, cell, cell], 1..8)
}

/// The line and the cells of each row, with the third column first.
fn read(format: Format, text: &str) -> Result<Vec<(usize, Vec<Cell>)>, TableError> {
    let columns = Columns::Named(["third", "first", "second"].map(String::from).to_vec());
    let rows = parse("table", text, &Reading { format, columns, skip_short_rows: false })?;
    Ok(rows.into_iter().map(|row| (row.line, row.cells)).collect())
}

fn texts([first, second, third]: &[String; 3]) -> Vec<Cell> {
    [third, first, second].map(|text| Cell::Text(text.clone())).to_vec()
}

/// A row of a file with tabs, followed by the line end `end`.
fn joined(cells: &[String; 3], end: &str) -> String {
    format!("{}{end}", cells.join("\t"))
}

/// A JSON value, and the cell that it is read as.
fn value() -> impl Strategy<Value = (Value, Cell)> {
    let leaf = prop_oneof![
        any::<String>().prop_map(|text| (json!(text), Cell::Text(text))),
        any::<bool>().prop_map(|boolean| (json!(boolean), Cell::Boolean(boolean))),
        any::<i64>().prop_map(|number| (json!(number), Cell::Integer(number))),
        prop::num::f64::NORMAL.prop_map(|number| (json!(number), Cell::Float(number))),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(|list: Vec<(Value, Cell)>| {
            let (values, cells): (Vec<Value>, Vec<Cell>) = list.into_iter().unzip();
            (Value::Array(values), Cell::List(cells))
        });
        let named = prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|named| {
            let values = named.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
            let cells = named.into_iter().map(|(name, (_, cell))| (name, cell)).collect();
            (Value::Object(values), Cell::Struct(cells))
        });
        prop_oneof![list, named]
    })
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn files_of_a_csv_writer_are_read(
        rows in rows("[ab ,;\t\r\n\"'\u{e9}\u{feff}]{0,6}"),
        delimiter in select(vec![b',', b';', b'\t']),
        end in select(vec![Terminator::Any(b'\n'), Terminator::CRLF]),
    ) {
        let mut writer = WriterBuilder::new().delimiter(delimiter).terminator(end).from_writer(Vec::new());
        writer.write_record(HEADER).unwrap();
        let mut expected = Vec::new();
        for row in &rows {
            writer.flush().unwrap();
            let line = 1 + writer.get_ref().iter().filter(|byte| **byte == b'\n').count();
            writer.write_record(row).unwrap();
            expected.push((line, texts(row)));
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        prop_assert_eq!(read(Format::Csv, &text).unwrap(), expected, "{:?}", text);
    }

    #[test]
    fn tab_separated_files_are_read(rows in rows("[ab ,;'\u{e9}\u{feff}]{0,6}"), end in select(vec!["\n", "\r\n"])) {
        let header = HEADER.map(String::from);
        let text: String = [&header].into_iter().chain(&rows).map(|row| joined(row, end)).collect();
        let expected: Vec<_> = rows.iter().enumerate().map(|(at, row)| (at + 2, texts(row))).collect();
        for format in [Format::Tsv, Format::Csv] {
            prop_assert_eq!(&read(format, &text).unwrap(), &expected, "{:?}", &text);
        }
    }

    /// A quote is part of a text, unless the whole file is quoted.
    #[test]
    fn tab_separated_files_may_contain_quotes(rows in rows("[ab\"]{0,4}")) {
        let header = HEADER.map(String::from);
        let text: String = [&header].into_iter().chain(&rows).map(|row| joined(row, "\n")).collect();
        match read(Format::Tsv, &text) {
            Ok(found) => {
                let expected: Vec<_> = rows.iter().enumerate().map(|(at, row)| (at + 2, texts(row))).collect();
                prop_assert_eq!(found, expected, "{:?}", &text);
            }
            Err(TableError::QuotedTsv { line, .. }) => {
                prop_assert!(rows[line - 2].iter().any(|cell| cell.contains("\"\"")), "line {line} of {text:?}");
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn json_lines_and_arrays_are_read(rows in prop::collection::vec([value(), value(), value()], 1..6)) {
        let objects: Vec<Value> = rows
            .iter()
            .map(|[first, second, third]| json!({"first": first.0, "second": second.0, "third": third.0, "other": null}))
            .collect();
        let expected = |line: usize, [first, second, third]: &[(Value, Cell); 3]| {
            (line, [third, first, second].map(|(_, cell)| cell.clone()).to_vec())
        };
        let expected: Vec<_> = rows.iter().enumerate().map(|(at, row)| expected(at + 1, row)).collect();
        let lines: String = objects.iter().map(|object| format!("{object}\r\n")).collect();
        prop_assert_eq!(&read(Format::Json, &lines).unwrap(), &expected, "{}", &lines);
        let array = format!("{:#}", Value::Array(objects));
        prop_assert_eq!(&read(Format::Json, &array).unwrap(), &expected, "{}", &array);
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn pictures_survive_a_png_round_trip(
        picture in (1..9_usize, 1..9_usize).prop_flat_map(|(height, width)| {
            let samples = prop::collection::vec(any::<u8>(), height * width * 3);
            samples.prop_map(move |samples| Picture { samples, height, width })
        }),
    ) {
        let png = picture.to_png().unwrap();
        let opened = ImageProcessor::new(8, 8).unwrap().open("picture", &png).unwrap();
        prop_assert_eq!(opened, picture);
    }
}
