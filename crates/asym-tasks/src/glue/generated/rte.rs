//! RTE's counterpart: does the second sentence follow from the first?
//!
//! The second sentence has another form and fewer details: it has no place or time, and possibly fewer adjectives. One word is
//! replaced with a synonym. The second sentence describes the scene of the first sentence, or another scene that shares one
//! person in the same role.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::scene::{Detail, Scene, Shared};
use crate::text::Target;

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: 2,
    train: Part { stream: streams::RTE_TRAIN, make },
    dev: &[Part { stream: streams::RTE_DEV, make }],
    header: Some("index\tsentence1\tsentence2\tlabel"),
    line: |row, sample, label| format!("{row}\t{}\t{}\t{label}", sample.first, sample.second()),
};

/// A scene with details that can be left out.
fn scene(draw: &mut Draw) -> Scene {
    Scene::act(draw, Detail { adjective: 60, adjunct: 75, negated: 0 })
}

/// A pair of the class `case`.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let premise = scene(draw);
    let hypothesis = match case {
        0 => premise,
        _ => premise.other(Shared::one_person(draw), scene, draw)?,
    };
    let hypothesis = Scene { adjunct: None, ..hypothesis.plainer(draw).exchanged(draw) };
    Some(Draft::pair(premise.told_apart(&hypothesis, draw)?, Target::Class(case), &premise))
}
