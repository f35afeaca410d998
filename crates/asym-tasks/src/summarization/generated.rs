//! Generated reports with summaries, for a task without files.

use super::files::{Document, Documents};
use crate::grammar::{Report, ReportSet, reports};

/// The seed of the reports.
const SEED: u64 = 0;
/// The number of reports to train on.
const TRAIN: usize = 2000;
/// The number of reports to evaluate on.
const DEV: usize = 200;

/// The reports to train on and to evaluate on.
pub(super) fn generated() -> (Documents, Documents) {
    let set = |set: ReportSet, name: &str, count: usize| {
        let row = |(report, line): (Report, usize)| Document { text: report.text(), summary: report.summary, line };
        let rows = reports(SEED, set, count).zip(1..).map(row).collect();
        Documents { source: format!("generated {name}, seed {SEED}"), rows, empty: Vec::new() }
    };
    (set(ReportSet::Train, "train", TRAIN), set(ReportSet::Dev, "dev", DEV))
}
