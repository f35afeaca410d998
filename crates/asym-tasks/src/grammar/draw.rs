//! Random choices from a numbered stream of a seed.

use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The number of a random stream of a seed. Each product of the grammar has its own stream, so no product affects another.
///
/// The numbers are part of the definition of the data, so they must never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stream(pub(crate) u64);

impl Stream {
    /// The pre-training corpus.
    pub(crate) const CORPUS: Self = Self(1);
    /// The reports for pre-training.
    pub(crate) const REPORTS: Self = Self(19);
    /// The reports for training.
    pub(crate) const REPORTS_TRAIN: Self = Self(20);
    /// The reports for evaluation.
    pub(crate) const REPORTS_DEV: Self = Self(21);
}

/// A random number generator that is fully specified by this file and by ChaCha8. A new release of `rand` therefore cannot change
/// the data of a seed.
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
    /// The bias of this multiply-and-shift method is below `bound / 2^32`, which is negligible for these data.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.rng.next_u32()) * bound as u64) >> 32) as usize
    }

    /// True with a probability of `percent` percent.
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

    /// The Fisher–Yates shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}
