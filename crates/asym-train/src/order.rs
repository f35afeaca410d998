//! The order of the examples: a function of (seed, epoch) alone, so a repeated or resumed run gets the same batches.

use rand_chacha::rand_core::Rng;

/// How the examples are arranged in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A new shuffle in each epoch. Within each group of 50 batches, examples of similar length are in the same batch. For
    /// training.
    Grouped {
        /// The run's seed.
        seed: u64,
    },
    /// A new shuffle in each epoch, regardless of the lengths, like PyTorch's `DataLoader(shuffle=True)`.
    Shuffled {
        /// The run's seed.
        seed: u64,
    },
    /// The longest examples first. Examples of equal length keep the order of the source. The order is the same in each epoch.
    /// For evaluation: there is little padding, and the first batch is the largest, so a lack of memory is noticed at the start.
    ByLength,
    /// The order of the source, in each epoch.
    Sequential,
}

/// The number of batches whose examples are sorted together by length in [`Order::Grouped`]. With fifty batches, there is little
/// padding and an epoch is still mixed well. The length-grouped sampler of transformers uses at most the same number.
const BATCHES_PER_BUCKET: usize = 50;

impl Order {
    /// The batches of `epoch` over examples of the given `lengths`. Each index below `lengths.len()` occurs exactly once. Each
    /// batch has `batch_size` indices, except for at most one smaller batch.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0.
    pub fn batches(self, lengths: &[usize], batch_size: usize, epoch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        match self {
            Self::Grouped { seed } => {
                let mut rng = stream(seed, epoch);
                shuffle(&mut order, &mut rng);
                for bucket in order.chunks_mut(batch_size.saturating_mul(BATCHES_PER_BUCKET)) {
                    bucket.sort_by_key(|&position| lengths[position]);
                }
                let mut batches = cut(&order, batch_size);
                shuffle(&mut batches, &mut rng);
                return batches;
            }
            Self::Shuffled { seed } => shuffle(&mut order, &mut stream(seed, epoch)),
            Self::ByLength => order.sort_by_key(|&position| std::cmp::Reverse(lengths[position])),
            Self::Sequential => {}
        }
        cut(&order, batch_size)
    }
}

fn cut(order: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    order.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

fn stream(seed: u64, epoch: usize) -> impl Rng {
    asym_core::random::stream(seed, &format!("batches/{epoch}"))
}

/// The Fisher–Yates shuffle. It is implemented here because `rand` does not guarantee that the result of its shuffle stays the
/// same. The upper half of a 128-bit product is uniform to within n / 2⁶⁴ for n items.
fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        let draw = u128::from(rng.next_u64()) * (last as u128 + 1);
        items.swap(last, (draw >> 64) as usize);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Lengths from 1 to 97 in an irregular order.
    fn lengths(n: usize) -> Vec<usize> {
        (0..n).map(|index| 1 + (index * 31) % 97).collect()
    }

    #[test]
    fn every_order_is_a_permutation_of_all_examples() {
        let lengths = lengths(1003);
        for order in [Order::Grouped { seed: 1 }, Order::Shuffled { seed: 1 }, Order::ByLength, Order::Sequential] {
            for batch_size in [1, 8, 2000, 1 << 63, usize::MAX] {
                let batches = order.batches(&lengths, batch_size, 3);
                assert_eq!(batches.len(), 1003usize.div_ceil(batch_size));
                let partial = batches.iter().filter(|batch| batch.len() != batch_size).count();
                assert!(partial <= 1, "{partial} batches are not full");
                let mut all = batches.concat();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..1003));
            }
            assert!(order.batches(&[], 8, 0).is_empty());
        }
    }

    #[test]
    fn batches_depend_only_on_seed_and_epoch() {
        let lengths = lengths(500);
        let batches = |seed, epoch| Order::Grouped { seed }.batches(&lengths, 16, epoch);
        assert_eq!(batches(1, 0), batches(1, 0));
        assert_ne!(batches(1, 0), batches(1, 1));
        assert_ne!(batches(1, 0), batches(2, 0));
        let plain = |epoch| Order::Shuffled { seed: 1 }.batches(&lengths, 16, epoch);
        assert_eq!(plain(5), plain(5));
        assert_ne!(plain(5), plain(6));
        assert_eq!(Order::ByLength.batches(&lengths, 16, 0), Order::ByLength.batches(&lengths, 16, 1));
    }

    /// Pins the order, so a new version of a dependency cannot change the order of a seed. The expected order was printed by this
    /// test.
    #[test]
    fn the_order_of_a_seed_is_pinned() {
        let batches = Order::Shuffled { seed: 42 }.batches(&[1; 8], 8, 0);
        assert_eq!(batches, [PINNED]);
    }

    const PINNED: [usize; 8] = [4, 3, 6, 7, 2, 5, 1, 0];

    #[test]
    fn grouping_by_length_reduces_padding() {
        let lengths = lengths(4000);
        let padded = |order: Order| -> usize {
            let batches = order.batches(&lengths, 16, 0);
            let longest = |batch: &Vec<usize>| batch.iter().map(|&i| lengths[i]).max().unwrap();
            batches.iter().map(|batch| longest(batch) * batch.len()).sum()
        };
        let tokens: usize = lengths.iter().sum();
        assert!(padded(Order::Grouped { seed: 0 }) * 100 < tokens * 105);
        assert!(padded(Order::Shuffled { seed: 0 }) * 100 > tokens * 150);
        // Grouped batches are shuffled again. Otherwise they would be sorted by length, like a curriculum.
        let batches = Order::Grouped { seed: 0 }.batches(&lengths, 16, 0);
        let rising = batches.windows(2).filter(|pair| lengths[pair[0][0]] < lengths[pair[1][0]]);
        let rising = rising.count();
        assert!((80..170).contains(&rising), "{rising} of {}", batches.len());
    }

    #[test]
    fn sorting_by_length_is_stable() {
        let batches = Order::ByLength.batches(&[3, 5, 3, 9, 5], 2, 0);
        assert_eq!(batches, [vec![3, 1], vec![4, 0], vec![2]]);
    }
}
