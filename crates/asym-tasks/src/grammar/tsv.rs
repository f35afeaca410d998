//! Files as GLUE distributes them: tab-separated, without quotes.

use std::io::{self, Write};

use super::{Sample, design};
use crate::glue::{Task, spell};

/// Writes samples as GLUE's files of the task have them, with "-" or a number where a column has no counterpart here.
///
/// A file is one part: MNLI's two development sets make two files.
///
/// # Errors
///
/// Whatever `to` refuses.
pub fn write_tsv(task: Task, samples: &[Sample], mut to: impl Write) -> io::Result<()> {
    let design = design(task);
    if let Some(header) = design.header {
        writeln!(to, "{header}")?;
    }
    for (row, sample) in samples.iter().enumerate() {
        let label = spell(task.row().answers, sample.target);
        writeln!(to, "{}", (design.line)(row, sample, &label))?;
    }
    to.flush()
}
