//! The scores of one summary.

use std::fmt;

use rougers::{RougeScorer, RougeType, Tokenizer};
use serde::Serialize;

use super::punkt::{is_space, sentences};

/// The variants, by the names that `rouge_score` gives them.
pub const VARIANTS: [&str; 4] = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

const TYPES: [RougeType; 4] = [RougeType::N(1), RougeType::N(2), RougeType::L, RougeType::LSum];

/// One variant's scores of a summary, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measure {
    /// The share of the summary that is in the reference.
    pub precision: f64,
    /// The share of the reference that is in the summary.
    pub recall: f64,
    /// The harmonic mean of both, which papers report.
    pub f1: f64,
}

/// The scores of a summary, in the order of [`VARIANTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RougeScore(pub [Measure; 4]);

impl RougeScore {
    /// The variants with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Measure)> + '_ {
        VARIANTS.into_iter().zip(self.0)
    }
}

/// Computes ROUGE-1, -2, -L and -Lsum with the stemmer, as `rouge_score` 0.1.2.
///
/// Texts are stripped of the space around them and divided into [`sentences`], which -Lsum compares one by one.
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
        Self { scorer: scorer.unwrap_or_else(|error| unreachable!("variants of one and two words: {error}")) }
    }
}

impl Rouge {
    /// The scores of `summary` against `reference`. They are 0 if one of the two has no letter and no digit of ASCII.
    pub fn score(&self, summary: &str, reference: &str) -> RougeScore {
        let scores = self.scorer.score(&by_lines(reference), &by_lines(summary));
        RougeScore(TYPES.map(|variant| {
            let found = scores.get(variant).unwrap_or_default();
            Measure { precision: found.precision, recall: found.recall, f1: found.fmeasure }
        }))
    }
}

/// The sentences of a text, a line each.
pub(super) fn by_lines(text: &str) -> String {
    sentences(text.trim_matches(is_space)).join("\n")
}
