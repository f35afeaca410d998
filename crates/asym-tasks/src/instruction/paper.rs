//! The paper's scores on MMLU of Llama 2 with 7 billion parameters, tuned on Alpaca.
//!
//! `data/paper-mmlu.csv` contains one row per cell of the paper's Table 3, which is repeated as Table 8: the zero-shot accuracy
//! in percent. The numbers come from "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et al., 2024). One row of the
//! paper contains only the model's name, and the paper does not say whether this model is tuned. Its method is `unnamed`.

use asym_core::Init;
use asym_train::Tuning;
use serde::Deserialize;

use crate::paper::PaperMethod;
use crate::task::PaperScore;

/// The model whose scores the paper reports.
pub(super) const MODEL: &str = "Llama-2-7B";

const CELLS: &str = include_str!("../../data/paper-mmlu.csv");

/// One cell of the paper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MmluCell {
    method: String,
    rank: Option<usize>,
    a_init: Option<Init>,
    a_train: Option<bool>,
    b_init: Option<Init>,
    b_train: Option<bool>,
    /// The group of subjects, or `all`.
    pub group: String,
    /// The accuracy, in percent.
    pub accuracy: f64,
}

/// All cells of the paper's tables of MMLU.
///
/// # Errors
///
/// An error if the embedded file is damaged.
pub fn mmlu_cells() -> Result<Vec<MmluCell>, csv::Error> {
    csv::Reader::from_reader(CELLS.as_bytes()).deserialize().collect()
}

impl MmluCell {
    /// Whether this cell is in the paper's row of `tuning`.
    fn is_of(&self, tuning: &Tuning) -> bool {
        let method = PaperMethod {
            name: &self.method,
            rank: self.rank,
            a: (self.a_init, self.a_train),
            b: (self.b_init, self.b_train),
        };
        method.is(tuning)
    }
}

/// The paper's scores of `tuning`.
pub(super) fn scores(tuning: &Tuning) -> Vec<PaperScore> {
    let cells = mmlu_cells().unwrap_or_default();
    let score = |cell: MmluCell| PaperScore {
        score: format!("mmlu {}", cell.group),
        mean: cell.accuracy,
        std: None,
        table: "3".to_owned(),
    };
    cells.into_iter().filter(|cell| cell.is_of(tuning)).map(score).collect()
}
