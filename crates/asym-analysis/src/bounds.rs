//! A bound on the difference between training and test loss: the paper's Lemma B.5.
//!
//! The lemma follows from the mutual-information bound of Xu and Raginsky (2017). The result of an algorithm has p parameters of
//! q bits each, so it contains at most p·q·ln 2 nats of information about the training set. Let
//! gen = E\[test loss − training loss\], where the expectation is over training sets and the randomness of the algorithm. Then
//!
//! ```text
//! |gen| ≤ √( 2σ²·q·ln 2·p / n )        p = r·Σ(d_in + d_out) for BA, r·Σd_out for B alone, r·Σd_in for A alone
//! ```
//!
//! The paper prints the sum over layers after the root, but it belongs inside the root, like p. Otherwise, the paper's
//! remark that the bound of B alone is smaller by √2 would not follow. The bound therefore depends on the adapter only
//! through the number of its trained parameters. If d_in = d_out, the bound of B alone at rank 2r equals the bound of both
//! factors at rank r.
//!
//! The frozen factor must be independent of the training set. An A that was computed from the inputs of layers
//! ([`Init::InputSvd`](asym_core::Init::InputSvd)) contains information about the training set.

use std::fmt;

use asym_core::Inspection;
use asym_core::layout::Kind;
use asym_figure::Table;

use crate::AnalysisError;

/// The inputs of the bound, except for the number of trained parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// n, the number of training examples.
    pub examples: usize,
    /// q, the number of bits of each trained parameter.
    pub bits: u32,
    /// σ: the loss is σ-sub-Gaussian. A loss between 0 and c is (c/2)-sub-Gaussian (Hoeffding), so σ = 1/2 bounds an
    /// error rate.
    pub sigma: f64,
}

impl Learning {
    /// Create the inputs of the bound, and check them.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Setting`] for no examples, no bits, or a σ that is not a positive number.
    pub fn new(examples: usize, bits: u32, sigma: f64) -> Result<Self, AnalysisError> {
        let setting = |field, found: f64, good, expected| match good {
            true => Ok(()),
            false => Err(AnalysisError::Setting { field, found, expected: String::from(expected) }),
        };
        setting("examples", examples as f64, examples > 0, "at least 1: without examples, there is no bound")?;
        setting("bits", f64::from(bits), bits > 0, "at least 1")?;
        setting("sigma", sigma, sigma.is_finite() && sigma > 0.0, "a positive number")?;
        Ok(Self { examples, bits, sigma })
    }

    /// √(2σ²·q·ln 2·p / n), in the unit of the loss, for p trained parameters.
    pub fn bound(&self, trained: usize) -> f64 {
        let nats = f64::from(self.bits) * std::f64::consts::LN_2 * trained as f64;
        (2.0 * self.sigma.powi(2) * nats / self.examples as f64).sqrt()
    }
}

/// One adapted weight, with the sizes of its factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptedWeight {
    /// The number of input features.
    pub d_input: usize,
    /// The number of output features.
    pub d_output: usize,
    /// The rank r.
    pub rank: usize,
}

impl AdaptedWeight {
    /// The weights of an inspected model that have a pair of factors.
    pub fn of(table: &Inspection) -> Vec<Self> {
        let adapter = || table.rows.iter().map(|row| &row.entry).filter(|entry| entry.kind == Kind::Adapter);
        let is = |field: &str, letter: &str| {
            field.starts_with(&format!("lora_{letter}")) || field.starts_with(&format!("lora_embedding_{letter}"))
        };
        let pair = |module: &str, letter: &str| {
            adapter().find(|entry| entry.module() == module && is(entry.field(), letter)).map(|entry| &entry.shape)
        };
        adapter()
            .filter(|entry| is(entry.field(), "A"))
            .filter_map(|a| {
                let b = pair(a.module(), "B")?;
                // A is r × d_in, without the size of a convolution's kernel; B is d_out × r.
                let (rank, d_input) = (*a.shape.first()?, a.shape.iter().skip(1).product());
                Some(Self { d_input, d_output: *b.first()?, rank })
            })
            .collect()
    }
}

/// The trained factors: the algorithms of Definition B.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    /// Both factors.
    BA,
    /// B, with A frozen at its initial value.
    B,
    /// A, with B frozen at its initial value.
    A,
}

impl Trained {
    /// The number of trained values of these weights, with their ranks multiplied by `times`.
    pub fn count(self, weights: &[AdaptedWeight], times: usize) -> usize {
        let per_rank = |weight: &AdaptedWeight| match self {
            Self::BA => weight.d_input + weight.d_output,
            Self::B => weight.d_output,
            Self::A => weight.d_input,
        };
        weights.iter().map(|weight| times * weight.rank * per_rank(weight)).sum()
    }
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BA => "B and A",
            Self::B => "B",
            Self::A => "A",
        })
    }
}

/// The bounds of the lemma's three algorithms, and of B alone at twice the rank. `Display` writes them as a table in Markdown.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds<'a> {
    /// The adapted weights.
    pub weights: &'a [AdaptedWeight],
    /// The number of trained parameters of the adapter, including parameters other than A and B.
    pub trained: usize,
    /// Examples, bits and σ.
    pub learning: Learning,
}

impl Bounds<'_> {
    /// The rows: the trained factors, and the number by which the rank is multiplied.
    pub const ROWS: [(Trained, usize); 4] = [(Trained::B, 1), (Trained::A, 1), (Trained::BA, 1), (Trained::B, 2)];
}

impl fmt::Display for Bounds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["trained", "rank", "parameters", "bound on |E[test − training loss]|"];
        let mut table = Table::new(header, 1..);
        let ranks = |times: usize| {
            let of =
                |pick: fn(usize, usize) -> usize| self.weights.iter().map(|w| times * w.rank).reduce(pick).unwrap_or(0);
            match (of(usize::min), of(usize::max)) {
                (least, most) if least == most => most.to_string(),
                (least, most) => format!("{least} to {most}"),
            }
        };
        let bound = |count: usize| format!("{:.3}", self.learning.bound(count));
        table.row(["this adapter".to_string(), ranks(1), self.trained.to_string(), bound(self.trained)]);
        for (trained, times) in Self::ROWS {
            let count = trained.count(self.weights, times);
            table.row([trained.to_string(), ranks(times), count.to_string(), bound(count)]);
        }
        let Learning { examples, bits, sigma } = self.learning;
        writeln!(f, "Lemma B.5 with n = {examples} examples, q = {bits} bits, σ = {sigma}; without the head:")?;
        write!(f, "{table}")?;
        match self.learning.bound(self.trained) >= 2.0 * sigma {
            true => write!(
                f,
                "\nLosses from 0 to {} never differ by more than this range, so the bound is vacuous at this n.",
                2.0 * sigma
            ),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// RoBERTa-large, query and value, r = 8: 48 weights of 1024 × 1024, so 393 216 values for one factor. With 32 bits, 3668
    /// examples and σ = 1/2 by hand: √(2·0.25·32·0.693147·393216/3668) = √1188.905.
    #[test]
    fn the_bound_matches_the_lemma() {
        let weights = [AdaptedWeight { d_input: 1024, d_output: 1024, rank: 8 }; 48];
        let learning = Learning::new(3668, 32, 0.5).unwrap();
        let b = Trained::B.count(&weights, 1);
        assert_eq!(b, 393_216);
        assert!((learning.bound(b) - 34.4805).abs() < 1e-3, "{}", learning.bound(b));
        // The paper's remark: the bound of B alone is smaller by √2, and equal to that of both factors at twice the rank.
        let both = Trained::BA.count(&weights, 1);
        assert!((learning.bound(both) / learning.bound(b) - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(Trained::B.count(&weights, 2), both);
        // Four times as many examples halve the bound.
        let more = Learning { examples: 4 * 3668, ..learning };
        assert!((learning.bound(b) / more.bound(b) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn non_square_weights_have_different_counts_for_a_and_b() {
        let weights =
            [AdaptedWeight { d_input: 10, d_output: 40, rank: 3 }, AdaptedWeight { d_input: 7, d_output: 5, rank: 2 }];
        assert_eq!(Trained::B.count(&weights, 1), 3 * 40 + 2 * 5);
        assert_eq!(Trained::A.count(&weights, 1), 3 * 10 + 2 * 7);
        assert_eq!(Trained::BA.count(&weights, 2), 2 * (3 * 50 + 2 * 12));
    }

    #[test]
    fn invalid_settings_are_rejected() {
        for (examples, bits, sigma, field) in
            [(0, 32, 0.5, "examples"), (1, 0, 0.5, "bits"), (1, 1, 0.0, "sigma"), (1, 1, f64::NAN, "sigma")]
        {
            let error = Learning::new(examples, bits, sigma).unwrap_err();
            assert!(matches!(error, AnalysisError::Setting { field: found, .. } if found == field), "{error}");
        }
    }
}
