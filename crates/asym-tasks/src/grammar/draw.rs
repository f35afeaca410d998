//! Draws from a named stream of a seed.

use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The streams of one seed. Each product of the grammar reads its own, so that making one never shifts another.
///
/// The numbers are part of the data's definition: never renumber them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// The pre-training corpus.
    Corpus = 1,
    /// MRPC's training examples.
    MrpcTrain = 2,
    /// MRPC's development examples.
    MrpcDev = 3,
    /// CoLA's training examples.
    ColaTrain = 4,
    /// CoLA's development examples.
    ColaDev = 5,
    /// MNLI's training examples.
    MnliTrain = 6,
    /// MNLI's matched development examples.
    MnliMatched = 7,
    /// MNLI's mismatched development examples.
    MnliMismatched = 8,
    /// QNLI's training examples.
    QnliTrain = 9,
    /// QNLI's development examples.
    QnliDev = 10,
    /// QQP's training examples.
    QqpTrain = 11,
    /// QQP's development examples.
    QqpDev = 12,
    /// RTE's training examples.
    RteTrain = 13,
    /// RTE's development examples.
    RteDev = 14,
    /// SST-2's training examples.
    Sst2Train = 15,
    /// SST-2's development examples.
    Sst2Dev = 16,
    /// STS-B's training examples.
    StsbTrain = 17,
    /// STS-B's development examples.
    StsbDev = 18,
}

/// A source of draws whose every step is specified here and in ChaCha8, so that no release of `rand` can change the
/// data that a seed stands for.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// Opens `stream` of `seed`.
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        Self { rng }
    }

    /// A number below `bound`, or 0 if `bound` is 0.
    ///
    /// The bias of the multiply-and-shift is below `bound / 2^32`, far under what these sets could show.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.rng.next_u32()) * bound as u64) >> 32) as usize
    }

    /// True `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One item of a non-empty slice.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Two different items of a slice of two or more.
    pub(super) fn pick_two<'a, T>(&mut self, items: &'a [T]) -> (&'a T, &'a T) {
        let first = self.below(items.len());
        let second = (first + 1 + self.below(items.len() - 1)) % items.len();
        (&items[first], &items[second])
    }

    /// Fisher and Yates's shuffle.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}
