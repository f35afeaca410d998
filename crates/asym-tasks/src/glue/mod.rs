//! GLUE: its data sets, their files, and generated counterparts.
//!
//! [`read`] and [`read_tests`] read a data set from a folder, in any of the layouts in which it is distributed. [`generated()`]
//! generates a small counterpart of a data set without files.
//!
//! To add a data set, add a variant of [`Dataset`], its entry in [`Dataset::ALL`], its row in `rows.rs`, and its generator in
//! `generated`. No other code depends on the columns, labels or metrics of a single data set.

mod answers;
mod dataset;
mod error;
mod files;
mod generated;
mod layout;
mod paper;
mod rows;
mod submission;
mod task;
#[cfg(test)]
mod tests;

pub use self::answers::Answers;
pub use self::dataset::{Dataset, DatasetRow, Defaults, Part, Split};
pub use self::error::GlueError;
pub use self::files::{read, read_tests};
pub use self::generated::{DEV_SIZE, Sample, Samples, TRAIN_SIZE, generate, generated, write_tsv};
pub use self::layout::Layout;
pub use self::paper::{PaperCell, paper_cells};
pub use self::submission::write_submission;
pub use self::task::{DATA_SEED, Glue, GlueOptions};
