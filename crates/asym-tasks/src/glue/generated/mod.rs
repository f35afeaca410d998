//! Generated counterparts of the data sets, for a model that must be trained within minutes and without a download.
//!
//! The sentences come from [`crate::grammar`]. [`generate`] creates the counterpart of a data set, [`write_tsv`] writes it in the
//! format of GLUE's files, and [`generated`] returns it in the same form as data sets that are read from files.
//!
//! | data set | question | what the answer depends on |
//! |---|---|---|
//! | CoLA | is a sentence acceptable? | whether two of its words go together |
//! | MNLI | does a sentence follow, contradict, or neither? | whether the scenes are equal, and whether exactly one is negated |
//! | MRPC | do two sentences mean the same? | whether both describe the same scene |
//! | QNLI | does a sentence answer a question? | whether it describes the scene of the question |
//! | QQP | do two questions ask the same? | whether both are about the same scene |
//! | RTE | does a sentence follow from another? | whether it describes the scene of the other sentence, with less detail |
//! | SST-2 | is a sentence positive? | whether a quality is good, and whether it is negated |
//! | STS-B | how similar are two sentences? | how many people, events and tenses match |
//!
//! In each counterpart, the words alone contain little information about the target: every word, in either of two sentences, is
//! nearly equally likely in all classes. The tests check that a linear model of words stays close to chance. The target depends
//! on how words are combined, or on how much two sentences have in common.
//!
//! For any seed, the training sets of all data sets contain only scenes that are not held out, and the development sets contain
//! only held-out scenes. QNLI's questions omit one person of their scene, so the same question can occur in both sets, about
//! different scenes.

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

/// The generated counterpart of `dataset`. The same seed always results in the same examples.
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
