//! The methods of the rows in the paper's tables.

use asym_core::{Factor, Init, Method};
use asym_train::Tuning;

/// The method of a row in the files of `data/`.
pub(crate) struct PaperMethod<'a> {
    /// The name: `lora`, `adalora`, `ia3`, `full` or `head`.
    pub name: &'a str,
    /// The rank of LoRA.
    pub rank: Option<usize>,
    /// The initialization of A, and whether A is trained.
    pub a: (Option<Init>, Option<bool>),
    /// The initialization of B, and whether B is trained.
    pub b: (Option<Init>, Option<bool>),
}

impl PaperMethod<'_> {
    /// Whether this is the row of `tuning`. The paper has only one row for AdaLoRA and one for (IA)³.
    pub(crate) fn is(&self, tuning: &Tuning) -> bool {
        let config = match tuning {
            Tuning::Full => return self.name == "full",
            Tuning::Head => return self.name == "head",
            Tuning::Adapter(config) => config,
        };
        let is_factor = |factor: &Factor, (init, train)| (init, train) == (Some(factor.init), Some(factor.train));
        match &config.method {
            Method::Lora(lora) => {
                let plain = !lora.rank_stabilized && lora.rank_pattern.is_empty() && lora.alpha_pattern.is_empty();
                self.name == "lora"
                    && plain
                    && self.rank == Some(lora.rank)
                    && is_factor(&lora.a, self.a)
                    && is_factor(&lora.b, self.b)
            }
            Method::AdaLora(_) => self.name == "adalora",
            Method::Ia3(_) => self.name == "ia3",
            _ => false,
        }
    }
}
