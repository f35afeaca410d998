//! Texts whose next tokens a model is to say: the examples, batches, loss and scores that all such tasks share.
//!
//! A task of its own folder reads the files and says which tokens are labeled; the rest is here.

mod batch;
mod evaluate;
mod objective;

pub use self::batch::{LanguageBatch, LanguageExample, LanguageExamples};
pub use self::evaluate::{LOSS, LanguageEvaluation, PERPLEXITY};
pub use self::objective::LanguageLoss;
