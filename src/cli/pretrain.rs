//! `asym pretrain`: recreates the embedded checkpoint.

use std::path::PathBuf;

use anyhow::Result;
use asym_tasks::pretrain::{PretrainRecipe, pretrain as run};
use asym_train::{StopSignal, memory};
use clap::Args;

use crate::device;

/// Options of `asym pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArgs {
    /// Output folder; existing files are replaced
    #[arg(long)]
    output: PathBuf,
    /// Seed of the text, the weights, the order of examples and the masks
    #[arg(long, default_value_t = PretrainRecipe::default().seed)]
    seed: u64,
    /// Number of optimizer steps
    #[arg(long, default_value_t = PretrainRecipe::default().steps)]
    steps: usize,
}

/// Pre-train a model, and write the checkpoint and the result of the training.
///
/// # Errors
///
/// Returns an error if a file cannot be written, or if the loss is not finite.
pub fn pretrain(args: &PretrainArgs) -> Result<()> {
    memory::keep_pages();
    let device = device::default_device()?;
    let recipe = PretrainRecipe { seed: args.seed, steps: args.steps, ..PretrainRecipe::default() };
    let result = run(&recipe, &args.output, &device, &StopSignal::on_signals())?;
    let json = serde_json::to_string_pretty(&result)? + "\n";
    asym_core::write_whole(&args.output.join("pretraining.json"), json.as_bytes())?;
    super::say(json.trim_end())?;
    Ok(())
}
