//! `asym pretrain`: make the embedded checkpoint anew.

use std::path::PathBuf;

use anyhow::Result;
use asym_tasks::pretrain::{PretrainRecipe, pretrain as run};
use asym_train::{StopSignal, memory};
use clap::Args;

use crate::device;

/// Options of `asym pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArgs {
    /// Folder to write; files there are replaced
    #[arg(long)]
    output: PathBuf,
    /// Seed of text, weights, order and masks
    #[arg(long, default_value_t = PretrainRecipe::default().seed)]
    seed: u64,
    /// Optimizer steps
    #[arg(long, default_value_t = PretrainRecipe::default().steps)]
    steps: usize,
}

/// Pre-train, and write the checkpoint with what it reached.
///
/// # Errors
///
/// What the system refuses, or a loss that is not finite.
pub fn pretrain(args: &PretrainArgs) -> Result<()> {
    memory::keep_pages();
    let device = device::default_device()?;
    let recipe = PretrainRecipe { seed: args.seed, steps: args.steps, ..PretrainRecipe::default() };
    let result = run(&recipe, &args.output, &device, &StopSignal::on_ctrl_c())?;
    let json = serde_json::to_string_pretty(&result)? + "\n";
    std::fs::write(args.output.join("pretraining.json"), &json)?;
    super::say(json.trim_end())?;
    Ok(())
}
