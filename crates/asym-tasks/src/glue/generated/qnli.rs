//! QNLI's counterpart: does the sentence answer the question?
//!
//! The question mentions one of the two people of an act and asks who the other person is. The sentence describes this act, with
//! one word replaced with a synonym, or another act that shares one person in the same role: the person whom the question
//! mentions, or the person whom it asks about.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::scene::{Detail, Scene, Shared};
use crate::text::Target;

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: 2,
    train: Part { stream: streams::QNLI_TRAIN, make },
    dev: &[Part { stream: streams::QNLI_DEV, make }],
    header: Some("index\tquestion\tsentence\tlabel"),
    line: |row, sample, label| format!("{row}\t{}\t{}\t{label}", sample.first, sample.second()),
};

/// An act to ask about.
fn scene(draw: &mut Draw) -> Scene {
    Scene::act(draw, Detail { adjective: 25, adjunct: 40, negated: 0 })
}

/// A pair of the class `case`.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let asked = scene(draw);
    let told = match case {
        0 => asked.exchanged(draw),
        _ => asked.other(Shared::one_person(draw), scene, draw)?,
    };
    let (question, source) = asked.who(draw)?;
    let draft = Draft::pair((question, told.told(draw)?), Target::Class(case), &asked);
    Some(Draft { source, ..draft })
}
