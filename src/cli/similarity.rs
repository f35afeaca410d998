//! `asym similarity`: compares the factors of several adapters.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use asym_analysis::similarity::{Adapter, Side, Similarity, compare, panels, table};
use asym_figure::Figure;
use clap::Args;
use serde::Serialize;

use super::FormArgs;

/// Options of `asym similarity`.
#[derive(Debug, Args)]
pub struct SimilarityArgs {
    /// Folders of adapters for the same model, in PEFT format, saved by asym or by PEFT
    #[arg(required = true, value_name = "ADAPTER")]
    adapters: Vec<PathBuf>,
    /// Also draw a figure: writes NAME.svg, NAME.png and NAME.csv
    #[arg(long, value_name = "NAME")]
    figure: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
}

/// A similarity in the JSON or CSV output.
#[derive(Serialize)]
struct Line<'a> {
    module: &'a str,
    /// A or B.
    factor: String,
    /// The mean over the pairs of adapters.
    mean: f64,
    deviation: f64,
    pairs: usize,
    /// The expected similarity of independent subspaces.
    independent: f64,
}

impl<'a> Line<'a> {
    fn of(row: &'a Similarity, side: Side) -> Self {
        let (alike, moments) = (row.of(side), row.of(side).moments());
        Self {
            module: &row.module,
            factor: side.to_string(),
            mean: moments.mean,
            deviation: moments.sd,
            pairs: moments.count,
            independent: alike.independent,
        }
    }
}

/// Print the similarity of the subspaces that A's rows and B's columns span, for each module: the mean and the standard
/// deviation over pairs of adapters (paper, Figure 1 and appendix D).
///
/// # Errors
///
/// Returns an error if a folder has no adapter or the adapter has no factors, if the adapters belong to different
/// models, if a factor is zero, or if a file cannot be written.
pub fn similarity(args: &SimilarityArgs) -> Result<()> {
    let stem = args.figure.as_deref().map(stem).transpose()?;
    let rows = compare(&read(&args.adapters)?)?;
    let lines = rows.iter().flat_map(|row| Side::BOTH.map(|side| Line::of(row, side)));
    args.form.print(table(&rows), &lines.collect::<Vec<_>>())?;
    if let Some(stem) = &stem {
        let pairs = rows.first().map_or(0, |row| row.a.pairs.len());
        let note = format!("Pairs of adapters: {pairs}; band: one standard deviation.");
        let panels = panels(&rows);
        let columns = panels.len().min(3);
        let figure = Figure { panels, ..Figure::new("Similarity of learned factors").note(note).columns(columns) };
        let saved = figure.save(stem)?;
        if args.form.is_table() {
            super::say(saved)?;
        } else {
            super::note(saved);
        }
    }
    Ok(())
}

/// The name of a figure without the extension of its files.
fn stem(name: &Path) -> Result<PathBuf> {
    if name.as_os_str().to_string_lossy().ends_with('/') || name.file_name().is_none() {
        bail!("--figure {}: the file name is missing; write FOLDER/NAME", name.display());
    }
    let is_ending = |ending: &std::ffi::OsStr| ["svg", "png", "csv"].iter().any(|known| ending == *known);
    Ok(if name.extension().is_some_and(is_ending) { name.with_extension("") } else { name.to_path_buf() })
}

/// Read the factors of adapter folders.
pub(super) fn read(folders: &[impl AsRef<Path>]) -> Result<Vec<Adapter>> {
    let read =
        |folder: &Path| Ok(Adapter { name: folder.display().to_string(), pairs: asym_core::read_factors(folder)? });
    folders.iter().map(|folder| read(folder.as_ref())).collect()
}
