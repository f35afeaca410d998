//! `asym pretrain`: recreates an embedded checkpoint.

use std::path::PathBuf;

use anyhow::{Context, Result};
use asym_tasks::pretrain::{NAMES, pretrain_named};
use asym_train::{StopSignal, memory};
use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::device;

/// Options of `asym pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArgs {
    /// The checkpoint
    #[arg(value_parser = PossibleValuesParser::new(NAMES))]
    checkpoint: String,
    /// Output folder; existing files are replaced [default: the folder in models/ with the checkpoint's name]
    #[arg(long)]
    output: Option<PathBuf>,
    /// Seed of the data, the weights and the order of examples
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of optimizer steps [default: as for the published checkpoint]
    #[arg(long)]
    steps: Option<usize>,
}

/// Pre-train a model, and write the checkpoint and the result of the training.
///
/// # Errors
///
/// Returns an error if a file cannot be written, or if the loss is not finite.
pub fn pretrain(args: &PretrainArgs) -> Result<()> {
    memory::keep_pages();
    let device = device::default_device()?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from("models").join(&args.checkpoint));
    let recipe = (args.seed, args.steps);
    let result = pretrain_named(&args.checkpoint, recipe, &output, &device, &StopSignal::on_signals());
    let result = result.context("unknown checkpoint")??;
    let json = serde_json::to_string_pretty(&result)? + "\n";
    asym_core::write_whole(&output.join("pretraining.json"), json.as_bytes())?;
    super::say(json.trim_end())?;
    Ok(())
}
