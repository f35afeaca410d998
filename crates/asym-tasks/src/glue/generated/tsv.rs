//! Files in GLUE's format: tab-separated, without quoting.

use std::io::{self, Write};

use super::sample::Sample;
use super::sets::design;
use crate::glue::dataset::Dataset;

/// Writes samples in the format of GLUE's files of `dataset`. Columns that have no counterpart here contain "-" or a number.
///
/// A file contains one part, so MNLI's two development sets need two files.
///
/// # Errors
///
/// The errors of writing to `to`.
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
