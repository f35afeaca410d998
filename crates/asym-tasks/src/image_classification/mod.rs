//! A user's own pictures in folders of classes.
//!
//! ```toml
//! tasks = ["image-classification"]
//! data = "pictures"               # pictures/dog/1.jpg, or pictures/train/dog/1.jpg beside pictures/dev/dog/2.jpg
//! ```
//!
//! A set for the evaluation is called `dev`, `validation`, `valid` or `val`. Without one it is `test`, and without that a fifth of
//! the pictures of each class is set aside. If there is another set, `test` is evaluated only after the last epoch.

mod files;
mod options;
mod task;
#[cfg(test)]
mod tests;

pub use self::options::ImageClassificationOptions;
pub use self::task::{ImageClassification, ImageData};
