//! Files as GLUE distributes them: tab-separated, without quotes.

use std::io::{self, Write};

use super::sample::Sample;
use super::sets::design;
use crate::glue::dataset::Dataset;

/// Writes samples as GLUE's files of `dataset` have them, with "-" or a number in a column that has no counterpart
/// here.
///
/// A file is one part, so MNLI's two development sets are two files.
///
/// # Errors
///
/// The errors of `to`.
pub fn write_tsv(dataset: Dataset, samples: &[Sample], mut to: impl Write) -> io::Result<()> {
    let design = design(dataset);
    if let Some(header) = design.header {
        writeln!(to, "{header}")?;
    }
    for (row, sample) in samples.iter().enumerate() {
        let label = dataset.row().answers.spell(&sample.target);
        writeln!(to, "{}", (design.line)(row, sample, &label))?;
    }
    to.flush()
}
