//! MMLU: four answers to a question, of 57 subjects.
//!
//! Source: Hendrycks et al., 2021 (arXiv:2009.03300). It is an evaluation of any Llama, with an adapter or without, and trains
//! nothing. Scores depend on the [`Protocol`], so tables name the protocol.
//!
//! | file | holds |
//! |---|---|
//! | `subjects.rs` | the subjects, and their groups in both groupings |
//! | `questions.rs` | the files of the benchmark's archive and of the Hub |
//! | `protocol.rs` | prompts |
//! | `evaluate.rs` | prompts to answers |
//! | `answers.rs` | an answer, as a file keeps it |
//! | `scores.rs` | accuracies and their table |

mod answers;
mod error;
mod evaluate;
mod protocol;
mod questions;
mod scores;
mod subjects;

pub use answers::Answer;
pub use error::MmluError;
pub use evaluate::{Asked, Prompts, ask, prompts};
pub use protocol::Protocol;
pub use questions::{LETTERS, Question, Split, read, subjects, wanted};
pub use scores::{Accuracy, Scores};
pub use subjects::{Group, Grouping, Subject};
