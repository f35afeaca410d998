//! `asym report`: writes a page about the runs in a folder.

use std::path::PathBuf;

use anyhow::Result;
use asym_tasks::report::Gathered;
use clap::Args;

/// Options of `asym report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder with runs, at any depth
    runs: PathBuf,
    /// Folder for report.html, report.md, the tables as CSV and the figures; files of these names are replaced
    #[arg(long)]
    output: PathBuf,
    /// Compare the other rows of each task with this row, seed by seed [default: as in the sweep]
    #[arg(long, value_name = "NAME")]
    compare: Option<String>,
    /// Title of the page
    #[arg(long, default_value = "Fine-tuning runs")]
    title: String,
}

/// Write the report.
///
/// # Errors
///
/// Returns an error if there is no run, if the row to compare with is unknown, or if a file cannot be written. Runs that cannot
/// be read are listed in the report and do not cause an error.
pub fn report(args: &ReportArgs) -> Result<()> {
    let gathered = Gathered::read(&args.runs, None)?;
    let written = gathered.write(&args.output, &args.title, args.compare.as_deref())?;
    gathered.problems().iter().for_each(super::note);
    super::say(written)
}
