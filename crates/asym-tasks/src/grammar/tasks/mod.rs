//! The eight sets: a file each, which says how an example is drawn and how GLUE's file of the task writes it.
//!
//! To add a set: its streams in `draw.rs`, its file here with one [`Design`], and its row in [`design`].

pub(super) mod cola;
mod mnli;
mod mrpc;
mod qnli;
mod qqp;
mod rte;
mod sst2;
mod stsb;

use std::collections::HashSet;

use super::draw::{Draw, Stream};
use super::scene::Scene;
use super::{Sample, held_out};
use crate::glue::Task;
use crate::table::Target;

/// How the set of a task is made and written.
pub(super) struct Design {
    /// The cases that the examples of a part go through in turn, which keeps the classes, or the levels of a score,
    /// even.
    pub(super) cases: usize,
    /// The training part.
    pub(super) train: Part,
    /// The development parts; a sample's `part` is an index into it.
    pub(super) dev: &'static [Part],
    /// The first line of GLUE's file, where it has one.
    pub(super) header: Option<&'static str>,
    /// A line of GLUE's file, by the sample's place in it and its answer as such files write it.
    pub(super) line: fn(usize, &Sample, &str) -> String,
}

/// A part of a set.
pub(super) struct Part {
    /// What its draws are read from.
    pub(super) stream: Stream,
    /// Draws an example of a case, or nothing where what it drew allows none.
    pub(super) make: fn(&mut Draw, usize) -> Option<Draft>,
}

/// An example that was drawn, before it is known whether it fits the part.
pub(super) struct Draft {
    /// The text, or the first of a pair.
    pub(super) first: String,
    /// The second text of a pair.
    pub(super) second: Option<String>,
    /// What is to be predicted.
    pub(super) target: Target,
    /// The construction, or the kind of example.
    pub(super) source: &'static str,
    /// What no other example of the part shares.
    pub(super) key: String,
    /// Whether it is kept for development parts.
    pub(super) held_out: bool,
}

impl Draft {
    /// A pair about `scene` and perhaps another one, which the caller has seen to be held out if and only if `scene`
    /// is.
    fn pair(texts: (String, String), target: Target, scene: &Scene) -> Self {
        Self {
            first: texts.0,
            second: Some(texts.1),
            target,
            source: scene.kind(),
            key: scene.key(),
            held_out: held_out(&scene.cast()),
        }
    }
}

/// The design of a task's set.
pub(super) fn design(task: Task) -> &'static Design {
    match task {
        Task::Cola => &cola::DESIGN,
        Task::Mnli => &mnli::DESIGN,
        Task::Mrpc => &mrpc::DESIGN,
        Task::Qnli => &qnli::DESIGN,
        Task::Qqp => &qqp::DESIGN,
        Task::Rte => &rte::DESIGN,
        Task::Sst2 => &sst2::DESIGN,
        Task::Stsb => &stsb::DESIGN,
    }
}

impl Design {
    /// `size` samples of a part, as many of each case as of any other, no two of one key.
    pub(super) fn samples(&self, seed: u64, size: usize, dev: Option<usize>) -> Vec<Sample> {
        let (part, source) = (dev.unwrap_or(0), dev.map_or(&self.train, |part| &self.dev[part]));
        let mut draw = Draw::new(seed, source.stream);
        let mut seen = HashSet::new();
        let mut samples = Vec::with_capacity(size);
        while samples.len() < size {
            let Some(draft) = (source.make)(&mut draw, samples.len() % self.cases) else { continue };
            if draft.held_out == dev.is_some() && seen.insert(draft.key.clone()) {
                let Draft { first, second, target, source, key, .. } = draft;
                samples.push(Sample { first, second, target, source, key, part });
            }
        }
        draw.shuffle(&mut samples);
        samples
    }
}
