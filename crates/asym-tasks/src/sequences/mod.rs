//! Texts that are written from other texts by a BART: pairs, batches, and the loss.
//!
//! Tasks and the pre-training of `bart-mini` share it.

mod objective;
mod pairs;

pub use objective::{PairLoss, smoothed};
pub use pairs::{Marks, Pair, PairBatch, Pairs, sources_of};
