//! Pictures with classes: the settings, batches, loss and scores that all tasks on pictures share.
//!
//! The module of each task lists the files and determines the sets for training and evaluation. All other code is in this module.

mod check;
mod error;
mod evaluate;
mod objective;
mod pictures;
mod settings;
mod sheet;
mod source;
#[cfg(test)]
mod tests;

pub use self::check::{decode_all, same_classes};
pub use self::error::ImagesError;
pub use self::evaluate::{Derived, ImageEvaluation, ImageSet, SetMetric};
pub use self::objective::ImageLoss;
pub use self::pictures::{Augment, Member, Pictures};
pub use self::settings::{Broken, ImageSettings, processor_of, save_processor};
pub use self::sheet::Sheet;
pub use self::source::{ImageBatch, ImageSource};
