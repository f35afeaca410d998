//! The scores of one summary.

use std::fmt;

use rougers::{RougeScorer, RougeType, Tokenizer};
use serde::Serialize;

use super::punkt::{is_space, sentences};

/// The variants, with their names in `rouge_score`.
pub const VARIANTS: [&str; 4] = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

const TYPES: [RougeType; 4] = [RougeType::N(1), RougeType::N(2), RougeType::L, RougeType::LSum];

/// One variant's scores of a summary, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measure {
    /// The fraction of the summary that is in the reference.
    pub precision: f64,
    /// The fraction of the reference that is in the summary.
    pub recall: f64,
    /// The harmonic mean of precision and recall, which papers report.
    pub f1: f64,
}

/// The scores of a summary, in the order of [`VARIANTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeScore(pub [Measure; 4]);

impl RougeScore {
    /// The names and scores of the variants.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Measure)> + '_ {
        VARIANTS.into_iter().zip(self.0)
    }
}

/// Computes ROUGE-1, -2, -L and -Lsum with stemming. The results are the same as those of `rouge_score` 0.1.2.
///
/// White space around a text is removed. ROUGE-Lsum compares the [`sentences`] of the texts one by one.
pub struct Rouge {
    scorer: RougeScorer,
}

impl fmt::Debug for Rouge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rouge")
    }
}

impl Default for Rouge {
    fn default() -> Self {
        let scorer = RougeScorer::with_tokenizer(TYPES.to_vec(), Tokenizer::new(true));
        Self { scorer: scorer.unwrap_or_else(|error| unreachable!("ROUGE-1 and ROUGE-2 are valid variants: {error}")) }
    }
}

impl Rouge {
    /// The scores of `summary` against `reference`. They are 0 if one of the texts has neither ASCII letters nor ASCII digits.
    pub fn score(&self, summary: &str, reference: &str) -> RougeScore {
        let scores = self.scorer.score(&by_lines(reference), &by_lines(summary));
        RougeScore(TYPES.map(|variant| {
            let found = scores.get(variant).unwrap_or_default();
            Measure { precision: found.precision, recall: found.recall, f1: found.fmeasure }
        }))
    }
}

/// The sentences of a text, one per line.
pub(super) fn by_lines(text: &str) -> String {
    sentences(text.trim_matches(is_space)).join("\n")
}
