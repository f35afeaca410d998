//! Holds out a part of the training set for the evaluation.

use asym_core::random::derive_seed;
use asym_train::Order;

/// The share of the examples that is held out for the evaluation if there is no separate evaluation set.
pub(crate) const DEV_SHARE: f64 = 0.2;

/// Divide `groups.len()` examples into a training list and an evaluation list, both in ascending order. A share of each group,
/// such as the examples of one label, is held out for the evaluation. At least one example is held out in total, and at least one
/// remains for training.
///
/// The result is a function of the groups, the share and the seed.
pub(crate) fn split(groups: &[usize], share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let count = groups.len();
    let order =
        Order::Shuffled { seed: derive_seed(seed, "split", 0) }.batches(&vec![0; count], count.max(1), 0).concat();
    let mut dev = vec![false; count];
    let largest = groups.iter().max().map_or(0, |largest| largest + 1);
    let mut carried = 0.0;
    for group in 0..largest {
        let members: Vec<usize> = order.iter().copied().filter(|at| groups[*at] == group).collect();
        // The remainder of rounding is carried to the next group, so many small groups have their share together.
        let wanted = share * members.len() as f64 + carried;
        let taken = (wanted.round().max(0.0) as usize).min(members.len().saturating_sub(1));
        carried = wanted - taken as f64;
        members[..taken].iter().for_each(|at| dev[*at] = true);
    }
    if !dev.contains(&true) && count > 1 {
        // Each group has a single example. One of these examples is held out, so there is an evaluation.
        dev[order[0]] = true;
    }
    (0..count).partition(|at| !dev[*at])
}

/// The seed of the split by which settings are chosen. It is the same for all runs of a task, as their data are the same.
const CHOICE_SEED: u64 = 0;

/// Split the training examples `items` into two parts. The runs with each setting are trained on the first part. The best setting
/// is chosen by the scores on the second part, which contains `share` of each group.
pub(crate) fn held_out<T: Clone>(items: &[T], group: impl Fn(&T) -> usize, share: f64) -> (Vec<T>, Vec<T>) {
    let groups: Vec<usize> = items.iter().map(group).collect();
    let (train, held) = split(&groups, share, CHOICE_SEED);
    let chosen = |at: Vec<usize>| at.into_iter().map(|at| items[at].clone()).collect();
    (chosen(train), chosen(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_stratified_and_depend_on_the_seed() {
        // Three groups of 60, 30 and 10 examples, mixed.
        let groups: Vec<usize> = (0..100).map(|at| [0, 0, 1, 0, 0, 1, 0, 1, 0, 2][at % 10]).collect();
        let (train, dev) = split(&groups, 0.2, 1);
        let of = |list: &[usize], group| list.iter().filter(|at| groups[**at] == group).count();
        assert_eq!([0, 1, 2].map(|group| of(&dev, group)), [12, 6, 2]);
        let mut all = [train.clone(), dev.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100) && train.is_sorted() && dev.is_sorted());
        assert_eq!(split(&groups, 0.2, 1), (train, dev.clone()));
        assert_ne!(split(&groups, 0.2, 2).1, dev);
    }

    #[test]
    fn small_groups_keep_training_examples() {
        // 50 groups of two examples. A fifth of all examples is held out, although a fifth of one group is less than one example.
        let groups: Vec<usize> = (0..100).map(|at| at / 2).collect();
        let (train, dev) = split(&groups, 0.2, 3);
        assert_eq!(dev.len(), 20);
        assert!((0..50).all(|group| train.iter().any(|at| groups[*at] == group)));
        assert_eq!(split(&[0, 1], 0.2, 0).1.len(), 1);
        assert_eq!(split(&[0, 0], 0.2, 0).1.len(), 1);
        assert_eq!(split(&[0; 5], 0.9, 0).0.len(), 1);
    }
}
