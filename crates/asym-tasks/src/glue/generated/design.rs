//! How a set is sampled and written. Each set has its own file with one [`Design`].

use std::collections::HashSet;

use super::sample::Sample;
use crate::grammar::draw::{Draw, Stream};
use crate::grammar::key::held_out;
use crate::grammar::scene::Scene;
use crate::text::Target;

/// How a set is sampled and written.
pub(super) struct Design {
    /// The number of cases. The examples of a part cycle through the cases, so all cases are equally frequent.
    pub(super) cases: usize,
    /// The training part.
    pub(super) train: Part,
    /// The development parts. The `part` of a sample is an index into this list.
    pub(super) dev: &'static [Part],
    /// The first line of GLUE's file, if it has a header.
    pub(super) header: Option<&'static str>,
    /// Formats a line of GLUE's file. The arguments are the index of the sample in the file, the sample, and its answer in the
    /// spelling of the file.
    pub(super) line: fn(usize, &Sample, &str) -> String,
}

/// A part of a set.
pub(super) struct Part {
    /// The random stream of this part.
    pub(super) stream: Stream,
    /// Samples an example of a case. `None` if the sampled scenes do not allow an example.
    pub(super) make: fn(&mut Draw, usize) -> Option<Draft>,
}

/// A sampled example, which may not belong to the part.
pub(super) struct Draft {
    /// The text, or the first of a pair.
    pub(super) first: String,
    /// The second text of a pair.
    pub(super) second: Option<String>,
    /// The right answer.
    pub(super) target: Target,
    /// The construction, or the kind of example.
    pub(super) source: &'static str,
    /// The key. No two examples of a part have the same key.
    pub(super) key: String,
    /// Whether the example is held out for development parts.
    pub(super) held_out: bool,
}

impl Draft {
    /// A pair about `scene` and possibly another scene. The caller guarantees that the other scene is held out if and only if
    /// `scene` is held out.
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
    /// `size` samples of a part. All cases are equally frequent, and no two samples have the same key.
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
