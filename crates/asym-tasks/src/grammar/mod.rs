//! A small generated English, for a model that must be trained within minutes and without a download.
//!
//! A seeded grammar of about four hundred word types makes a corpus to pre-train on ([`pretraining_corpus`]) and a
//! counterpart of each of GLUE's tasks ([`generate`]), which can be written as GLUE's files are ([`write_tsv`]).
//! Sentences are lower case, words and marks stand apart by one blank, and each ends in " ." or " ?".
//!
//! | task | question | what decides |
//! |---|---|---|
//! | CoLA | is a sentence acceptable? | whether two of its words go together |
//! | MNLI | does a sentence follow, contradict, or neither? | whether both tell one scene, and whether one denies it |
//! | MRPC | do two sentences mean the same? | whether both tell one scene |
//! | QNLI | does a sentence answer a question? | whether it tells the scene that is asked about |
//! | QQP | do two questions ask the same? | whether both ask about one scene |
//! | RTE | does a sentence follow from another? | whether it tells the scene of the other, with less detail |
//! | SST-2 | is a sentence positive? | whether a quality is good, and whether it is denied |
//! | STS-B | how similar are two sentences? | how many people, events and tenses match |
//!
//! In none of them do the words alone say much about the target: which words there are, and in which of two sentences,
//! is as likely in either class, or nearly. The tests hold a linear model of words close to chance. What does tell is
//! how words go together, or how much of one sentence is in the other.
//!
//! # Determinism
//!
//! Everything follows from a `u64` seed. Each part of each product reads its own ChaCha8 stream of the seed, and the
//! draws are specified in this module, so that neither another product nor another release of `rand` changes a set.
//!
//! # What is held out
//!
//! Whether a scene may occur in a development set is decided by a hash of its key, which names its people and things
//! whatever their roles. The training sets of all tasks and the corpus take only the other scenes, under any seed.
//! Acceptable sentences and opinions have keys of their own. What is held out is a scene, not a question that leaves
//! somebody out of it: another scene may have been asked about by the words of one of QNLI's questions.

mod corpus;
mod draw;
mod lexicon;
mod question;
mod render;
mod scene;
mod tasks;
#[cfg(test)]
mod tests;
mod tsv;

use tasks::design;
pub use tsv::write_tsv;

use crate::glue::Task;
use crate::table::Target;

/// Examples of each training set.
pub const TRAIN_SIZE: usize = 3000;
/// Examples of each development set, of which MNLI has two.
pub const DEV_SIZE: usize = 500;

/// The words that introduce the second sentence of a line of the corpus, where it agrees with the first and where it
/// does not.
pub const ANSWERS: [&str; 2] = ["yes", "no"];

/// A set's two parts, of which neither holds a scene of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<T> {
    /// To learn from.
    pub train: Vec<T>,
    /// To measure on; where there are several development sets, one behind the other.
    pub dev: Vec<T>,
}

/// One generated example.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The text, or the first of a pair.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// What is to be predicted. Classes are numbered as in the data sets on the Hub.
    pub target: Target,
    /// The construction, or the kind of example: the source column of CoLA's files, the genre column of others.
    pub source: &'static str,
    /// What the example is about. No two examples of a part share it, and none of a development set has it from a
    /// training set.
    pub key: String,
    /// The development set that the example is in: 0, or 1 for MNLI's mismatched one. 0 in training sets.
    pub part: usize,
}

impl Sample {
    /// The second text of a pair, or nothing.
    fn second(&self) -> &str {
        self.second.as_deref().unwrap_or_default()
    }
}

/// `lines` lines to pre-train on; a tab parts the two halves of a discourse, which a tokenizer takes as a pair.
///
/// A third of the lines restate a fact in another form, another third answer it, with "yes ," and a restatement or
/// "no ," and another meaning; the others are single sentences. No line tells a scene of a development set.
///
/// # Example
///
/// ```
/// # use asym_tasks::grammar::pretraining_corpus;
/// let lines: Vec<String> = pretraining_corpus(0, 3).collect();
/// assert_eq!(lines, pretraining_corpus(0, 5).take(3).collect::<Vec<_>>());
/// ```
pub fn pretraining_corpus(seed: u64, lines: usize) -> impl Iterator<Item = String> {
    corpus::Lines::new(seed).take(lines)
}

/// The set of `task`: [`TRAIN_SIZE`] examples to train on, and [`DEV_SIZE`] of each development set.
///
/// Classes are even in each part, to within one example; scores are spread over their scale.
///
/// # Example
///
/// ```
/// # use asym_tasks::glue::Task;
/// # use asym_tasks::grammar::{DEV_SIZE, generate};
/// let set = generate(Task::Mnli, 0);
/// let mismatched = set.dev.iter().filter(|sample| sample.part == 1);
/// assert_eq!(mismatched.count(), DEV_SIZE);
/// ```
pub fn generate(task: Task, seed: u64) -> Split<Sample> {
    let design = design(task);
    let parts = 0..design.dev.len();
    Split {
        train: design.samples(seed, TRAIN_SIZE, None),
        dev: parts.flat_map(|part| design.samples(seed, DEV_SIZE, Some(part))).collect(),
    }
}

/// The key of a scene: what happens, and the fillers whatever their roles.
fn scene_key(event: &str, mut fillers: Vec<&str>) -> String {
    fillers.sort_unstable();
    format!("{event}:{}", fillers.join(","))
}

/// Whether the scene of this key is kept for development sets: one in ten is.
fn held_out(key: &str) -> bool {
    let hash = fnv1a(key.as_bytes());
    ((hash ^ (hash >> 29)) >> 8).is_multiple_of(10)
}

/// Fowler, Noll and Vo's hash, written out because the standard library's may change.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
