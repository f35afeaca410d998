//! `asym similarity`: how alike the factors of several adapters are.

use std::path::{Path, PathBuf};

use anyhow::Result;
use asym_analysis::figure::Figure;
use asym_analysis::similarity::{Adapter, compare, panel, table};
use clap::Args;

/// Options of `asym similarity`.
#[derive(Debug, Args)]
pub struct SimilarityArgs {
    /// Folders of adapters of one model, in PEFT's format, by asym or by PEFT
    #[arg(required = true, value_name = "ADAPTER")]
    adapters: Vec<PathBuf>,
    /// Draw it too: writes NAME.svg, NAME.png and NAME.csv
    #[arg(long, value_name = "NAME")]
    figure: Option<PathBuf>,
}

/// Print how alike the subspaces are that A's rows and B's columns span, module by module: mean over the pairs of adapters
/// and their spread (paper, Figure 1 and appendix D).
///
/// # Errors
///
/// A folder that is no adapter or has no factors; adapters of different models; a factor of zeros; a file that cannot be
/// written.
pub fn similarity(args: &SimilarityArgs) -> Result<()> {
    let rows = compare(&read(&args.adapters)?)?;
    super::say(table(&rows))?;
    if let Some(stem) = &args.figure {
        let pairs = rows.first().map_or(0, |row| row.pairs.len());
        let note = format!("Pairs of adapters: {pairs}; band: one standard deviation. Gray: independent subspaces.");
        super::say(Figure::new("Similarity of learned factors").with(panel("", &rows)).note(note).save(stem)?)?;
    }
    Ok(())
}

/// The factors of adapter folders.
pub(super) fn read(folders: &[impl AsRef<Path>]) -> Result<Vec<Adapter>> {
    let read =
        |folder: &Path| Ok(Adapter { name: folder.display().to_string(), pairs: asym_core::read_factors(folder)? });
    folders.iter().map(|folder| read(folder.as_ref())).collect()
}
