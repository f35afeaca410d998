//! DomainBed: a classifier is trained on the pictures of one environment and tested on those of other environments.
//!
//! ```toml
//! tasks = ["pacs"]                # vlcs, pacs, office-home, terra-incognita, or domainbed for your own data
//! data = "PACS"                   # a folder of environment/class/picture, or a name on the Hub
//!
//! [task]
//! train = "cartoon"               # the training environment; the default is the paper's
//! image_size = 112                # rows and columns of a picture; the default is the checkpoint's size
//! ```
//!
//! The protocol follows DomainBed (Gulrajani and Lopez-Paz, 2021; `domainbed/scripts/train.py`), with the paper's single training
//! environment, in these points:
//!
//! - Pictures are ordered by class and path. A fifth of each environment is held out. It is sampled with NumPy's generator, whose
//!   seed depends on the trial's seed and the index of the environment: see [`split()`]. The trial's seed is the seed of the run.
//! - Pictures of the training environment are augmented, both in training and in evaluation.
//! - `id` is the accuracy on the held-out fifth of the training environment, and `train` is the accuracy on the other four
//!   fifths. The accuracy on each test environment is computed on the four fifths that are not held out, and `ood` is the mean
//!   over the test environments. `gap` is `train` minus `ood`.
//! - The whole picture is resized to a square with a bilinear filter.
//!
//! It differs in three points. An epoch uses each picture once, whereas DomainBed samples pictures with replacement. The mean and
//! standard deviation for normalizing pixels come from the checkpoint. The scores on test environments are computed only after
//! the last epoch, so no choice depends on them.

mod benchmark;
mod files;
mod options;
mod paper;
mod split;
mod task;
#[cfg(test)]
mod tests;

pub use self::benchmark::Benchmark;
pub use self::options::DomainBedOptions;
pub use self::paper::{DomainBedCell, domainbed_cells};
pub use self::split::{Split, split};
pub use self::task::{DomainBed, DomainBedData};
