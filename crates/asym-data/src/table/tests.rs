#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const HEADER: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";

fn named(names: &[&str]) -> Columns {
    Columns::Named(names.iter().map(ToString::to_string).collect())
}

fn pair_columns() -> Columns {
    named(&["#1 String", "#2 String", "Quality"])
}

fn hub() -> Columns {
    named(&["sentence1", "sentence2", "label"])
}

fn reading(format: Format, columns: Columns) -> Reading {
    Reading { format, columns, skip_short_rows: false }
}

fn pairs(text: &str) -> Result<Vec<Row>, TableError> {
    parse("pairs.tsv", text, &reading(Format::Tsv, pair_columns()))
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// A row of a TSV or CSV file, whose label is a text.
fn pair(first: &str, second: &str, label: &str, line: usize) -> Row {
    Row { line, cells: [first, second, label].map(text).into() }
}

/// A row of a file whose cells have types.
fn typed(first: &str, second: &str, label: Cell, line: usize) -> Row {
    Row { line, cells: vec![text(first), text(second), label] }
}

#[test]
fn quotes_in_tsv_files_are_text() {
    let text = format!("{HEADER}1\t1\t2\tHe said \"yes\t\"No\n0\t3\t4\t\"\t\"a\" b\"\n");
    assert_eq!(pairs(&text).unwrap(), [pair("He said \"yes", "\"No", "1", 2), pair("\"", "\"a\" b\"", "0", 3)]);
}

#[test]
fn byte_order_marks_and_windows_line_ends_are_accepted() {
    let plain = format!("{HEADER}1\t1\t2\ta b\tc d\n0\t3\t4\te\tf\n");
    let expected = [pair("a b", "c d", "1", 2), pair("e", "f", "0", 3)];
    assert_eq!(pairs(&plain).unwrap(), expected);
    assert_eq!(pairs(plain.trim_end()).unwrap(), expected);
    let windows = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    assert_eq!(pairs(&windows).unwrap(), expected);
    assert_eq!(pairs(windows.trim_end()).unwrap(), expected);
}

#[test]
fn carriage_returns_inside_cells_are_kept() {
    let text = format!("{HEADER}1\t1\t2\ta\rb\tc\n");
    assert_eq!(pairs(&text).unwrap(), [pair("a\rb", "c", "1", 2)]);
}

#[test]
fn blank_lines_are_skipped_but_counted() {
    let text = format!("{HEADER}\n\n1\t1\t2\ta\tb\n\r\n\n0\t1\t2\tc\td\n\n");
    assert_eq!(pairs(&text).unwrap(), [pair("a", "b", "1", 4), pair("c", "d", "0", 7)]);
}

#[test]
fn columns_are_found_by_name() {
    let text = "#2 string\tQuality\t#1 String\nb\t1\ta\n";
    assert_eq!(pairs(text).unwrap(), [pair("a", "b", "1", 2)]);
}

#[test]
fn files_without_a_header_use_column_positions() {
    let columns = |width, wanted: &[usize]| Columns::Positional { width, wanted: wanted.into() };
    let file = "gj04\t1\t\tIt is.\nks08\t0\t*\tIs it it.";
    let rows = parse("cola.tsv", file, &reading(Format::Tsv, columns(4, &[3, 1]))).unwrap();
    let expected = [
        Row { line: 1, cells: vec![text("It is."), text("1")] },
        Row { line: 2, cells: vec![text("Is it it."), text("0")] },
    ];
    assert_eq!(rows, expected);
    let commas = file.replace('\t', ",");
    assert_eq!(parse("cola.csv", &commas, &reading(Format::Csv, columns(4, &[3, 1]))).unwrap(), expected);
    // The keys of a JSON object have an order too.
    let objects = "{\"a\": \"It is.\", \"b\": \"1\"}\n";
    let rows = parse("cola.jsonl", objects, &reading(Format::Json, columns(2, &[0, 1]))).unwrap();
    assert_eq!(rows, expected[..1]);
    let error = parse("cola.jsonl", objects, &reading(Format::Json, columns(3, &[0]))).unwrap_err();
    assert!(matches!(error, TableError::ColumnCount { line: 1, expected: 3, found: 2, .. }), "{error:?}");
    let error = parse("cola.tsv", file, &reading(Format::Tsv, columns(4, &[3, 4]))).unwrap_err();
    assert!(matches!(error, TableError::Position { position: 4, width: 4, .. }), "{error:?}");
}

#[test]
fn rows_with_a_wrong_column_count_are_rejected() {
    for (row, columns) in [("1\t1\t2\tonly one", 4), ("1\t1\t2\ta\tb\tc", 6), ("1", 1)] {
        let error = pairs(&format!("{HEADER}{row}\n")).unwrap_err();
        assert!(
            matches!(error, TableError::ColumnCount { line: 2, expected: 5, found, .. } if found == columns),
            "{error:?}"
        );
    }
}

#[test]
fn only_short_rows_can_be_skipped() {
    let lenient = Reading { skip_short_rows: true, ..reading(Format::Tsv, pair_columns()) };
    let text = format!("{HEADER}1\t1\t2\tonly one\n1\t1\t2\ta\tb\n");
    assert_eq!(parse("pairs.tsv", &text, &lenient).unwrap(), [pair("a", "b", "1", 3)]);
    let text = format!("{HEADER}1\t1\t2\ta\tb\tc\n");
    assert!(matches!(parse("pairs.tsv", &text, &lenient), Err(TableError::ColumnCount { .. })));
}

#[test]
fn repeated_keys_of_an_object_are_rejected() {
    for text in ["{\"a\": \"x\"}\n{\"a\": \"y\", \"b\": 1, \"a\": \"z\"}\n", "[{\"a\": \"y\", \"b\": 1, \"a\": \"z\"}]"]
    {
        let error = parse("rows.jsonl", text, &reading(Format::Json, named(&["a"]))).unwrap_err();
        assert!(error.to_string().contains("the key `a` occurs twice"), "{error}");
        assert!(error.to_string().starts_with("rows.jsonl"), "{error}");
    }
}

/// A file with carriage returns as line ends is a single line, so the whole file is the header.
#[test]
fn error_messages_do_not_contain_the_whole_file() {
    let text = format!("#1 String\t#2 String\t{}", "a long cell of text\tanother\r".repeat(30_000));
    let error = pairs(&text).unwrap_err();
    assert!(matches!(error, TableError::MissingColumn { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.len() < 2500 && text.contains("more") && text.contains("`Quality`"), "{} bytes", text.len());
    let error = pairs(&"x".repeat(1 << 20)).unwrap_err().to_string();
    assert!(error.len() < 300, "{} bytes", error.len());
}

#[test]
fn a_missing_header_is_refused() {
    let error = pairs("1\t1\t2\ta\tb\n").unwrap_err();
    assert!(matches!(&error, TableError::MissingColumn { expected, .. } if expected == "#1 String"), "{error:?}");
}

#[test]
fn empty_files_are_rejected() {
    for text in ["", "\u{feff}", "\n\n", HEADER] {
        let error = pairs(text).unwrap_err();
        assert!(matches!(error, TableError::EmptyFile { .. }), "{error:?}");
    }
}

/// A file as pandas writes it with `sep="\t"`.
const QUOTED: &str = "sentence1\tsentence2\tlabel\nplain\t\"He said \"\"yes\"\".\"\t1\n\"two\nlines\"\tend\t0\n";

#[test]
fn a_quoted_file_is_refused_as_tsv_and_read_as_csv() {
    let error = parse("dev.tsv", QUOTED, &reading(Format::Tsv, hub())).unwrap_err();
    assert!(matches!(error, TableError::QuotedTsv { line: 2, .. }), "{error:?}");
    let expected = [pair("plain", "He said \"yes\".", "1", 2), pair("two\nlines", "end", "0", 3)];
    assert_eq!(parse("dev.tsv", QUOTED, &reading(Format::Csv, hub())).unwrap(), expected);
    let commas = QUOTED.replace('\t', ",");
    assert_eq!(parse("dev.csv", &commas, &reading(Format::Csv, hub())).unwrap(), expected);
    // A CSV reader would treat the rest of the file as one long cell.
    let open = "sentence1,sentence2,label\na,b,1\nc,\"d,0\ne,f,1\n";
    let error = parse("dev.csv", open, &reading(Format::Csv, hub())).unwrap_err();
    assert!(matches!(error, TableError::OpenQuote { line: 3, .. }), "{error:?}");
    // A single unpaired quote shows that quotes are text.
    let text = format!("{HEADER}1\t1\t2\t\"a \"\"b\"\"\"\t\"c\n");
    assert_eq!(pairs(&text).unwrap(), [pair("\"a \"\"b\"\"\"", "\"c", "1", 2)]);
}

#[test]
fn json_lines_are_read() {
    let read = |text: &str| parse("dev.jsonl", text, &reading(Format::Json, hub()));
    let text = "{\"sentence1\": \"a \\\"b\\\"\", \"sentence2\": \"é\\n\", \"label\": 1, \"idx\": 0}\n\n\
        {\"label\": \"0\", \"sentence2\": \"d\", \"sentence1\": \"c\"}\n";
    let expected = [typed("a \"b\"", "é\n", Cell::Integer(1), 1), typed("c", "d", super::tests::text("0"), 3)];
    assert_eq!(read(text).unwrap(), expected);
    let error = read("{\"sentence1\": \"a\", \"label\": 1}\n").unwrap_err();
    assert!(matches!(&error, TableError::MissingColumn { expected, .. } if expected == "sentence2"), "{error:?}");
    let error = read(&text.replace("\"d\"", "null")).unwrap_err();
    assert!(matches!(&error, TableError::MissingValue { line: 3, column, .. } if column == "sentence2"), "{error:?}");
    let error = read(&text.replace("\"c\"}", "\"c\"")).unwrap_err();
    assert!(matches!(error, TableError::Json { line: 3, .. }), "{error:?}");
}

/// An array as `json.dump` and pandas' `to_json(orient="records")` write it.
#[test]
fn json_arrays_are_read() {
    let read = |text: &str| parse("dev.json", text, &reading(Format::Json, hub()));
    let text = "\n[{\"sentence1\": \"a\", \"sentence2\": \"b\", \"label\": 1},\n {\"label\": 0, \"sentence1\": \"c\", \
        \"sentence2\": \"d\", \"more\": null}]\n";
    let expected = [typed("a", "b", Cell::Integer(1), 1), typed("c", "d", Cell::Integer(0), 2)];
    assert_eq!(read(text).unwrap(), expected);
    assert!(matches!(read("[]"), Err(TableError::EmptyFile { .. })));
    for damaged in [text.trim_end().trim_end_matches(']'), "[1, 2]", "[{}] x"] {
        let error = read(damaged).unwrap_err();
        assert!(matches!(error, TableError::JsonArray { .. }), "{error:?}");
    }
    let error = read(&text.replace("\"d\"", "null")).unwrap_err();
    assert!(matches!(&error, TableError::MissingValue { line: 2, column, .. } if column == "sentence2"), "{error:?}");
}

/// Excel writes semicolons where the decimal mark is a comma.
#[test]
fn semicolons_are_accepted_as_delimiters() {
    let file = "sentence1;sentence2;label\na, b;\"c; \"\"d\"\"\";1\n";
    let rows = parse("dev.csv", file, &reading(Format::Csv, hub())).unwrap();
    assert_eq!(rows, [pair("a, b", "c; \"d\"", "1", 2)]);
}

#[test]
fn cells_between_tabs_need_no_quotes() {
    let file = "sentence1\tsentence2\tlabel\nHe said \"yes\"\t5\" nails\t1\n";
    let rows = parse("dev.tsv", file, &reading(Format::Csv, hub())).unwrap();
    assert_eq!(rows, [pair("He said \"yes\"", "5\" nails", "1", 2)]);
}

#[test]
fn columns_without_a_header_are_numbered() {
    let numbered = |numbers: &[usize]| reading(Format::Csv, Columns::Numbered(numbers.to_vec()));
    let expected = [
        Row { line: 1, cells: vec![text("He said \"no\""), text("ham")] },
        Row { line: 2, cells: vec![text("win, now"), text("spam")] },
    ];
    let file = "ham,\"He said \"\"no\"\"\"\nspam,\"win, now\"\n";
    assert_eq!(parse("sms.csv", file, &numbered(&[2, 1])).unwrap(), expected);
    let tabs = "ham\tHe said \"no\"\nspam\twin, now\n";
    assert_eq!(parse("sms.tsv", tabs, &numbered(&[2, 1])).unwrap(), expected);
    for wrong in [0, 3] {
        let error = parse("sms.csv", file, &numbered(&[wrong])).unwrap_err();
        assert!(matches!(error, TableError::Number { width: 2, .. }), "{error:?}");
    }
    let error = parse("sms.csv", "ham,a\nspam\n", &numbered(&[1])).unwrap_err();
    assert!(matches!(error, TableError::ColumnCount { line: 2, .. }), "{error:?}");
}

#[test]
fn repeated_columns_are_rejected() {
    let twice = "label,sentence1,sentence2,label\n1,a,b,0\n";
    let error = parse("dev.csv", twice, &reading(Format::Csv, hub())).unwrap_err();
    assert!(matches!(&error, TableError::RepeatedColumn { column, .. } if column == "label"), "{error:?}");
    // A column whose name differs in case is a different column, if a column with the exact name exists.
    let cases = "Label,label,sentence1,sentence2\n7,1,a,b\n";
    assert_eq!(parse("dev.csv", cases, &reading(Format::Csv, hub())).unwrap(), [pair("a", "b", "1", 2)]);
    assert!(parse("dev.csv", "LABEL,Label,sentence1,sentence2\n7,1,a,b\n", &reading(Format::Csv, hub())).is_err());
}

/// 80 MiB of line ends are compressed to 80 KiB.
#[test]
fn gzip_bombs_are_rejected() {
    use std::io::Write;
    let scratch = crate::scratch::Scratch::new("table-bomb");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(b"a\nx\n").unwrap();
    (0..80).for_each(|_| packed.write_all(&[b'\n'; 1 << 20]).unwrap());
    scratch.write("bomb.csv.gz", &packed.finish().unwrap());
    let error = read(&scratch.path().join("bomb.csv.gz"), &reading(Format::Csv, named(&["a"]))).unwrap_err();
    assert!(matches!(error, TableError::Bomb { most: SMALL, .. }), "{error:?}");
    assert!(error.to_string().contains("bomb.csv.gz"), "{error}");
}

#[test]
fn gzip_files_are_found_and_decompressed() {
    use std::io::Write;
    let scratch = crate::scratch::Scratch::new("table-gzip");
    let pack = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let path = scratch.path().join("train.csv.gz");
    let packed = pack("sentence1,sentence2,label\na,b,1\n");
    std::fs::write(&path, &packed).unwrap();
    let files = Files::find(scratch.path(), "train").unwrap().unwrap();
    assert_eq!((files.paths.as_slice(), files.format), ([path.clone()].as_slice(), Format::Csv));
    assert_eq!(read(&path, &reading(Format::Csv, hub())).unwrap(), [pair("a", "b", "1", 2)]);
    // The ending of the name does not matter.
    let plain = scratch.path().join("dev.csv");
    std::fs::write(&plain, &packed).unwrap();
    assert_eq!(read(&plain, &reading(Format::Csv, hub())).unwrap().len(), 1);
    std::fs::write(&path, &packed[..packed.len() - 9]).unwrap();
    let error = read(&path, &reading(Format::Csv, hub())).unwrap_err();
    assert!(matches!(error, TableError::Gzip { .. }), "{error:?}");
    assert!(matches!(Files::one(std::path::Path::new("reviews.xlsx")), Err(TableError::UnknownFormat { .. })));
}

/// The Hub formerly added a digest after the number of files, as in the Alpaca data set.
#[test]
fn shard_names_may_contain_a_digest() {
    let folder = crate::scratch::Scratch::new("table-digest");
    for (at, digest) in ["a09b74b3ef9c3b56", "0123456789abcdef"].iter().enumerate() {
        folder.write(&format!("train-0000{at}-of-00002-{digest}.jsonl"), b"{\"a\": 1}\n");
    }
    folder.write("train-00002-of-00003-notes.jsonl", b"{}\n");
    let found = Files::find(folder.path(), "train").unwrap().unwrap();
    assert_eq!((found.paths.len(), found.format), (2, Format::Json));
    std::fs::remove_file(&found.paths[0]).unwrap();
    assert!(matches!(Files::find(folder.path(), "train"), Err(TableError::MissingShard { expected: 2, .. })));
}

#[test]
fn cells_keep_their_types() {
    let read = |value: &str| {
        let line = format!("{{\"a\": {value}}}");
        parse("a.jsonl", &line, &reading(Format::Json, named(&["A "]))).map(|rows| rows[0].cells[0].clone())
    };
    let numbers = |numbers: &[i64]| Cell::List(numbers.iter().map(|number| Cell::Integer(*number)).collect());
    for (value, cell, shown) in [
        ("\"1.0\"", text("1.0"), Some("1.0")),
        ("-3", Cell::Integer(-3), Some("-3")),
        ("true", Cell::Boolean(true), Some("true")),
        ("false", Cell::Boolean(false), Some("false")),
        ("1.0", Cell::Float(1.0), Some("1")),
        ("0.1", Cell::Float(0.1), Some("0.1")),
        ("18446744073709551615", Cell::Float(18_446_744_073_709_551_615.0), Some("18446744073709552000")),
        ("[1, 2]", numbers(&[1, 2]), None),
        ("[[1], []]", Cell::List(vec![numbers(&[1]), numbers(&[])]), None),
        // As in Parquet, fields that are null are left out.
        ("{\"b\": 1, \"c\": null}", Cell::Struct(vec![("b".to_owned(), Cell::Integer(1))]), None),
        ("[{}]", Cell::List(vec![Cell::Struct(Vec::new())]), None),
    ] {
        let found = read(value).unwrap();
        assert_eq!(found, cell);
        assert_eq!(found.text().as_deref(), shown, "{value}");
    }
    for value in ["null", "[1, null]"] {
        assert!(matches!(read(value), Err(TableError::MissingValue { line: 1, .. })), "{value}");
    }
    assert_eq!(Cell::Bytes(vec![1]).text(), None);
}

/// `tests/fixtures/make_parquet.py` created the files with pyarrow.
mod parquet_files {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    #[test]
    fn columns_may_be_in_any_order_and_in_several_row_groups() {
        let rows = read(&fixture("pairs.parquet"), &reading(Format::Parquet, hub())).unwrap();
        let label = Cell::Integer;
        let expected =
            [typed("a \"b\"\t", "é\n", label(1), 1), typed("c", "d", label(0), 2), typed("", "f", label(1), 3)];
        assert_eq!(rows, expected);
    }

    #[test]
    fn only_the_requested_columns_are_returned() {
        let rows = read(&fixture("pairs.parquet"), &reading(Format::Parquet, named(&["sentence1"]))).unwrap();
        let texts: Vec<_> = rows.iter().map(|row| row.cells.as_slice()).collect();
        assert_eq!(texts, [[text("a \"b\"\t")], [text("c")], [text("")]]);
    }

    #[test]
    fn every_common_compression_is_read() {
        let plain = read(&fixture("pairs.parquet"), &reading(Format::Parquet, hub())).unwrap();
        for name in ["zstd.parquet", "gzip.parquet"] {
            assert_eq!(read(&fixture(name), &reading(Format::Parquet, hub())).unwrap(), plain, "{name}");
        }
    }

    #[test]
    fn parquet_types_are_converted() {
        let names = ["flag", "byte", "large", "half", "single", "double", "bytes", "list", "struct"];
        let rows = read(&fixture("types.parquet"), &reading(Format::Parquet, named(&names))).unwrap();
        let expected = [
            Cell::Boolean(true),
            Cell::Integer(-8),
            Cell::Float(18_446_744_073_709_551_615.0),
            Cell::Float(0.5),
            Cell::Float(f64::from(0.1_f32)),
            Cell::Float(0.1),
            Cell::Bytes(vec![0, 255]),
            Cell::List(vec![Cell::Integer(3), Cell::Integer(4)]),
            Cell::Struct(vec![("path".to_string(), Cell::Text("a".to_string()))]),
        ];
        assert_eq!(rows, [Row { line: 1, cells: expected.into() }]);
        for column in ["day", "hole"] {
            let error = read(&fixture("types.parquet"), &reading(Format::Parquet, named(&[column]))).unwrap_err();
            assert!(matches!(&error, TableError::MissingValue { line: 1, column: found, .. } if found == column));
        }
    }

    #[test]
    fn missing_columns_and_invalid_files_are_rejected() {
        let other = named(&["question", "sentence2", "label"]);
        let error = read(&fixture("pairs.parquet"), &reading(Format::Parquet, other)).unwrap_err();
        assert!(
            matches!(&error, TableError::MissingColumn { expected, found, .. }
            if expected == "question" && found == &["idx", "label", "sentence2", "sentence1"]),
            "{error:?}"
        );
        let error = read(&fixture("holes.parquet"), &reading(Format::Parquet, hub())).unwrap_err();
        assert!(
            matches!(&error, TableError::MissingValue { line: 2, column, .. } if column == "sentence1"),
            "{error:?}"
        );
        let error = read(&fixture("brotli.parquet"), &reading(Format::Parquet, hub())).unwrap_err();
        assert!(matches!(error, TableError::Parquet { .. }), "{error:?}");
        let text = error.to_string().to_lowercase();
        assert!(text.contains("brotli") && text.contains("snappy"), "{error}");
        for name in ["make_parquet.py", "../../Cargo.toml"] {
            let error = read(&fixture(name), &reading(Format::Parquet, hub())).unwrap_err();
            assert!(matches!(error, TableError::Parquet { .. }), "{error:?}");
        }
        let error = read(&fixture("absent.parquet"), &reading(Format::Parquet, hub())).unwrap_err();
        assert!(matches!(error, TableError::Io { .. }), "{error:?}");
    }
}
