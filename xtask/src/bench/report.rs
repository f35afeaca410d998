//! A table of measurements, written row by row: a run that is stopped keeps what it measured.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Where a table goes: standard output, and a file if one is named.
pub(crate) struct Report {
    file: Option<File>,
    /// Each named once, in the order of their rows.
    versions: Vec<String>,
    /// Written below the tables.
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
