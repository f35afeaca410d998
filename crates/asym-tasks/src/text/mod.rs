//! Texts with labels: the examples, batches, loss, scores and answers that all tasks on labeled texts share.
//!
//! Each task has a module of its own, which reads the files and determines the [`Problem`]. The common parts are here.

mod batch;
mod encode;
mod evaluate;
mod model;
mod objective;
mod predict;
mod target;

pub use self::batch::{EncodedExample, Examples, Targets, TextBatch};
pub use self::encode::{EncodeError, Encoded, Lengths, encode, preview, save_tokenizer};
pub use self::evaluate::{TextEvaluation, TextScore};
pub use self::model::{LoadClassifier, TextClassifier};
pub use self::objective::TextLoss;
pub use self::predict::{Answer, Predictor, Text};
pub use self::target::{Example, Problem, Target};
