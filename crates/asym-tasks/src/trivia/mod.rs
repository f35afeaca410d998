//! Knowledge of an invented world, for a language model that must be trained within minutes and without a download.
//!
//! The world has [`names`](World::names) of twenty kinds of things: moons, rivers, bones. Names are invented, so that no one knows
//! their kinds but a model that has read of them. [`corpus`] gives lines to pre-train on, which say of every name what it is.
//! [`questions`] asks it in the form of MMLU: which of four names is a river? [`instructions`] are rows in the form of Alpaca, of
//! which some ask such questions too.
//!
//! Every third name is held out: no row of instructions has it, the corpus never offers it as one of four, and [`questions`] has held-out
//! names alone. A model that answers them has to combine what it read of a name with the form of a question.

mod corpus;
mod questions;
#[cfg(test)]
mod tests;
mod world;

pub use self::corpus::corpus;
pub use self::questions::{Asked, Row, instructions, questions};
pub use self::world::{KINDS, Kind, World};
