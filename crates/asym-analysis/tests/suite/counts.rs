//! Compares the parameters that are counted from configurations with PEFT's counts.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;

use asym_analysis::counts::{Count, Reading, report, rows};
use burn::tensor::Device;

/// The counts from `tests/fixtures/make_parameters.py`. The key contains every setting that changes a count.
fn reference() -> HashMap<Vec<String>, [usize; 4]> {
    let text = include_str!("../fixtures/parameters.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records = reader.records().map(|record| record.unwrap());
    let fields = |record: csv::StringRecord| {
        let counts: Vec<usize> = record.iter().skip(7).map(|count| count.parse().unwrap()).collect();
        (record.iter().take(7).map(ToString::to_string).collect(), counts.try_into().unwrap())
    };
    records.map(fields).collect()
}

#[test]
fn parameter_counts_match_peft() {
    let (reference, device) = (reference(), Device::default());
    let text = include_str!("../../data/paper-parameters.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.unwrap()).collect();
    let rows = rows().unwrap();
    assert_eq!(records.len(), rows.len());
    let mut compared = 0;
    for (row, record) in rows.iter().zip(&records) {
        for Count { adapter, frozen_factors, head, body, labels, .. } in row.counts(&device).unwrap() {
            // model, method, rank, a_train, b_train, targets. The inits, which are skipped, have no effect on the counts.
            let mut key: Vec<String> = [1, 2, 3, 5, 7, 8].map(|at| record[at].to_string()).to_vec();
            key.push(labels.to_string());
            assert_eq!([adapter, frozen_factors, head, body], reference[&key], "{key:?}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// Figures of the paper with one or more readings, and a figure without a reading.
#[test]
fn printed_figures_are_explained() {
    let device = Device::default();
    let explained = |tables: &str, printed: &str, method: &str| -> Vec<String> {
        let row = rows()
            .unwrap()
            .into_iter()
            .find(|row| row.tables == tables && row.printed == printed && row.method().unwrap() == method)
            .unwrap();
        let figures = row.explain(&row.counts(&device).unwrap());
        let join = |readings: &[Reading]| readings.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        figures.iter().map(|(_, readings)| join(readings)).collect()
    };
    assert_eq!(explained("2 6", "0.44 %", "B\u{302}_0 A_rand r=16"), ["the adapter"]);
    assert_eq!(explained("3 8", "0.24%", "LoRA r=32"), ["the adapter, cut off"]);
    assert_eq!(explained("10", "0.8M", "LoRA r=8"), ["the adapter"]);
    assert_eq!(
        explained("5", "0.8%", "B\u{302}_0 A\u{302}_rand r=8"),
        ["the adapter, in millions or adapter and head, this twice"]
    );
    assert_eq!(explained("10", "355.0M", "full"), [""]);
    let vit = explained("11", "0.16M-0.2M (0.18-0.29%)", "B\u{302}_0 A_rand r=8");
    assert_eq!(vit.last().unwrap(), "adapter and head, this twice, 65 classes");
    assert_eq!(explained("11 13", "86.4M (100%)", "full"), ["the bare model with its pooler", "the whole model"]);
    let report = report(&device).unwrap();
    assert!(report.lines().count() > 70, "{report}");
    assert!(report.lines().all(|line| line.chars().count() <= 120), "{report}");
}
