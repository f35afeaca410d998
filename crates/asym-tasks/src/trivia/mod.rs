//! Knowledge of an invented world, for a language model that must be trained within minutes and without a download.
//!
//! The world has [`names`](World::names) for twenty kinds of things, such as moons, rivers and bones. The names are invented, so
//! only a model that was trained on this world knows their kinds. [`corpus`] returns lines for pre-training, which state what
//! every name is. [`questions`] asks about the names in the form of MMLU: what is "bafo", a comet, a moon, a planet or a star?
//! [`instructions`] returns rows in the form of Alpaca, some of which also ask such questions.
//!
//! Every third name is held out: no instruction row contains it, the corpus asks no four-answer question about it, and
//! [`questions`] uses only held-out names. To answer them, a model has to combine its knowledge of a name with the form of a
//! question.
//!
//! The four answers are always in alphabetical order. Models of this size did not learn to find the answer if the order of the
//! four answers varies: after three pre-trainings with such questions, on up to 192 000 lines, 25 % to 50 % of the answers were
//! right.

mod corpus;
mod questions;
#[cfg(test)]
mod tests;
mod world;

pub use self::corpus::corpus;
pub use self::questions::{Asked, Row, instructions, questions};
pub use self::world::{KINDS, Kind, World};
