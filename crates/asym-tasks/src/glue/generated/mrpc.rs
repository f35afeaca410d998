//! MRPC's counterpart: do two sentences mean the same?
//!
//! Half of the pairs of each part are paraphrases: the second sentence has another form, and one word is replaced with a synonym.
//! In the other half, the second sentence describes another scene of the same kind.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::scene::Scene;
use crate::text::Target;

/// The design of the set.
pub(super) static DESIGN: Design = Design {
    cases: 2,
    train: Part { stream: streams::MRPC_TRAIN, make },
    dev: &[Part { stream: streams::MRPC_DEV, make }],
    header: Some("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"),
    line: |row, sample, quality| {
        let (one, other) = (2 * row + 1, 2 * row + 2);
        format!("{quality}\t{one}\t{other}\t{}\t{}", sample.first, sample.second())
    },
};

/// A pair with the same meaning in the first case, and with different meanings in the second case.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let same = case == 0;
    let scene = Scene::draw(draw);
    let other = scene.counterpart(same, draw);
    let texts = scene.said_and_answered(&other, draw);
    Some(Draft::pair(texts, Target::Class(usize::from(same)), &scene))
}
