//! A user's own texts with labels: one class, one score, or any number of labels per text.
//!
//! ```toml
//! tasks = ["classification"]
//! data = "reviews.csv"            # a file, a folder with a training set, or a name on the Hub
//!
//! [task]
//! text = "review"                 # the column of the text
//! label = "stars"                 # the column of the answer, or a list of columns of zeros and ones
//! ```
//!
//! The kind of answers and the names of the labels are inferred from the data. [`Task::settled`](crate::Task::settled) writes
//! them into the recipe of each run.

mod error;
mod files;
mod labels;
mod options;
mod task;
#[cfg(test)]
mod tests;

pub use self::error::ClassificationError;
pub use self::files::Rows;
pub use self::labels::Labels;
pub use self::options::ClassificationOptions;
pub use self::task::{Classification, ClassificationData};
pub use crate::names::Names;
