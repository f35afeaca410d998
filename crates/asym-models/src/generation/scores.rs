//! Scores of tokens in f32, as torch computes them: logits, or their logarithmic softmax.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Scores that are looked at together: the best of them is found without a branch for each.
const BLOCK: usize = 64;

/// A score and its position. Of two equal scores, the first is better; NaN is the worst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    pub(super) score: f32,
    pub(super) index: usize,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let score = |ranked: &Self| if ranked.score.is_nan() { f32::NEG_INFINITY } else { ranked.score };
        // Zero is as good as minus zero.
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

/// The best of all scores that it is shown.
#[derive(Debug)]
pub(super) struct Best {
    count: usize,
    heap: BinaryHeap<Reverse<Ranked>>,
}

impl Best {
    /// Keeps the best `count`.
    pub(super) fn new(count: usize) -> Self {
        Self { count, heap: BinaryHeap::with_capacity(count + 1) }
    }

    /// Show one score.
    pub(super) fn push(&mut self, ranked: Ranked) {
        if self.heap.len() < self.count {
            self.heap.push(Reverse(ranked));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && ranked > worst.0
        {
            *worst = Reverse(ranked);
        }
    }

    /// Show `scores + base`. The first score has the position `index`, which is after all positions shown before.
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

    /// The kept scores, best first; NaN is returned as minus infinity.
    pub(super) fn into_sorted(self) -> Vec<Ranked> {
        let number = |score: f32| if score.is_nan() { f32::NEG_INFINITY } else { score };
        let ranked = |Reverse(ranked): Reverse<Ranked>| Ranked { score: number(ranked.score), ..ranked };
        self.heap.into_sorted_vec().into_iter().map(ranked).collect()
    }
}

/// The highest score; NaN does not count.
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

/// The token of the highest score, the first of several.
pub(super) fn argmax(scores: &[f32]) -> u32 {
    let highest = maximum(scores);
    // There is none where all are NaN.
    scores.iter().position(|score| *score == highest).unwrap_or(0) as u32
}

/// Scores become log-probabilities: x - max - ln Σ exp(x - max).
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

/// The sum of `of` over all values: in f32 within a block and in f64 between blocks, so a large vocabulary is summed
/// accurately.
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

/// eˣ for x up to zero, within 2⁻²² of it, and zero for what is not a number. The standard library's is called for one value
/// after the other, which takes a third of a step of beam search.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2; eʳ by the polynomial of Cephes' `expf`.
fn exp(x: f32) -> f32 {
    /// Added to a small number, it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let polynomial = POLYNOMIAL.iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    // Below this, eˣ is no longer a normal number.
    if x > -87.0 { (polynomial * r * r + r + 1.0) * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_standard_library() {
        for step in 0..=87_000 {
            let x = -(step as f32) / 1000.0;
            let (found, expected) = (exp(x), f64::from(x).exp());
            let error = (f64::from(found) - expected).abs() / expected;
            assert!(error < 2.0 * f64::from(f32::EPSILON) || x <= -87.0, "{x}: {found}, {expected}");
        }
        assert_eq!([0.0, -0.0, -100.0, f32::NEG_INFINITY, f32::NAN].map(exp), [1.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn large_vocabularies_add_up() {
        let values: Vec<f32> = (0..128_003).map(|index| 1.0 / (1 + index % 1000) as f32).collect();
        let expected: f64 = values.iter().map(|value| f64::from(*value)).sum();
        assert!((sum(&values, |value| value) / expected - 1.0).abs() < 1e-7);
    }

    #[test]
    fn a_score_that_is_not_a_number_is_never_probable() {
        let scores = [1.0, f32::NAN, 2.0, f32::NEG_INFINITY];
        assert_eq!(softmax(&scores)[1], 0.0);
        let mut log = scores;
        log_softmax(&mut log);
        assert!(log[1].is_nan() && log[0].is_finite() && log[2] > log[0]);
        assert_eq!(argmax(&scores), 2);
    }
}
