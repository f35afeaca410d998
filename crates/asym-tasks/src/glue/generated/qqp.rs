//! QQP's counterpart: do two questions ask the same?
//!
//! Both questions ask whether a scene is true, in different forms. The second question is about the same scene, with one word
//! replaced with a synonym, or about another scene, which shares one person in the same role, or nobody.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::lexicon::TRANSFERS;
use crate::grammar::scene::{Detail, Scene, Shared};
use crate::text::Target;

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: 2,
    train: Part { stream: streams::QQP_TRAIN, make },
    dev: &[Part { stream: streams::QQP_DEV, make }],
    header: Some("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"),
    line: |row, sample, label| {
        let (one, other) = (2 * row + 1, 2 * row + 2);
        format!("{row}\t{one}\t{other}\t{}\t{}\t{label}", sample.first, sample.second())
    },
};

/// An act or a transfer to ask about.
fn scene(draw: &mut Draw) -> Scene {
    if draw.chance(75) {
        Scene::act(draw, Detail { adjective: 30, adjunct: 30, negated: 0 })
    } else {
        Scene::transfer(draw, TRANSFERS, Detail { adjective: 100, adjunct: 0, negated: 0 })
    }
}

/// A pair of duplicates in the first case, and of different questions in the second case.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let asked = scene(draw);
    let again = match case {
        0 => asked.exchanged(draw),
        _ => asked.other(Shared::one_person_or_none(draw), scene, draw)?,
    };
    Some(Draft::pair(asked.asked_twice(&again, draw)?, Target::Class(1 - case), &asked))
}
