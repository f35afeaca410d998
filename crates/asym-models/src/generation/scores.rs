//! Scores of tokens in f32, as torch computes them: logits or their log-softmax.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// The number of scores in a block. The maximum of a block is found without a branch for each score.
const BLOCK: usize = 64;

/// A score and its index. If two scores are equal, the lower index is better. NaN is treated as minus infinity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    pub(super) score: f32,
    pub(super) index: usize,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let score = |ranked: &Self| if ranked.score.is_nan() { f32::NEG_INFINITY } else { ranked.score };
        // 0 and -0 are equal.
        let by_score = score(self).partial_cmp(&score(other)).unwrap_or(Ordering::Equal);
        by_score.then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// Collects the best of a stream of scores.
#[derive(Debug)]
pub(super) struct Best {
    count: usize,
    heap: BinaryHeap<Reverse<Ranked>>,
}

impl Best {
    /// Create a collector of the best `count` scores.
    pub(super) fn new(count: usize) -> Self {
        Self { count, heap: BinaryHeap::with_capacity(count + 1) }
    }

    /// Add one score.
    pub(super) fn push(&mut self, ranked: Ranked) {
        if self.heap.len() < self.count {
            self.heap.push(Reverse(ranked));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && ranked > worst.0
        {
            *worst = Reverse(ranked);
        }
    }

    /// Add `scores + base`. `index` is the index of the first score, and must be higher than all indices added before.
    pub(super) fn extend(&mut self, scores: &[f32], base: f32, index: usize) {
        for (block, scores) in scores.chunks(BLOCK).enumerate() {
            // A score that is not better than the worst kept score is ordered after it.
            let worst = match self.heap.peek() {
                Some(worst) if self.heap.len() == self.count => worst.0.score,
                _ => f32::NAN,
            };
            if maximum(scores) + base <= worst {
                continue;
            }
            for (offset, score) in scores.iter().enumerate() {
                self.push(Ranked { score: score + base, index: index + block * BLOCK + offset });
            }
        }
    }

    /// The best scores, best first. NaN is returned as minus infinity.
    pub(super) fn into_sorted(self) -> Vec<Ranked> {
        let number = |score: f32| if score.is_nan() { f32::NEG_INFINITY } else { score };
        let ranked = |Reverse(ranked): Reverse<Ranked>| Ranked { score: number(ranked.score), ..ranked };
        self.heap.into_sorted_vec().into_iter().map(ranked).collect()
    }
}

/// The highest score. NaN is ignored.
pub(super) fn maximum(scores: &[f32]) -> f32 {
    const LANES: usize = 16;
    let higher = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = scores.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = higher(*lane, *score);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| higher(a, *b))
}

/// The first token with the highest score.
pub(super) fn argmax(scores: &[f32]) -> u32 {
    let highest = maximum(scores);
    // If all scores are NaN, no position is found.
    scores.iter().position(|score| *score == highest).unwrap_or(0) as u32
}

/// Convert scores to log-probabilities: x - max - ln Σ exp(x - max).
pub(super) fn log_softmax(scores: &mut [f32]) {
    let highest = maximum(scores);
    let sum = (sum(scores, |score| exp(score - highest)) as f32).ln();
    for score in scores {
        *score = *score - highest - sum;
    }
}

/// The probabilities of scores: exp(x - max) / Σ exp(x - max).
pub(super) fn softmax(scores: &[f32]) -> Vec<f32> {
    let highest = maximum(scores);
    let mut probabilities: Vec<f32> = scores.iter().map(|score| exp(score - highest)).collect();
    let sum = sum(&probabilities, |probability| probability) as f32;
    probabilities.iter_mut().for_each(|probability| *probability /= sum);
    probabilities
}

/// The sum of `of` over all values. Blocks are summed in f32 and added in f64, so the sum over a large vocabulary is accurate.
pub(super) fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 16;
    let block = |block: &[f32]| {
        let mut lanes = [0.0_f32; LANES];
        let chunks = block.chunks_exact(LANES);
        let rest: f32 = chunks.remainder().iter().map(|value| of(*value)).sum();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += of(*value);
            }
        }
        f64::from(lanes.iter().sum::<f32>() + rest)
    };
    values.chunks(8 * BLOCK).map(block).sum()
}

/// eˣ for x ≤ 0 with a relative error below 2⁻²², and 0 for NaN. The standard library's `exp` is called for one value at
/// a time, which would take a third of the time of a beam-search step.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2, and eʳ is computed by the polynomial of Cephes' `expf`.
fn exp(x: f32) -> f32 {
    /// Adding this number to a small number puts the nearest integer into the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let polynomial = POLYNOMIAL.iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    // For lower x, eˣ is not a normal number.
    if x > -87.0 { (polynomial * r * r + r + 1.0) * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_matches_the_standard_library() {
        for step in 0..=87_000 {
            let x = -(step as f32) / 1000.0;
            let (found, expected) = (exp(x), f64::from(x).exp());
            let error = (f64::from(found) - expected).abs() / expected;
            assert!(error < 2.0 * f64::from(f32::EPSILON) || x <= -87.0, "{x}: {found}, {expected}");
        }
        assert_eq!([0.0, -0.0, -100.0, f32::NEG_INFINITY, f32::NAN].map(exp), [1.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn sums_over_large_vocabularies_are_accurate() {
        let values: Vec<f32> = (0..128_003).map(|index| 1.0 / (1 + index % 1000) as f32).collect();
        let expected: f64 = values.iter().map(|value| f64::from(*value)).sum();
        assert!((sum(&values, |value| value) / expected - 1.0).abs() < 1e-7);
    }

    #[test]
    fn nan_scores_have_zero_probability() {
        let scores = [1.0, f32::NAN, 2.0, f32::NEG_INFINITY];
        assert_eq!(softmax(&scores)[1], 0.0);
        let mut log = scores;
        log_softmax(&mut log);
        assert!(log[1].is_nan() && log[0].is_finite() && log[2] > log[0]);
        assert_eq!(argmax(&scores), 2);
    }
}
