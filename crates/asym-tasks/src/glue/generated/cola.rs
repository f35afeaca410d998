//! CoLA's counterpart: is a sentence acceptable? The sentences come from the constructions of [`crate::grammar`].

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::acceptability::{Specimen, specimen};
use crate::grammar::draw::Draw;
use crate::grammar::key::held_out;
use crate::text::Target;

/// The design of the set.
pub(crate) static DESIGN: Design = Design {
    cases: 2,
    train: Part { stream: streams::COLA_TRAIN, make },
    dev: &[Part { stream: streams::COLA_DEV, make }],
    // CoLA's files have no header.
    header: None,
    line: |_, sample, label| {
        let mark = if label == "0" { "*" } else { "" };
        format!("{}\t{label}\t{mark}\t{}", sample.source, sample.first)
    },
};

/// A sentence that is acceptable in the first case, and unacceptable in the second case.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let acceptable = case == 0;
    let Specimen { source, key, sentence } = specimen(draw, acceptable);
    let (target, held_out) = (Target::Class(usize::from(acceptable)), held_out(&key));
    Some(Draft { first: sentence, second: None, target, source, key, held_out })
}
