//! DomainBed: a classifier is trained on the pictures of one environment and tested on those of others.
//!
//! ```toml
//! tasks = ["pacs"]                # vlcs, pacs, office-home, terra-incognita, or domainbed for data of your own
//! data = "PACS"                   # a folder of environment/class/picture, or a name on the Hub
//!
//! [task]
//! train = "cartoon"               # the environment that is trained on; the paper's is the default
//! image_size = 112                # rows and columns of a picture; the default is the checkpoint's
//! ```
//!
//! The protocol is DomainBed's (Gulrajani and Lopez-Paz, 2021; `domainbed/scripts/train.py`) with the paper's one training
//! environment, in these points:
//!
//! - Pictures are ordered by class and path. A fifth of each environment is set aside, drawn from the trial's seed and the number of
//!   the environment among all, with the generator of NumPy: see [`split()`]. The trial's seed is that of the run.
//! - Training pictures are augmented, and so are those on which the training environment is evaluated.
//! - `id` is the accuracy on the fifth of the training environment, `train` on the rest of it. The accuracy on another environment is
//!   computed on four fifths of it, and `ood` is the mean over these environments. `gap` is `train` minus `ood`.
//! - The whole picture is resized to a square by the bilinear filter.
//!
//! It differs in these: an epoch passes over each picture once, whereas DomainBed draws pictures with replacement; mean and standard
//! deviation of the pixels come from the checkpoint; and the scores are computed after the last epoch, so no choice depends on a
//! test.

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
