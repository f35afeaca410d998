//! Answers on file, for all evaluations: a line of JSON each, so that an evaluation that was killed goes on where it was.

mod error;
mod file;
mod folder;

pub use error::AnswersError;
pub use file::{AnswerFile, Progress, Recorded};
pub use folder::settle;
