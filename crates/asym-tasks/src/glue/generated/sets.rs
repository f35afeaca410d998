//! The eight sets.
//!
//! To add a set, add its streams in `streams.rs`, a file with its [`Design`], and its row in [`design`].

use super::design::Design;
use super::sample::Samples;
use super::{cola, mnli, mrpc, qnli, qqp, rte, sst2, stsb};
use crate::glue::dataset::Dataset;

/// The number of examples of each training set.
pub const TRAIN_SIZE: usize = 3000;
/// The number of examples of each development set. MNLI has two development sets.
pub const DEV_SIZE: usize = 500;

/// The design of a data set's counterpart.
pub(super) fn design(dataset: Dataset) -> &'static Design {
    match dataset {
        Dataset::Cola => &cola::DESIGN,
        Dataset::Mnli => &mnli::DESIGN,
        Dataset::Mrpc => &mrpc::DESIGN,
        Dataset::Qnli => &qnli::DESIGN,
        Dataset::Qqp => &qqp::DESIGN,
        Dataset::Rte => &rte::DESIGN,
        Dataset::Sst2 => &sst2::DESIGN,
        Dataset::Stsb => &stsb::DESIGN,
    }
}

/// The counterpart of `dataset`, with [`TRAIN_SIZE`] training examples and [`DEV_SIZE`] examples in each development set.
///
/// The classes of each part have the same number of examples, to within one. Scores are spread over their range.
///
/// # Example
///
/// ```
/// # use asym_tasks::glue::{DEV_SIZE, Dataset, generate};
/// let set = generate(Dataset::Mnli, 0);
/// let mismatched = set.dev.iter().filter(|sample| sample.part == 1);
/// assert_eq!(mismatched.count(), DEV_SIZE);
/// ```
pub fn generate(dataset: Dataset, seed: u64) -> Samples {
    let design = design(dataset);
    let parts = 0..design.dev.len();
    Samples {
        train: design.samples(seed, TRAIN_SIZE, None),
        dev: parts.flat_map(|part| design.samples(seed, DEV_SIZE, Some(part))).collect(),
    }
}
