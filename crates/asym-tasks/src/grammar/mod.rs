//! A small generated English, for a model that must be trained within minutes and without a download.
//!
//! A grammar of about four hundred word types makes scenes, the sentences and questions of a scene, and sentences that
//! are acceptable or not. [`pretraining_corpus`] gives lines of these sentences to pre-train on, and [`reports`] several
//! scenes with a summary. Sentences are lower
//! case, words and punctuation are separated by one blank, and each sentence ends in " ." or " ?".
//!
//! # Determinism
//!
//! Everything follows from a `u64` seed. Each product of the grammar reads its own ChaCha8 stream of the seed, and the
//! draws are specified in this module, so neither another product nor another release of `rand` changes a product.
//!
//! # Held-out scenes
//!
//! A hash of a scene's key decides whether the scene is held out for development sets. The key names its people and
//! things regardless of their roles. The corpus takes only the other scenes, under any seed. Acceptable sentences and
//! opinions have keys of their own.

pub(crate) mod acceptability;
mod corpus;
pub(crate) mod draw;
pub(crate) mod key;
pub(crate) mod lexicon;
mod question;
pub(crate) mod render;
mod report;
pub(crate) mod scene;
#[cfg(test)]
mod tests;

pub use self::corpus::{ANSWERS, pretraining_corpus};
pub use self::report::{Report, ReportSet, reports};
