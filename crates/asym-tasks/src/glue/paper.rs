//! The paper's scores, which tables show next to ours.
//!
//! `data/paper-glue.csv` contains one row per cell of the paper's Tables 1, 4, 5 and 10 (RoBERTa-large, development sets, in
//! percent). If two tables contain the same cell, the row has the value of Table 10. The numbers come from "Asymmetry in Low-Rank
//! Adapters of Foundation Models" (Zhu et al., 2024).

use asym_core::Init;
use asym_train::Tuning;
use serde::Deserialize;

use super::dataset::Dataset;
use crate::paper::PaperMethod;
use crate::task::PaperScore;

/// The model whose scores the paper reports for GLUE.
pub(super) const MODEL: &str = "RoBERTa-large";

const GLUE: &str = include_str!("../../data/paper-glue.csv");

/// One cell of the paper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PaperCell {
    task: String,
    method: String,
    rank: Option<usize>,
    a_init: Option<Init>,
    a_train: Option<bool>,
    b_init: Option<Init>,
    b_train: Option<bool>,
    /// The mean, in percent.
    pub mean: f64,
    /// The spread that the paper prints next to the mean.
    pub std: Option<f64>,
    /// The number of the table.
    pub table: String,
}

/// All cells of the paper's GLUE tables.
///
/// # Errors
///
/// An error if the embedded file is damaged.
pub fn paper_cells() -> Result<Vec<PaperCell>, csv::Error> {
    csv::Reader::from_reader(GLUE.as_bytes()).deserialize().collect()
}

/// The paper's score of `tuning` on `dataset`, if there is one. The paper has no scores for full fine-tuning and for training
/// only the head.
pub(super) fn score(dataset: Dataset, tuning: &Tuning) -> Option<PaperScore> {
    let is = |cell: &PaperCell| {
        let (a, b) = ((cell.a_init, cell.a_train), (cell.b_init, cell.b_train));
        PaperMethod { name: &cell.method, rank: cell.rank, a, b }.is(tuning)
    };
    let cells = paper_cells().ok()?;
    let cell = cells.into_iter().filter(|cell| cell.task == dataset.row().title).find(is)?;
    let score = dataset.scores().first()?.to_string();
    Some(PaperScore { score, mean: cell.mean, std: cell.std, table: cell.table })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use asym_core::{AdaLora, AdapterConfig, Ia3, Lora, Vera};

    #[test]
    fn scores_of_the_paper_are_complete_and_found() {
        assert_eq!(paper_cells().unwrap().len(), 140);
        let mean = |dataset, config| score(dataset, &Tuning::Adapter(config)).map(|cell| cell.mean);
        // Table 10: MRPC B̂₀A_rand r=8 and B_randÂ₀ r=16; CoLA LoRA r=8.
        assert_eq!(mean(Dataset::Mrpc, AdapterConfig::b_only(8)), Some(89.7));
        assert_eq!(mean(Dataset::Mrpc, AdapterConfig::a_only(16)), Some(90.2));
        assert_eq!(mean(Dataset::Cola, AdapterConfig::lora(8)), Some(64.4));
        assert_eq!(mean(Dataset::Cola, AdapterConfig::lora(5)), None);
        assert_eq!(mean(Dataset::Cola, AdapterConfig::new(Lora::new(8).rank_stabilized())), None);
        // Table 4.
        assert_eq!(mean(Dataset::Cola, AdapterConfig::new(AdaLora::new(12, 8))), Some(67.5));
        assert_eq!(mean(Dataset::Mrpc, AdapterConfig::new(Ia3::new(["output.dense"]))), Some(83.7));
        assert_eq!(mean(Dataset::Cola, AdapterConfig::new(Vera::new(8))), None);
    }
}
