//! A small generated English, for a model that must be trained within minutes and without a download.
//!
//! A grammar of about four hundred word types generates scenes, sentences and questions about a scene, and sentences that are
//! acceptable or not. [`pretraining_corpus`] generates lines of these sentences for pre-training, and [`reports`] generates
//! several scenes with a summary. Sentences are in lower case, words and punctuation are separated by one space, and each
//! sentence ends in " ." or " ?".
//!
//! # Determinism
//!
//! A `u64` seed determines all data. Each product of the grammar has its own ChaCha8 stream of the seed, and all random choices
//! are specified in this module. Therefore, neither another product nor another release of `rand` changes a product.
//!
//! # Held-out scenes
//!
//! A hash of a scene's key determines whether the scene is held out for development sets. The key consists of the scene's people
//! and things, regardless of their roles. For any seed, the corpus contains only scenes that are not held out. Acceptable
//! sentences and opinions have separate keys.

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
