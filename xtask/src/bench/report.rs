//! A table of measurements. It is written row by row, so that the measurements of a stopped benchmark are kept.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a table to standard output, and to a file if one is given.
pub(crate) struct Report {
    file: Option<File>,
    /// The versions of the programs without duplicates, in the order of the rows.
    versions: Vec<String>,
    /// The notes below the tables.
    pub(crate) notes: String,
}

impl Report {
    pub(crate) fn new(path: Option<&Path>) -> Result<Self> {
        let file = path.map(|path| File::create(path).with_context(|| path.display().to_string())).transpose()?;
        Ok(Self { file, versions: Vec::new(), notes: String::new() })
    }

    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        println!("{line}");
        if let Some(file) = &mut self.file {
            writeln!(file, "{line}")?;
        }
        Ok(())
    }

    pub(crate) fn versions(&mut self, versions: &str) {
        if !self.versions.iter().any(|known| known == versions) {
            self.versions.push(versions.to_string());
        }
    }

    /// Write the notes, and the versions of the programs that were measured.
    pub(crate) fn finish(mut self) -> Result<()> {
        let notes = std::mem::take(&mut self.notes);
        let versions = self.versions.join("; ");
        self.line(&format!("\n{notes}\nVersions: {versions}."))
    }
}
