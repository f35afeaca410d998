//! `asym inspect`: the parameter table.

use std::path::PathBuf;

use anyhow::Result;
use asym_core::{load_adapter, train_only};
use clap::Args;

use super::{SourceArgs, locate};
use crate::device;

/// Options of `asym inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// RoBERTa or BERT checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Folder of an adapter in PEFT's format; without one, the table of head-only training
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Labels of the classifier, where config.json does not say
    #[arg(long)]
    num_labels: Option<usize>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Print name, shape and state of every parameter, and how many are trained.
///
/// # Errors
///
/// A file that is missing, damaged or does not fit.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let device = device::default_device()?;
    let checkpoint = locate(&args.source, args.model.as_deref(), args.adapter.as_deref())?.checkpoint()?;
    let loaded = checkpoint.sequence_classifier(args.num_labels, 0, &device)?;
    let naming = loaded.model.naming();
    let model = match &args.adapter {
        Some(folder) => load_adapter(loaded.model, folder, &naming)?.0,
        None => train_only(loaded.model, &naming, &["classifier".to_string()])?,
    };
    super::say(asym_core::inspect(&model, &naming))?;
    Ok(())
}
