//! Damaged tables, pictures and tokenizers must cause an error that includes the name of the file, and never a panic.
//! `ASYM_FUZZ_CASES=100000` sets the number of cases of each test.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use crate::damage::{config, damage, damaged};
use asym_data::table::{self, Columns, Format, Reading};
use asym_data::{ImageProcessor, Tokenizer};
use proptest::prelude::*;
use proptest::sample::select;

fn fixture(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = if name.ends_with(".parquet") { root.join("tests/fixtures") } else { root.join("../../tests/fixtures") };
    std::fs::read(path.join(name)).unwrap()
}

/// A file for one test, with the name `name`.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("asym-data-damaged");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

const TEXTS: [(&str, &str); 4] = [
    ("tsv", "sentence1\tsentence2\tlabel\na \"b\" c\td\t1\n\te f\t0\n"),
    ("csv", "sentence1,sentence2,label\n\"a \"\"b\"\", c\",d,1\ne,\"f\ng\",0\n"),
    (
        "jsonl",
        "{\"sentence1\": \"a\\u00e9\", \"sentence2\": [1, 2.5], \"label\": 1}\n{\"sentence1\": \"b\", \"sentence2\": [], \"label\": 0}\n",
    ),
    (
        "json",
        "[{\"sentence1\": \"a\", \"sentence2\": \"b\", \"label\": true}, {\"sentence1\": \"c\", \"sentence2\": \"d\", \"label\": false}]",
    ),
];

/// Reads a table. An error must include the path of the file and be shorter than 20,000 bytes.
fn read_table(path: &Path) -> Result<usize, String> {
    let names = ["sentence1", "sentence2", "label"].map(String::from).to_vec();
    let reading = Reading { format: Format::of(path).unwrap(), columns: Columns::Named(names), skip_short_rows: false };
    match table::read(path, &reading) {
        Ok(rows) => Ok(rows.len()),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(path.to_str().unwrap()), "{text}");
            assert!(text.len() < 20_000, "{} bytes", text.len());
            Err(text)
        }
    }
}

const PICTURES: [&str; 10] = [
    "420.jpg",
    "444.jpg",
    "progressive.jpg",
    "cmyk.jpg",
    "gray.jpg",
    "rgb.png",
    "palette-alpha.png",
    "lossy.webp",
    "lossless.webp",
    "rgb.bmp",
];

fn picture(name: &str, bytes: &[u8]) -> Result<(usize, usize), String> {
    let processor = ImageProcessor::new(8, 8).unwrap();
    match processor.process(name, bytes) {
        Ok(pixels) => Ok((pixels.height, pixels.width)),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with(&format!("{name}: ")) && !text.contains('\n'), "{text}");
            Err(text)
        }
    }
}

/// The number of tokens of a pair of texts, if the tokenizer can be read.
fn encoded(bytes: &[u8]) -> Result<usize, String> {
    let tokenizer = Tokenizer::from_bytes("tokenizer.json", bytes).map_err(|error| error.to_string())?.for_rows(300);
    let encoding =
        tokenizer.encode("the cat sat <mask> \u{e9}\u{1f600}", Some("a dog"), 64).map_err(|error| error.to_string())?;
    assert!(encoding.input_ids.iter().all(|id| *id < 300) && encoding.input_ids.len() <= 64);
    let _ = tokenizer.decode(&encoding.input_ids);
    Ok(encoding.input_ids.len())
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn damaged_tables_do_not_panic((ending, text) in select(TEXTS.to_vec()), changes in damage()) {
        let bytes = damaged(text.as_bytes(), &changes, 30);
        let _ = read_table(&file(&format!("table.{ending}"), &bytes));
    }

    #[test]
    fn damaged_parquet_files_do_not_panic(name in select(vec!["pairs.parquet", "types.parquet", "holes.parquet", "gzip.parquet", "zstd.parquet"]), changes in damage()) {
        let whole = fixture(name);
        let path = file("table.parquet", &damaged(&whole, &changes, 400));
        let _ = (read_table(&path), table::parquet_schema(&path));
    }

    #[test]
    fn damaged_pictures_do_not_panic(name in select(PICTURES.to_vec()), changes in damage()) {
        let whole = fixture(&format!("images/{name}"));
        let _ = picture(name, &damaged(&whole, &changes, 700));
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn damaged_tokenizers_do_not_panic(changes in damage()) {
        let whole = fixture("tokenizer/tokenizer.json");
        let _ = encoded(&damaged(&whole, &changes, 3000));
    }
}

/// The index of a JPEG's frame header.
fn frame(jpeg: &[u8]) -> usize {
    jpeg.windows(2).position(|bytes| bytes == [0xff, 0xc0] || bytes == [0xff, 0xc2]).unwrap()
}

#[test]
fn a_jpeg_without_rows_or_columns_is_refused() {
    for name in ["420.jpg", "gray.jpg", "cmyk.jpg", "progressive.jpg"] {
        let whole = fixture(&format!("images/{name}"));
        let at = frame(&whole) + 5;
        for places in [0..2, 2..4, 0..4] {
            let mut bytes = whole.clone();
            places.for_each(|place| bytes[at + place] = 0);
            let error = picture(name, &bytes).unwrap_err();
            assert!(error.contains("pixels") || error.contains("cannot be decoded"), "{error}");
        }
        let mut bytes = whole.clone();
        bytes[at..at + 2].fill(0);
        picture(name, &bytes).unwrap_err();
    }
}

/// Changes single bytes of Parquet files. The parquet crate panics in an assertion for some of the changes.
#[test]
fn assertions_of_the_parquet_crate_become_errors() {
    let mut panics = 0;
    for name in ["pairs.parquet", "types.parquet"] {
        let whole = fixture(name);
        for at in (4..whole.len().min(1200)).step_by(9) {
            for byte in [0x00, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                if let Err(error) = read_table(&file("assertion.parquet", &bytes)) {
                    panics += usize::from(error.contains("its reader failed"));
                }
            }
        }
    }
    assert!(panics > 0, "the parquet crate returns only errors now, so this test can be removed");
}

/// A table of normalized characters that declares a length of 4 GB.
#[test]
fn tokenizers_that_declare_huge_lengths_are_rejected() {
    let whole: serde_json::Value = serde_json::from_slice(&fixture("tokenizer/tokenizer.json")).unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let mut changed = whole.clone();
        changed[key] = value;
        encoded(changed.to_string().as_bytes())
    };
    let error = with("normalizer", serde_json::json!({"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}))
        .unwrap_err();
    assert!(error.contains("precompiled_charsmap") && error.contains("4294967295 bytes"), "{error}");
    // A trie with an index outside of the trie, for which the crate panics during encoding.
    let table = serde_json::json!({"type": "Precompiled", "precompiled_charsmap": "CAAAAP////8A/P//YQA="});
    let error = with("normalizer", table).unwrap_err();
    assert!(error.contains("its reader failed"), "{error}");
}
