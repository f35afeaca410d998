//! MMLU: questions with four answers, from 57 subjects.
//!
//! Source: Hendrycks et al., 2021 (arXiv:2009.03300). The benchmark evaluates any Llama model, with or without an adapter, and
//! trains nothing. Scores depend on the [`Protocol`], so tables name the protocol.
//!
//! | file | contents |
//! |---|---|
//! | `subjects.rs` | the subjects, and their groups in both groupings |
//! | `questions.rs` | the files of the benchmark's archive and of the Hub |
//! | `protocol.rs` | prompts |
//! | `evaluate.rs` | evaluation of a model, from prompts to answers |
//! | `answers.rs` | an answer in a file of answers |
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
