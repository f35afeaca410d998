//! Next-token prediction: the examples, batches, loss and scores that all tasks of causal language models share.
//!
//! Each task has a module of its own, which reads the files and decides which tokens are labeled. The common parts are here.

mod batch;
mod evaluate;
mod objective;

pub use self::batch::{LanguageBatch, LanguageExample, LanguageExamples};
pub use self::evaluate::{LOSS, LanguageEvaluation, PERPLEXITY};
pub use self::objective::LanguageLoss;
