//! QQP's counterpart: do two questions ask the same?
//!
//! Both ask whether something is so, in different forms. The second asks it with a synonym in place of one word, or
//! asks about another scene, which has one of the same people in the same role or none of them.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::lexicon::TRANSFERS;
use crate::grammar::scene::{Detail, Scene, Shared};
use crate::text::Target;

/// The set.
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

/// A scene of either kind to ask about.
fn scene(draw: &mut Draw) -> Scene {
    if draw.chance(75) {
        Scene::act(draw, Detail { adjective: 30, adjunct: 30, negated: 0 })
    } else {
        Scene::transfer(draw, TRANSFERS, Detail { adjective: 100, adjunct: 0, negated: 0 })
    }
}

/// A pair of duplicates in the first case, of different questions in the second.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let asked = scene(draw);
    let again = match case {
        0 => asked.exchanged(draw),
        _ => asked.other(Shared::one_person_or_none(draw), scene, draw)?,
    };
    Some(Draft::pair(asked.asked_twice(&again, draw)?, Target::Class(1 - case), &asked))
}
