//! The measurements of a run before it was continued.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Pace, Scores};

/// The measurements of a run so far. A continued run adds to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) training: Pace,
    pub(crate) evaluation: Pace,
    pub(crate) seconds: f64,
    /// Sums over the steps of the current epoch, and their number.
    pub(crate) sums: Scores,
    pub(crate) steps: usize,
    /// The length of `metrics.jsonl` in bytes.
    pub(crate) log_bytes: u64,
    /// The digest of the training examples.
    pub(crate) data: String,
}
