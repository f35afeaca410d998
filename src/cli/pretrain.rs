//! `asym pretrain`: make the embedded checkpoint and its tasks anew.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use asym_tasks::StopSignal;
use asym_tasks::grammar;
use asym_tasks::pretrain::{PretrainRecipe, pretrain as run};
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
    /// Write the generated tasks alone
    #[arg(long)]
    data_only: bool,
}

/// Write the generated tasks, pre-train, and write the checkpoint with what it reached.
///
/// # Errors
///
/// What the system refuses, or a loss that is not finite.
pub fn pretrain(args: &PretrainArgs) -> Result<()> {
    write_tasks(&args.output)?;
    if args.data_only {
        return Ok(());
    }
    asym_tasks::memory::keep_pages();
    let device = device::default_device()?;
    let recipe = PretrainRecipe { seed: args.seed, steps: args.steps, ..PretrainRecipe::default() };
    let result = run(&recipe, &args.output, &device, &StopSignal::on_ctrl_c())?;
    let json = serde_json::to_string_pretty(&result)? + "\n";
    std::fs::write(args.output.join("pretraining.json"), &json)?;
    print!("{json}");
    Ok(())
}

/// The seed of the generated tasks: fixed, since the sets are part of the project and not of a run.
const TASK_SEED: u64 = 0;

fn write_tasks(folder: &Path) -> Result<()> {
    let open = |name: &str| -> Result<BufWriter<File>> {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        Ok(BufWriter::new(File::create(&path).with_context(|| path.display().to_string())?))
    };
    let pairs = grammar::paraphrase(TASK_SEED);
    grammar::write_mrpc(open("paraphrase/train.tsv")?, &pairs.train)?;
    grammar::write_mrpc(open("paraphrase/dev.tsv")?, &pairs.dev)?;
    let judgements = grammar::acceptability(TASK_SEED);
    grammar::write_cola(open("acceptability/train.tsv")?, &judgements.train)?;
    grammar::write_cola(open("acceptability/dev.tsv")?, &judgements.dev)?;
    Ok(())
}
