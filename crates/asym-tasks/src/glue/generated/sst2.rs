//! SST-2's counterpart: does the sentence say something good about somebody?
//!
//! Good and bad qualities are combined with negation: "the cook was kind" and "the cook was not angry" are positive, and "the
//! cook was not kind" and "the cook was angry" are negative. The sentence also mentions a bystander, whose adjective does not
//! affect the label.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::key::held_out;
use crate::grammar::lexicon::{PEOPLE, PLACES, TRAITS};
use crate::grammar::render::agree;
use crate::text::Target;

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: 2,
    train: Part { stream: streams::SST2_TRAIN, make },
    dev: &[Part { stream: streams::SST2_DEV, make }],
    header: Some("sentence\tlabel"),
    line: |_, sample, label| format!("{}\t{label}", sample.first),
};

/// The positive meanings, by their first synonyms; "old" and "young" are neither positive nor negative.
static GOOD: &[&str] = &["rich", "strong", "happy", "clever", "kind", "brave"];
/// The negative meanings.
static BAD: &[&str] = &["poor", "weak", "tired", "angry"];

/// A meaning of either list, and one of its synonyms.
fn trait_of(draw: &mut Draw, good: bool) -> (&'static str, &'static str) {
    let name = *draw.pick(if good { GOOD } else { BAD });
    let synonyms = TRAITS.iter().find(|synonyms| synonyms[0] == name);
    (name, synonyms.map_or(name, |synonyms| *draw.pick(synonyms)))
}

/// A sentence that is positive in the first case and negative in the second.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let positive = case == 0;
    // Slightly less than half of the sentences are negated. The adjectives alone are therefore slightly informative, which helps
    // a model to learn them, but they are not sufficient without "not".
    let denied = draw.chance(43);
    let (one, other) = draw.pick_two(PEOPLE);
    let (meaning, adjective) = trait_of(draw, positive != denied);
    let plural = draw.chance(25);
    let aside = if draw.chance(25) {
        let good = draw.chance(50);
        format!("{} ", trait_of(draw, good).1)
    } else {
        String::new()
    };
    let between = *draw.pick(&["near", "behind", "with"]);
    let bystander = agree(draw.chance(25), other.one, other.many);
    let subject = format!("the {} {between} the {aside}{bystander}", agree(plural, one.one, one.many));
    let is = if draw.chance(50) { agree(plural, "was", "were") } else { agree(plural, "is", "are") };
    let not = if denied { "not " } else { "" };
    let clause = format!("{subject} {is} {not}{adjective}");
    let sentence = match draw.below(3) {
        0 => format!("{clause} {} .", draw.pick(PLACES)),
        1 => format!("{} , {clause} .", draw.pick(PLACES)),
        _ => format!("{clause} ."),
    };
    let key = format!("opinion:{},{}:{meaning}", one.one, other.one);
    let (target, held_out) = (Target::Class(usize::from(positive)), held_out(&key));
    Some(Draft { first: sentence, second: None, target, source: "predicate", key, held_out })
}
