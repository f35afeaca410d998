#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const PAIR: Columns = Columns::Named { first: "#1 String", second: Some("#2 String"), label: Some("Quality") };
const SINGLE: Columns = Columns::Positional { width: 4, first: 3, label: 1 };
const BINARY: Answers = Answers::Classes { names: &["no", "yes"], spelt: &["0", "1"] };
const HEADER: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";

fn reading(format: Format, columns: Columns) -> Reading {
    Reading { format, columns, answers: BINARY, skip_short_rows: false }
}

fn pairs(text: &str) -> Result<Vec<Example>, TaskError> {
    parse("pairs.tsv", text, reading(Format::Tsv, PAIR))
}

fn pair(first: &str, second: &str, class: usize, line: usize) -> Example {
    Example { first: first.into(), second: Some(second.into()), target: Target::Class(class), line }
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
    let text = "#2 string\tQuality\t#1 String\nb\t1\ta\n";
    assert_eq!(pairs(text).unwrap(), [pair("a", "b", 1, 2)]);
}

#[test]
fn no_header_where_the_layout_has_none() {
    let examples = parse("cola.tsv", "gj04\t1\t\tIt is.\nks08\t0\t*\tIs it it.", reading(Format::Tsv, SINGLE));
    let examples = examples.unwrap();
    assert_eq!(examples.len(), 2);
    assert_eq!(examples[0].first, "It is.");
    assert_eq!(examples[0].second, None);
    assert_eq!((examples[1].target, examples[1].line), (Target::Class(0), 2));
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
fn short_rows_are_left_out_where_the_layout_says_so_and_long_ones_are_not() {
    let lenient = Reading { skip_short_rows: true, ..reading(Format::Tsv, PAIR) };
    let text = format!("{HEADER}1\t1\t2\tonly one\n1\t1\t2\ta\tb\n");
    assert_eq!(parse("pairs.tsv", &text, lenient).unwrap(), [pair("a", "b", 1, 3)]);
    let text = format!("{HEADER}1\t1\t2\ta\tb\tc\n");
    assert!(matches!(parse("pairs.tsv", &text, lenient), Err(TaskError::ColumnCount { .. })));
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

/// What pandas writes, as `sep="\t"` does it.
const QUOTED: &str = "sentence1\tsentence2\tlabel\nplain\t\"He said \"\"yes\"\".\"\t1\n\"two\nlines\"\tend\t0\n";
const HUB: Columns = Columns::Named { first: "sentence1", second: Some("sentence2"), label: Some("label") };

#[test]
fn a_quoted_file_is_refused_as_glues_and_read_as_csv() {
    let error = parse("dev.tsv", QUOTED, reading(Format::Tsv, HUB)).unwrap_err();
    assert!(matches!(error, TaskError::QuotedTsv { line: 2, .. }), "{error:?}");
    let expected = [pair("plain", "He said \"yes\".", 1, 2), pair("two\nlines", "end", 0, 3)];
    assert_eq!(parse("dev.tsv", QUOTED, reading(Format::Csv, HUB)).unwrap(), expected);
    let commas = QUOTED.replace('\t', ",");
    assert_eq!(parse("dev.csv", &commas, reading(Format::Csv, HUB)).unwrap(), expected);
    // What a reader would take for one long cell.
    let open = "sentence1,sentence2,label\na,b,1\nc,\"d,0\ne,f,1\n";
    let error = parse("dev.csv", open, reading(Format::Csv, HUB)).unwrap_err();
    assert!(matches!(error, TaskError::OpenQuote { line: 3, .. }), "{error:?}");
    // One lone quote shows that quotes are text.
    let text = format!("{HEADER}1\t1\t2\t\"a \"\"b\"\"\"\t\"c\n");
    assert_eq!(pairs(&text).unwrap(), [pair("\"a \"\"b\"\"\"", "\"c", 1, 2)]);
}

#[test]
fn json_lines() {
    let read = |text: &str| parse("dev.jsonl", text, reading(Format::JsonLines, HUB));
    let text = "{\"sentence1\": \"a \\\"b\\\"\", \"sentence2\": \"é\\n\", \"label\": 1, \"idx\": 0}\n\n\
        {\"label\": \"0\", \"sentence2\": \"d\", \"sentence1\": \"c\"}\n";
    assert_eq!(read(text).unwrap(), [pair("a \"b\"", "é\n", 1, 1), pair("c", "d", 0, 3)]);
    let error = read("{\"sentence1\": \"a\", \"label\": 1}\n").unwrap_err();
    assert!(matches!(error, TaskError::MissingColumn { expected: "sentence2", .. }), "{error:?}");
    let error = read(&text.replace("\"d\"", "null")).unwrap_err();
    assert!(matches!(&error, TaskError::MissingValue { line: 3, column, .. } if column == "sentence2"), "{error:?}");
    let error = read(&text.replace("\"c\"}", "\"c\"")).unwrap_err();
    assert!(matches!(error, TaskError::Json { line: 3, .. }), "{error:?}");
    assert!(matches!(read("[]"), Err(TaskError::Json { line: 1, .. })));
}

/// Positions of classes are what the Hub's files have in place of names.
#[test]
fn classes_by_name_or_by_position_and_scores_within_their_range() {
    let names = &["entailment", "not_entailment"];
    let classes = Answers::Classes { names, spelt: names };
    for (found, class) in [("entailment", 0), ("1", 1), (" not_entailment ", 1), ("1.0", 1)] {
        assert_eq!(classes.parse("f", 1, found).unwrap(), Target::Class(class));
    }
    for bad in ["2", "-1", "0.5", "NaN", "neutral", ""] {
        assert!(matches!(classes.parse("f", 1, bad), Err(TaskError::UnknownLabel { .. })), "{bad}");
    }
    let scores = Answers::Score { least: 0.0, most: 5.0 };
    assert_eq!(scores.parse("f", 1, "4.750").unwrap(), Target::Score(4.75));
    for bad in ["5.1", "-1", "NaN", "many", ""] {
        let error = scores.parse("f", 7, bad).unwrap_err();
        assert!(matches!(error, TaskError::UnknownScore { line: 7, .. }), "{bad}");
        assert!(error.to_string().contains("from 0 to 5"), "{error}");
    }
}

/// `tests/fixtures/make_parquet.py` made the files with pyarrow.
mod parquet_files {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    #[test]
    fn columns_in_another_order_and_two_row_groups() {
        let examples = read(&fixture("pairs.parquet"), reading(Format::Parquet, HUB)).unwrap();
        let expected = [pair("a \"b\"\t", "é\n", 1, 1), pair("c", "d", 0, 2), pair("", "f", 1, 3)];
        assert_eq!(examples, expected);
    }

    #[test]
    fn a_test_set_has_no_labels() {
        let columns = Columns::Named { first: "sentence1", second: None, label: None };
        let examples = read(&fixture("pairs.parquet"), reading(Format::Parquet, columns)).unwrap();
        assert!(examples.iter().all(|example| example.target == Target::Unknown && example.second.is_none()));
    }

    #[test]
    fn other_columns_empty_cells_and_other_files_are_refused() {
        let other = Columns::Named { first: "question", second: Some("sentence2"), label: Some("label") };
        let error = read(&fixture("pairs.parquet"), reading(Format::Parquet, other)).unwrap_err();
        assert!(
            matches!(&error, TaskError::MissingColumn { expected: "question", found, .. }
            if found == &["idx", "label", "sentence2", "sentence1"]),
            "{error:?}"
        );
        let error = read(&fixture("holes.parquet"), reading(Format::Parquet, HUB)).unwrap_err();
        assert!(
            matches!(&error, TaskError::MissingValue { line: 2, column, .. } if column == "sentence1"),
            "{error:?}"
        );
        let error = read(&fixture("zstd.parquet"), reading(Format::Parquet, HUB)).unwrap_err();
        assert!(matches!(error, TaskError::Parquet { .. }), "{error:?}");
        let text = error.to_string().to_lowercase();
        assert!(text.contains("zstd") && text.contains("snappy"), "{error}");
        for name in ["make_parquet.py", "metrics.json"] {
            let error = read(&fixture(name), reading(Format::Parquet, HUB)).unwrap_err();
            assert!(matches!(error, TaskError::Parquet { .. }), "{error:?}");
        }
        let error = read(&fixture("absent.parquet"), reading(Format::Parquet, HUB)).unwrap_err();
        assert!(matches!(error, TaskError::Io { .. }), "{error:?}");
    }
}
