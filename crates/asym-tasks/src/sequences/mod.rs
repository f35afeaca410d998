//! Texts that BART generates from other texts: pairs, batches, and the loss.
//!
//! Tasks and the pre-training of `bart-mini` share this module.

mod objective;
mod pairs;

pub use objective::PairLoss;
pub use pairs::{Marks, Pair, PairBatch, Pairs, sources_of};
