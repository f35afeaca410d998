//! Knowledge of an invented world, for a language model that must be trained within minutes and without a download.
//!
//! The world has [`names`](World::names) of twenty kinds of things: moons, rivers, bones. Names are invented, so that no one knows
//! their kinds but a model that has read of them. [`corpus`] gives lines to pre-train on, which say of every name what it is.
//! [`questions`] asks it in the form of MMLU: what is "bafo", a comet, a moon, a planet or a star? [`instructions`] are rows in the form of
//! Alpaca, of which some ask such questions too.
//!
//! Every third name is held out: no row of instructions has it, the corpus asks no question with four answers about it, and
//! [`questions`] has held-out names alone. A model that answers them combines what it read of a name with the form of a question.
//!
//! The four answers are always in the order of the alphabet. Models of this size did not learn to find an answer among four in an order
//! that changes: three pre-trainings with such questions, of up to 192 000 lines, answered 25 % to 50 % of them right.

mod corpus;
mod questions;
#[cfg(test)]
mod tests;
mod world;

pub use self::corpus::corpus;
pub use self::questions::{Asked, Row, instructions, questions};
pub use self::world::{KINDS, Kind, World};
