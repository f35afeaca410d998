//! A user's own pictures in folders of classes.
//!
//! ```toml
//! tasks = ["image-classification"]
//! data = "pictures"               # pictures/dog/1.jpg, or pictures/train/dog/1.jpg beside pictures/dev/dog/2.jpg
//! ```
//!
//! The evaluation set is called `dev`, `validation`, `valid` or `val`. If there is none, `test` is the evaluation set. If there
//! is no `test` either, a fifth of the pictures of each class is held out. If there is an evaluation set, `test` is evaluated
//! only after the last epoch.

mod files;
mod options;
mod task;
#[cfg(test)]
mod tests;

pub use self::options::ImageClassificationOptions;
pub use self::task::{ImageClassification, ImageData};
