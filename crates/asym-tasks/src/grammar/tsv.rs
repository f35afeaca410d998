//! The files of GLUE's MRPC and CoLA.

use std::io::{self, Write};

use super::{Judgement, Pair};

/// Writes pairs as MRPC's files have them: a header line, then label, two identifiers and the two sentences.
///
/// # Errors
///
/// Whatever `writer` refuses.
pub fn write_mrpc<W: Write>(mut writer: W, pairs: &[Pair]) -> io::Result<()> {
    writeln!(writer, "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String")?;
    for (row, pair) in pairs.iter().enumerate() {
        let (first, second) = (2 * row + 1, 2 * row + 2);
        writeln!(writer, "{}\t{first}\t{second}\t{}\t{}", u8::from(pair.same), pair.first, pair.second)?;
    }
    writer.flush()
}

/// Writes judgements as CoLA's files have them: source, label, "*" if unacceptable, sentence; no header.
///
/// # Errors
///
/// Whatever `writer` refuses.
pub fn write_cola<W: Write>(mut writer: W, judgements: &[Judgement]) -> io::Result<()> {
    for judgement in judgements {
        let (label, mark) = if judgement.acceptable { (1, "") } else { (0, "*") };
        writeln!(writer, "{}\t{label}\t{mark}\t{}", judgement.source, judgement.sentence)?;
    }
    writer.flush()
}
