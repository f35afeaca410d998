#![allow(clippy::unwrap_used)]

use std::path::Path;

use asym_data::table::{self, Columns, Files, Reading};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::*;
use crate::scratch::{Scratch, shared};

/// Variants, each with precision, recall and F1.
type Expected = [[f64; 3]; 4];

#[derive(Deserialize)]
struct Fixture {
    sentences: Vec<(String, Vec<String>)>,
    scores: Vec<(usize, usize, Expected)>,
}

/// The expected values that `tests/fixtures/make_rouge.py` writes.
fn fixture<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/rouge").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn assert_close(found: RougeScore, expected: &Expected, what: &str) {
    for ((name, found), expected) in found.named().zip(expected) {
        for (found, expected) in [found.precision, found.recall, found.f1].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{name} of {what}: {found} and {expected}");
        }
    }
}

#[test]
fn sentences_match_nltk() {
    let Fixture { sentences: cases, .. } = fixture("expected.json");
    assert!(cases.len() > 400);
    for (text, expected) in &cases {
        assert_eq!(&sentences(text), expected, "{text:?}");
    }
}

#[test]
fn scores_match_rouge_score() {
    let Fixture { sentences, scores } = fixture("expected.json");
    let rouge = Rouge::default();
    for (summary, reference, expected) in &scores {
        let (summary, reference) = (&sentences[*summary].0, &sentences[*reference].0);
        assert_close(rouge.score(summary, reference), expected, &format!("{summary:?} and {reference:?}"));
    }
    // More than 50 of the ROUGE-2 scores are neither 0 nor 1.
    assert!(scores.iter().filter(|(.., expected)| expected[1][2] > 0.0 && expected[1][2] < 1.0).count() > 50);
}

#[derive(Deserialize)]
struct OfData {
    digests: Vec<String>,
    lead3: Vec<Expected>,
}

#[derive(Deserialize)]
struct Data {
    xsum: OfData,
    cnndm: OfData,
}

/// The first three sentences of real articles, if the files are available.
#[test]
fn real_articles_match_rouge_score() {
    let Some(folder) = shared().map(|shared| shared.join("data")) else { return };
    let Data { xsum, cnndm } = fixture("data.json");
    let rouge = Rouge::default();
    for (path, [document, summary], expected) in [
        ("xsum/test_200.jsonl", ["document", "summary"], xsum),
        ("cnndm/train_sample.csv", ["article", "highlights"], cnndm),
    ] {
        let path = folder.join(path);
        let columns = Columns::Named([document, summary].map(String::from).to_vec());
        let format = Files::one(&path).unwrap().format;
        let rows = table::read(&path, &Reading { format, columns, skip_short_rows: false }).unwrap();
        assert_eq!((rows.len(), rows.len()), (expected.digests.len(), expected.lead3.len()));
        for ((row, digest), scores) in rows.iter().zip(&expected.digests).zip(&expected.lead3) {
            let [document, summary] = [0, 1].map(|cell| row.cells[cell].text().unwrap());
            let found = sentences(&document);
            let bytes = Sha256::digest(found.join("\n").as_bytes());
            let hex: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let what = format!("{}:{}", path.display(), row.line);
            assert_eq!(&hex, digest, "{what}");
            let lead = found[..found.len().min(3)].join(" ");
            assert_close(rouge.score(&lead, &summary), scores, &what);
        }
    }
}

/// Long texts are split and scored within a minute.
#[test]
fn long_texts_are_scored_within_a_minute() {
    let started = std::time::Instant::now();
    let rouge = Rouge::default();
    for text in [
        "word. ".repeat(100_000),
        "Stop! ".repeat(100_000),
        "!".repeat(600_000),
        " ".repeat(600_000),
        "a.".repeat(300_000),
    ] {
        let found = rouge.score(&text, "A word. Stop there!");
        assert!(found.0[0].recall <= 1.0);
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn files_of_summaries_are_read() {
    let folder = Scratch::new("rouge-files");
    let column = |given| Column { given, default: "reference", option: "--reference-column" };
    let read = |name: &str, given| Texts::read(&folder.path().join(name), column(given));
    folder.write("a.txt", b"\xef\xbb\xbfA cat.\n\nA dog.\n");
    folder.write("a.jsonl", b"{\"reference\": \"A cat sat.\", \"id\": 3}\n{\"id\": 4, \"reference\": \"It.\"}\n{\"reference\": \"A dog.\"}\n");
    folder.write("a.csv", b"id,highlights\n1,A cat.\n2,\"It,\nand more\"\n3,\n");
    let (summaries, references) = (read("a.txt", None).unwrap(), read("a.jsonl", None).unwrap());
    assert_eq!(summaries.all().collect::<Vec<_>>(), ["A cat.", "", "A dog."]);
    assert_eq!((summaries.empty().collect::<Vec<_>>(), references.empty().count()), (vec![2], 0));
    let scores = summaries.scores(&references).unwrap();
    assert_eq!((scores[1], scores[2].0[0].f1, scores[0].0[0].recall), (RougeScore::default(), 1.0, 2.0 / 3.0));
    let refused = |error: RougeError| error.to_string();
    let csv = read("a.csv", Some("highlights")).unwrap();
    assert!(refused(summaries.scores(&csv).unwrap_err()).contains("a.csv:5: the reference is empty"));
    let error = refused(read("a.csv", None).unwrap_err());
    assert!(error.contains("`reference`") && error.contains("highlights"), "{error}");
    folder.write("short.txt", b"A cat.\nA dog.");
    let error = refused(read("short.txt", None).unwrap().scores(&references).unwrap_err());
    assert!(error.contains("2 summaries") && error.contains("3 references"), "{error}");
    folder.write("lists.jsonl", b"{\"reference\": [\"A cat.\"]}\n");
    assert!(refused(read("lists.jsonl", None).unwrap_err()).contains("contains a list"));
    folder.write("none.txt", b"");
    assert!(matches!(read("none.txt", None), Err(RougeError::NoRows { .. })));
    assert!(refused(read("a.txt", Some("x")).unwrap_err()).contains("--reference-column"));
    assert!(matches!(read("absent.txt", None), Err(RougeError::Io { .. })));
    folder.write("latin.txt", b"A\ncaf\xe9\n");
    assert!(refused(read("latin.txt", None).unwrap_err()).contains("latin.txt"));
}
