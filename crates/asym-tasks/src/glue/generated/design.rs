//! How a set is drawn and written. Each set has a file of its own with one [`Design`].

use std::collections::HashSet;

use super::sample::Sample;
use crate::grammar::draw::{Draw, Stream};
use crate::grammar::key::held_out;
use crate::grammar::scene::Scene;
use crate::text::Target;

/// How a set is drawn and written.
pub(super) struct Design {
    /// The number of cases. The examples of a part go through them in turn, so each class, or each level of a
    /// score, is equally frequent.
    pub(super) cases: usize,
    /// The training part.
    pub(super) train: Part,
    /// The development parts. The `part` of a sample is an index into this list.
    pub(super) dev: &'static [Part],
    /// The first line of GLUE's file, if it has a header.
    pub(super) header: Option<&'static str>,
    /// A line of GLUE's file, by the sample's place in it and its answer as such files write it.
    pub(super) line: fn(usize, &Sample, &str) -> String,
}

/// A part of a set.
pub(super) struct Part {
    /// The stream of its draws.
    pub(super) stream: Stream,
    /// Draws an example of a case. `None` if the draws allow no example.
    pub(super) make: fn(&mut Draw, usize) -> Option<Draft>,
}

/// An example that was drawn and may not fit the part.
pub(super) struct Draft {
    /// The text, or the first of a pair.
    pub(super) first: String,
    /// The second text of a pair.
    pub(super) second: Option<String>,
    /// The right answer.
    pub(super) target: Target,
    /// The construction, or the kind of example.
    pub(super) source: &'static str,
    /// The key, which no other example of the part has.
    pub(super) key: String,
    /// Whether it is kept for development parts.
    pub(super) held_out: bool,
}

impl Draft {
    /// A pair about `scene` and perhaps another scene. The caller guarantees that the other is held out if and only if
    /// `scene` is.
    pub(super) fn pair(texts: (String, String), target: Target, scene: &Scene) -> Self {
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
