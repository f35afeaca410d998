//! Tables: TSV, CSV and JSON as text, and Parquet and gzip from a file.
#![no_main]

use std::hint::black_box;

use asym_data::table::{Columns, Format, Reading, parquet_schema, parse, read};
use asym_fuzz::file;
use libfuzzer_sys::fuzz_target;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Settings for the reader, with the columns of the seeds.
fn readings(format: Format) -> [Reading; 3] {
    let named = Columns::Named(["sentence1", "sentence2", "label"].map(String::from).to_vec());
    let all = [named, Columns::Positional { width: 3, wanted: vec![2, 0] }, Columns::Numbered(vec![1, 3])];
    let mut skip_short_rows = false;
    all.map(|columns| {
        skip_short_rows = !skip_short_rows;
        Reading { format, columns, skip_short_rows }
    })
}

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PAR1") {
        let path = file("table.parquet", data);
        if let Ok(schema) = parquet_schema(&path) {
            black_box(schema.class_names("label"));
        }
        for reading in readings(Format::Parquet) {
            let _ = black_box(read(&path, &reading));
        }
        return;
    }
    let packed = data.starts_with(&GZIP).then(|| file("table.gz", data));
    let text = std::str::from_utf8(data);
    for format in [Format::Tsv, Format::Csv, Format::Json] {
        for reading in readings(format) {
            let rows = match (&packed, text) {
                (Some(path), _) => read(path, &reading),
                (None, Ok(text)) => parse("table", text, &reading),
                (None, Err(_)) => return,
            };
            for row in rows.into_iter().flatten() {
                assert!(row.line > 0);
                row.cells.iter().for_each(|cell| drop(black_box(cell.text())));
            }
        }
    }
});
