//! A small generated English, for a model that must be trained within minutes and without a download.
//!
//! A seeded grammar of about four hundred word types makes three things: a corpus to pre-train on
//! ([`pretraining_corpus`]), a set of sentence pairs as in MRPC ([`paraphrase`]), and a set of judgements as in CoLA
//! ([`acceptability`]). Sentences are lower case, words and marks stand apart by one blank, and each ends in " ." or
//! " ?".
//!
//! In both sets the words alone say nothing about the label: a contradiction has the words of a paraphrase in other
//! roles, and an unacceptable sentence has words that each occur as often in acceptable ones. The tests hold a
//! bag-of-words classifier to chance.
//!
//! # Determinism
//!
//! Everything follows from a `u64` seed. Each product reads its own ChaCha8 stream of the seed, and the draws are
//! specified in this module, so that neither another product nor another release of `rand` changes a set.
//!
//! # What is held out
//!
//! Whether a scene may occur in a development set is decided by a hash of its key, which names the kind of event and
//! its fillers whatever their roles. The training sets and the corpus take only the other scenes, under any seed.

mod acceptability;
mod corpus;
mod draw;
mod lexicon;
mod render;
mod scene;
#[cfg(test)]
mod tests;
mod tsv;

use std::collections::HashSet;

use acceptability::specimen;
use draw::{Draw, Stream};
use scene::Scene;
pub use tsv::{write_cola, write_mrpc};

/// Examples of either training set.
pub const TRAIN_SIZE: usize = 3000;
/// Examples of either development set.
pub const DEV_SIZE: usize = 500;

/// The words that introduce the second sentence of a line of the corpus, where it agrees with the first and where it does not.
pub const ANSWERS: [&str; 2] = ["yes", "no"];

/// A set's two parts, of which neither holds a scene of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<T> {
    /// To learn from.
    pub train: Vec<T>,
    /// To measure on.
    pub dev: Vec<T>,
}

/// Two sentences of the same words, or nearly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The first sentence.
    pub first: String,
    /// The second, in another form than the first.
    pub second: String,
    /// Whether they mean the same.
    pub same: bool,
    /// The kind of scene and its fillers, equal for whatever the same fillers do to each other.
    pub key: String,
}

/// A sentence and whether it is English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The construction that the sentence tries.
    pub source: &'static str,
    /// The sentence.
    pub sentence: String,
    /// Whether it is acceptable.
    pub acceptable: bool,
    /// What the sentence says of whom; a scene of the other products that says the same has the same key.
    pub key: String,
}

/// `lines` lines to pre-train on; a tab parts the two halves of a discourse, which a tokenizer takes as a pair.
///
/// A third of the lines restate a fact in another form, another third answer it, with "yes ," and a restatement or "no ,"
/// and another meaning; the others are single sentences. No line tells a scene of either development set.
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

/// The paraphrase set: do two sentences mean the same?
///
/// Half of either part are paraphrases: the second sentence has another form, and a synonym in place of one word. In the
/// other half it tells another scene of the same kind. No word gives that away; how many words the two sentences share
/// does, as it does in MRPC.
pub fn paraphrase(seed: u64) -> Split<Pair> {
    let part = |stream, dev, size| {
        distinct(
            seed,
            stream,
            dev,
            size,
            |draw, same| {
                let scene = Scene::draw(draw);
                let other = scene.counterpart(same, draw);
                let (first, second) = scene.said_and_answered(&other, draw);
                Pair { first, second, same, key: scene.key() }
            },
            |pair| &pair.key,
            |pair| held_out(pair.key.rsplit_once(':').map_or("", |(cast, _)| cast)),
        )
    };
    Split { train: part(Stream::ParaphraseTrain, false, TRAIN_SIZE), dev: part(Stream::ParaphraseDev, true, DEV_SIZE) }
}

/// The acceptability set: is the sentence English?
///
/// Half of either part are acceptable. The flaws are of agreement, reflexives, auxiliaries, objects, demonstratives,
/// word order, time, questions and degree.
pub fn acceptability(seed: u64) -> Split<Judgement> {
    let part = |stream, dev, size| {
        distinct(
            seed,
            stream,
            dev,
            size,
            |draw, acceptable| {
                let specimen = specimen(draw, acceptable);
                Judgement { source: specimen.source, sentence: specimen.sentence, acceptable, key: specimen.key }
            },
            |judgement| &judgement.key,
            |judgement| held_out(&judgement.key),
        )
    };
    Split {
        train: part(Stream::AcceptabilityTrain, false, TRAIN_SIZE),
        dev: part(Stream::AcceptabilityDev, true, DEV_SIZE),
    }
}

/// `size` examples of one part, half of them of either label, no two of one key.
fn distinct<T>(
    seed: u64,
    stream: Stream,
    dev: bool,
    size: usize,
    make: impl Fn(&mut Draw, bool) -> T,
    key: impl Fn(&T) -> &String,
    is_held_out: impl Fn(&T) -> bool,
) -> Vec<T> {
    let mut draw = Draw::new(seed, stream);
    let mut seen = HashSet::new();
    let mut examples = Vec::with_capacity(size);
    while examples.len() < size {
        let example = make(&mut draw, examples.len() % 2 == 0);
        if is_held_out(&example) == dev && seen.insert(key(&example).clone()) {
            examples.push(example);
        }
    }
    draw.shuffle(&mut examples);
    examples
}

/// The key of a scene: what happens, and the fillers whatever their roles.
fn scene_key(event: &str, mut fillers: Vec<&str>) -> String {
    fillers.sort_unstable();
    format!("{event}:{}", fillers.join(","))
}

/// Whether the scene of this key is kept for development sets: one in ten is.
///
/// The hash is FNV-1a with a final mix, written out because the standard library's may change.
fn held_out(key: &str) -> bool {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    ((hash ^ (hash >> 29)) >> 8) % 10 == 0
}
