//! STS-B's counterpart: how similar are two sentences, from 0 to 5?
//!
//! The score is the sum over the parts that two acts have in common: 1.6 for each person in the same role, 1 for the event, and
//! 0.8 for the tense. The sentences differ in form. If the event is the same, they describe it with different synonyms.

use super::design::{Design, Draft, Part};
use super::sample::Sample;
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::scene::{Detail, Scene, Shared};
use crate::text::Target;

/// The number of people that the two sentences share, and whether the event is the same.
///
/// Each end of the scale occurs three times. From these pairs, a model first learns that the score depends on the matching parts.
static CASES: [(usize, bool); 10] =
    [(0, false), (0, false), (0, false), (0, true), (1, false), (1, true), (2, false), (2, true), (2, true), (2, true)];

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: CASES.len(),
    train: Part { stream: streams::STSB_TRAIN, make },
    dev: &[Part { stream: streams::STSB_DEV, make }],
    header: Some("index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"),
    line,
};

/// A line of GLUE's file. The columns of the origin contain "-".
fn line(row: usize, sample: &Sample, score: &str) -> String {
    format!("{row}\t{}\t-\t-\t{row}\t-\t-\t{}\t{}\t{score}", sample.source, sample.first, sample.second())
}

/// An act without adjectives, negation, place and time.
fn scene(draw: &mut Draw) -> Scene {
    Scene::act(draw, Detail { adjective: 0, adjunct: 0, negated: 0 })
}

/// A pair that shares the parts of the case.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let (people, event) = CASES[case];
    let one = scene(draw);
    let first = draw.chance(50);
    let shared =
        Shared { agent: people == 2 || people == 1 && first, other: people == 2 || people == 1 && !first, event };
    let mut other = one.other(shared, scene, draw)?.exchanged(draw);
    if (people, event) == (2, true) || draw.chance(25) {
        other.tense = one.tense;
    }
    let tenths = 16 * people + 10 * usize::from(event) + 8 * usize::from(one.tense == other.tense);
    Some(Draft::pair(one.told_apart(&other, draw)?, Target::Score(tenths as f32 / 10.0), &one))
}
