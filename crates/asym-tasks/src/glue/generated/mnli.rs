//! MNLI's counterpart: does the second sentence follow from the first, contradict it, or neither?
//!
//! Half of all sentences are negated, regardless of the class. The second sentence follows if it describes the same scene,
//! possibly with fewer adjectives, and is negated if and only if the first sentence is. It contradicts the first sentence if
//! exactly one of the two sentences is negated. In the neutral class, the second sentence describes another scene, which shares
//! one person in the same role, or nobody.
//!
//! The training set and the matched set contain acts and exchanges. An exchange is a transfer that also has a verb for the
//! receiver. The mismatched set contains the other transfers.

use super::design::{Design, Draft, Part};
use super::sample::Sample;
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::lexicon::{EXCHANGES, TRANSFERS};
use crate::grammar::scene::{Detail, Scene, Shared};
use crate::text::Target;

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: 3,
    train: Part { stream: streams::MNLI_TRAIN, make: common },
    dev: &[Part { stream: streams::MNLI_MATCHED, make: common }, Part { stream: streams::MNLI_MISMATCHED, make: rare }],
    header: Some(
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t\
         sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
    ),
    line,
};

/// A line of GLUE's file. The columns of parses contain "-".
fn line(row: usize, sample: &Sample, label: &str) -> String {
    let (genre, one, other) = (sample.source, &sample.first, sample.second());
    format!("{row}\t{row}\t{row}\t{genre}\t-\t-\t-\t-\t{one}\t{other}\t{label}\t{label}")
}

/// A pair of a genre that is in the training set.
fn common(draw: &mut Draw, case: usize) -> Option<Draft> {
    if draw.chance(70) {
        make(draw, case, "act", |draw| Scene::act(draw, Detail { adjective: 40, adjunct: 20, negated: 50 }))
    } else {
        make(draw, case, "exchange", |draw| Scene::transfer(draw, &TRANSFERS[..EXCHANGES], THING))
    }
}

/// A pair of the genre that is not in the training set.
fn rare(draw: &mut Draw, case: usize) -> Option<Draft> {
    make(draw, case, "errand", |draw| Scene::transfer(draw, &TRANSFERS[EXCHANGES..], THING))
}

/// The amount of detail in scenes with things.
const THING: Detail = Detail { adjective: 100, adjunct: 0, negated: 50 };

/// A pair of the class `case`.
fn make(draw: &mut Draw, case: usize, source: &'static str, scene: fn(&mut Draw) -> Scene) -> Option<Draft> {
    let premise = scene(draw);
    let hypothesis = match case {
        1 => premise.other(Shared::one_person_or_none(draw), scene, draw)?,
        _ => premise.exchanged(draw),
    };
    // A negated sentence still follows if adjectives are removed: they identify a person or thing, and are not negated.
    let hypothesis = hypothesis.plainer(draw);
    let hypothesis = match case {
        1 => hypothesis,
        _ => Scene { negated: premise.negated == (case == 0), ..hypothesis },
    };
    let draft = Draft::pair(premise.told_apart(&hypothesis, draw)?, Target::Class(case), &premise);
    Some(Draft { source, ..draft })
}
