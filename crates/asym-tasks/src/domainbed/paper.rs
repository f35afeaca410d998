//! The paper's scores, which tables show next to ours.
//!
//! `data/paper-domainbed.csv` contains one row per cell of the paper's Tables 11, 12 (accuracy) and 13 (gap between training and
//! test), in percent, for a ViT trained on one environment. The paper's Table 7 has the means of these values over environments.
//! The numbers come from "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et al., 2024).

use asym_core::Init;
use asym_train::Tuning;
use serde::Deserialize;

use super::benchmark::Benchmark;
use super::task::{GAP, IN_DOMAIN, OUT_OF_DOMAIN, TRAIN};
use crate::paper::PaperMethod;
use crate::task::PaperScore;

/// The model whose scores the paper reports.
pub(super) const MODEL: &str = "ViT";

const CELLS: &str = include_str!("../../data/paper-domainbed.csv");

/// One cell of the paper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DomainBedCell {
    /// The task's name.
    pub task: String,
    method: String,
    rank: Option<usize>,
    a_init: Option<Init>,
    a_train: Option<bool>,
    b_init: Option<Init>,
    b_train: Option<bool>,
    /// The environment, by the name of its folder.
    pub environment: String,
    /// The accuracy on this environment, in percent.
    pub accuracy: f64,
    /// The spread that the paper prints next to the accuracy.
    pub accuracy_std: f64,
    /// The accuracy on the training set minus `accuracy`, in percent.
    pub gap: f64,
    /// The spread that the paper prints next to the gap.
    pub gap_std: f64,
}

/// All cells of the paper's DomainBed tables.
///
/// # Errors
///
/// An error if the embedded file is damaged.
pub fn domainbed_cells() -> Result<Vec<DomainBedCell>, csv::Error> {
    csv::Reader::from_reader(CELLS.as_bytes()).deserialize().collect()
}

impl DomainBedCell {
    /// Whether this cell is in the paper's row of `tuning`.
    fn is_of(&self, tuning: &Tuning) -> bool {
        let (a, b) = ((self.a_init, self.a_train), (self.b_init, self.b_train));
        PaperMethod { name: &self.method, rank: self.rank, a, b }.is(tuning)
    }
}

/// The number of the paper's table with the accuracy on each environment of `benchmark`.
fn tables_of(benchmark: Benchmark) -> &'static str {
    if benchmark == Benchmark::TerraIncognita { "12" } else { "11" }
}

/// The paper's scores of `tuning` on `benchmark`, trained on the paper's environment and tested on `test`.
pub(super) fn scores(benchmark: Benchmark, tuning: &Tuning, test: &[String]) -> Vec<PaperScore> {
    let row = benchmark.row();
    let cells: Vec<DomainBedCell> = domainbed_cells().unwrap_or_default();
    let (own, others): (Vec<_>, Vec<_>) = cells
        .into_iter()
        .filter(|cell| cell.task == row.name && cell.is_of(tuning))
        .partition(|cell| cell.environment == row.train);
    let others: Vec<_> = others.into_iter().filter(|cell| test.contains(&cell.environment)).collect();
    let (Some(own), false) = (own.first(), others.is_empty()) else { return Vec::new() };
    // Table 7 has means over all test environments. A mean over some of them is computed from another table.
    let means = if others.len() + 1 == row.environments.len() { "7" } else { tables_of(benchmark) };
    let mean = |value: fn(&DomainBedCell) -> f64| others.iter().map(value).sum::<f64>() / others.len().max(1) as f64;
    let tables = tables_of(benchmark);
    let score = |score: &str, mean: f64, std: Option<f64>, table: &str| PaperScore {
        score: score.to_string(),
        // The tables have two digits after the decimal point.
        mean: (mean * 100.0).round() / 100.0,
        std,
        table: table.to_string(),
    };
    let mut scores = vec![
        score(OUT_OF_DOMAIN, mean(|cell| cell.accuracy), None, means),
        score(IN_DOMAIN, own.accuracy, Some(own.accuracy_std), tables),
        // The paper reports the training accuracy as its gap to the in-domain accuracy.
        score(TRAIN, own.accuracy + own.gap, None, "13"),
        score(GAP, mean(|cell| cell.gap), None, "13"),
    ];
    scores.extend(others.iter().map(|cell| score(&cell.environment, cell.accuracy, Some(cell.accuracy_std), tables)));
    scores
}
