//! The generated counterparts of the tasks, in the form in which real ones are read.

use super::{Part, Split, Task};
use crate::grammar::{self, Sample};
use crate::table::Example;

/// The generated sets of `task`; a seed stands for one text of each.
pub fn generated(task: Task, seed: u64) -> Split {
    let grammar::Split { train, dev } = grammar::generate(task, seed);
    let part = |name: &'static str, set: &str, samples: Vec<Sample>| Part {
        name,
        source: format!("generated {set}, seed {seed}"),
        examples: samples.into_iter().zip(1..).map(|(sample, line)| example(sample, line)).collect(),
    };
    let mut parts: Vec<Vec<Sample>> = vec![Vec::new(); task.row().parts.len()];
    for sample in dev {
        if let Some(part) = parts.get_mut(sample.part) {
            part.push(sample);
        }
    }
    let dev = task.row().parts.iter().zip(parts).map(|(name, samples)| {
        let set = if name.is_empty() { "dev".to_string() } else { format!("dev {name}") };
        part(name, &set, samples)
    });
    Split { train: part("", "train", train), dev: dev.collect() }
}

fn example(sample: Sample, line: usize) -> Example {
    Example { first: sample.first, second: sample.second, target: sample.target, line }
}
