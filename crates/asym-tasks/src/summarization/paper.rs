//! The paper's scores, which tables show next to the measured scores.
//!
//! `data/paper-summarization.csv` contains the scores of Table 6, which Table 2 repeats, in percent, for BART-large. The numbers
//! come from "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et al., 2024).
//!
//! The scripts that the paper follows compute scores against references that are truncated to the target length. The paper's
//! ROUGE-L on CNN/DailyMail is ROUGE-Lsum, because plain ROUGE-L is about ten points lower. The summaries of XSum have one
//! sentence, so ROUGE-L and ROUGE-Lsum agree.

use asym_core::Init;
use asym_train::Tuning;
use serde::Deserialize;

use super::benchmark::Benchmark;
use super::generate::cut_score;
use crate::paper::PaperMethod;
use crate::task::PaperScore;

/// The model whose scores the paper reports.
pub(super) const MODEL: &str = "BART-large";

const CELLS: &str = include_str!("../../data/paper-summarization.csv");

/// One row of the paper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SummarizationCell {
    /// The task's name.
    pub task: String,
    method: String,
    rank: Option<usize>,
    a_init: Option<Init>,
    a_train: Option<bool>,
    b_init: Option<Init>,
    b_train: Option<bool>,
    /// F1 of ROUGE-1, in percent.
    pub rouge1: f64,
    /// F1 of ROUGE-2.
    pub rouge2: f64,
    /// The paper's ROUGE-L, which is ROUGE-Lsum.
    #[serde(rename = "rougeL")]
    pub rouge_l: f64,
}

/// All rows of the paper's tables of summarization.
///
/// # Errors
///
/// An error if the file that is compiled in is damaged.
pub fn summarization_cells() -> Result<Vec<SummarizationCell>, csv::Error> {
    csv::Reader::from_reader(CELLS.as_bytes()).deserialize().collect()
}

/// The paper's scores of `tuning` on `benchmark`.
pub(super) fn scores(benchmark: Benchmark, tuning: &Tuning) -> Vec<PaperScore> {
    let is = |cell: &SummarizationCell| {
        let (a, b) = ((cell.a_init, cell.a_train), (cell.b_init, cell.b_train));
        cell.task == benchmark.name() && PaperMethod { name: &cell.method, rank: cell.rank, a, b }.is(tuning)
    };
    let Some(cell) = summarization_cells().unwrap_or_default().into_iter().find(is) else { return Vec::new() };
    [(0, cell.rouge1), (1, cell.rouge2), (3, cell.rouge_l)]
        .map(|(variant, mean)| PaperScore { score: cut_score(variant), mean, std: None, table: "6".to_string() })
        .into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use asym_core::{AdaLora, AdapterConfig, Factor, Lora};

    use super::*;

    #[test]
    fn scores_of_the_paper_are_complete_and_found() {
        assert_eq!(summarization_cells().unwrap().len(), 8);
        let means = |benchmark, config: AdapterConfig| -> Vec<f64> {
            scores(benchmark, &Tuning::Adapter(config)).iter().map(|score| score.mean).collect()
        };
        assert_eq!(means(Benchmark::Xsum, AdapterConfig::b_only(16)), [42.91, 19.61, 34.64]);
        assert_eq!(means(Benchmark::CnnDailyMail, AdapterConfig::a_only(16)), [43.38, 20.36, 40.48]);
        let both = Lora::new(8).a(Factor::trained(asym_core::Init::Orthonormal));
        assert_eq!(means(Benchmark::Xsum, AdapterConfig::new(both)), [43.78, 20.47, 35.53]);
        assert!(means(Benchmark::Xsum, AdapterConfig::lora(8)).is_empty());
        assert!(means(Benchmark::Xsum, AdapterConfig::new(AdaLora::new(12, 8))).is_empty());
    }
}
