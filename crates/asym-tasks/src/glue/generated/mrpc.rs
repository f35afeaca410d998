//! MRPC's counterpart: do two sentences mean the same?
//!
//! Half of either part are paraphrases: the second sentence has another form, and a synonym in place of one word. In
//! the other half it tells another scene of the same kind.

use super::design::{Design, Draft, Part};
use super::streams;
use crate::grammar::draw::Draw;
use crate::grammar::scene::Scene;
use crate::text::Target;

/// The set.
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

/// A pair of the same meaning in the first case, of different ones in the second.
fn make(draw: &mut Draw, case: usize) -> Option<Draft> {
    let same = case == 0;
    let scene = Scene::draw(draw);
    let other = scene.counterpart(same, draw);
    let texts = scene.said_and_answered(&other, draw);
    Some(Draft::pair(texts, Target::Class(usize::from(same)), &scene))
}
