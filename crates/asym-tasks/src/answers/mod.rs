//! Saves the answers of all evaluations to files, one line of JSON per answer. A killed evaluation can then be continued.

mod error;
mod file;
mod folder;

pub use error::AnswersError;
pub use file::{AnswerFile, Progress, Recorded};
pub use folder::settle;
