//! Generated counterparts of the data sets, for a model that must be trained within minutes and without a download.
//!
//! The sentences are those of [`crate::grammar`]. [`generate`] makes a counterpart of each data set, [`write_tsv`]
//! writes it as GLUE's files are written, and [`generated`] gives it in the form in which real data sets are read.
//!
//! | data set | question | what decides |
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
//! In each of them, the words alone tell little about the target: every word, in either of two sentences, is nearly as
//! likely in one class as in another. The tests check that a linear model of words stays close to chance. The target
//! depends on how words go together, or on how much of one sentence is in the other.
//!
//! The training sets of all data sets take only scenes that are not held out, and the development sets only scenes that
//! are, under any seed. Scenes are held out, but not questions that leave somebody out of a scene: another scene may
//! have been asked about by the words of one of QNLI's questions.

mod cola;
mod design;
mod mnli;
mod mrpc;
mod qnli;
mod qqp;
mod rte;
mod sample;
mod sets;
mod sst2;
mod streams;
mod stsb;
#[cfg(test)]
mod tests;
mod tsv;

pub use self::sample::{Sample, Samples};
pub use self::sets::{DEV_SIZE, TRAIN_SIZE, generate};
pub use self::tsv::write_tsv;
use super::dataset::{Dataset, Part, Split};
use crate::text::Example;

/// The generated counterpart of `dataset`. The same seed always gives the same examples.
pub fn generated(dataset: Dataset, seed: u64) -> Split {
    let Samples { train, dev } = generate(dataset, seed);
    let part = |name: &'static str, set: &str, samples: Vec<Sample>| Part {
        name,
        source: format!("generated {set}, seed {seed}"),
        examples: samples.into_iter().zip(1..).map(|(sample, line)| example(sample, line)).collect(),
    };
    let mut parts: Vec<Vec<Sample>> = vec![Vec::new(); dataset.row().parts.len()];
    for sample in dev {
        if let Some(part) = parts.get_mut(sample.part) {
            part.push(sample);
        }
    }
    let dev = dataset.row().parts.iter().zip(parts).map(|(name, samples)| {
        let set = if name.is_empty() { "dev".to_string() } else { format!("dev {name}") };
        part(name, &set, samples)
    });
    Split { train: part("", "train", train), dev: dev.collect() }
}

fn example(sample: Sample, line: usize) -> Example {
    Example { first: sample.first, second: sample.second, target: sample.target, line }
}
