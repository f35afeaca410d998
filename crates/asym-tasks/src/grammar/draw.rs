//! Draws from a named stream of a seed.

use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// A stream of a seed, by its number. Each product of the grammar reads its own, so making one never shifts
/// another.
///
/// The numbers are part of the data's definition: never renumber them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stream(pub(crate) u64);

impl Stream {
    /// The pre-training corpus.
    pub(crate) const CORPUS: Self = Self(1);
    /// The reports of the pre-training.
    pub(crate) const REPORTS: Self = Self(19);
    /// The reports to train on.
    pub(crate) const REPORTS_TRAIN: Self = Self(20);
    /// The reports to evaluate on.
    pub(crate) const REPORTS_DEV: Self = Self(21);
}

/// A source of draws whose every step is specified here and in ChaCha8, so no release of `rand` can change the
/// data that a seed stands for.
#[derive(Debug, Clone)]
pub(crate) struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// Opens `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream.0);
        Self { rng }
    }

    /// A number below `bound`, or 0 if `bound` is 0.
    ///
    /// The bias of the multiply-and-shift is below `bound / 2^32`, far under what these sets could show.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.rng.next_u32()) * bound as u64) >> 32) as usize
    }

    /// True `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One item of a non-empty slice.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Two different items of a slice of two or more.
    pub(crate) fn pick_two<'a, T>(&mut self, items: &'a [T]) -> (&'a T, &'a T) {
        let first = self.below(items.len());
        let second = (first + 1 + self.below(items.len() - 1)) % items.len();
        (&items[first], &items[second])
    }

    /// Fisher and Yates's shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}
