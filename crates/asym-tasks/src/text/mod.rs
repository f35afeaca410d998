//! Texts with labels: the examples, batches, loss, scores and answers that all tasks on them share.
//!
//! A task of its own folder reads the files and says which [`Problem`] they pose; the rest is here.

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
