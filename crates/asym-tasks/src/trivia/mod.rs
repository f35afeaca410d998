//! Knowledge of an invented world, for a language model that must be trained within minutes and without a download.
//!
//! The world has [`names`](World::names) of twenty kinds of things: moons, rivers, bones. Names are invented, so that no one knows
//! their kinds but a model that has read of them. [`corpus`] gives lines to pre-train on, which say of every name what it is.
//! [`questions`] asks it in the form of MMLU: is "bafo" a comet, a moon, a planet or a star? [`instructions`] are rows in the form of
//! Alpaca, of which some ask such questions too.
//!
//! Every third name is held out: no row of instructions has it, and [`questions`] has held-out names alone. The corpus asks about every
//! name, in forms of its own and never with the answers in the order of [`questions`]. A model thus has the knowledge and can choose
//! among answers before it is fine-tuned, and the rows teach it the form in which it is to answer.

mod corpus;
mod questions;
#[cfg(test)]
mod tests;
mod world;

pub use self::corpus::corpus;
pub use self::questions::{Asked, Row, instructions, questions};
pub use self::world::{KINDS, Kind, World};
