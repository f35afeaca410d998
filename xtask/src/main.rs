//! Chores of the project: `cargo xtask <chore>`.
//!
//! It depends on no crate of the workspace, so that it builds in seconds; it runs cargo and the project's own binaries.

mod bench;
mod ending;
mod kill;
mod sweep;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Chores of the project.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run what continuous integration runs
    Ci,
    /// Make an embedded checkpoint in models/ anew, all from a seed
    Pretrain {
        /// Passed on to `asym pretrain`: the checkpoint, and options such as --seed 2
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        rest: Vec<String>,
    },
    /// Time training steps beside Burn's own LoRA and Python's PEFT, in turns, and print a table
    Bench(bench::Options),
    /// Time loading, an epoch and measuring of a real task beside transformers and PEFT, in turns, and print a table
    BenchEpoch(bench::epoch::Options),
    /// Time steps of ViT, BART and Llama beside PEFT's, and tokens that they generate, in turns, and print tables
    BenchModels(bench::models::Options),
    /// Kill a run at random moments, stop it, start it twice and fill its disk; it must end as the undisturbed run does
    Kill(kill::Options),
    /// Kill the processes of a sweep at random moments; its runs must be those of one process that nothing disturbed
    Sweep(sweep::Options),
    /// Compare the runs in a folder with those in another, but for their times
    Same(sweep::SameOptions),
    /// Make tests/fixtures anew; needs Python with what the script's header names
    Fixtures,
}

fn main() -> Result<()> {
    let root = root();
    match Args::parse().chore {
        Chore::Ci => run(Command::new(root.join(".ci/run")), &root),
        Chore::Pretrain { rest } => {
            let mut command = cargo();
            command.args(["run", "--release", "--bin", "asym", "--", "pretrain"]).args(rest);
            run(command, &root)
        }
        Chore::Bench(options) => bench::bench(&options, &root),
        Chore::BenchEpoch(options) => bench::epoch::bench(&options, &root),
        Chore::BenchModels(options) => bench::models::bench(&options, &root),
        Chore::Kill(options) => kill::kill(&options, &root),
        Chore::Sweep(options) => sweep::sweep(&options, &root),
        Chore::Same(options) => sweep::same(&options),
        Chore::Fixtures => {
            let scripts = [
                "make",
                "make_models",
                "make_generation",
                "make_sentencepiece",
                "make_chat",
                "make_images",
                "make_augmentation",
                "make_trainer",
                "make_summarization",
                "make_rouge",
            ];
            scripts.into_iter().try_for_each(|script| {
                let mut command = Command::new("python3");
                command.arg(format!("tests/fixtures/{script}.py"));
                run(command, &root)
            })
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Cargo, without the variables in which it tells this program of its own package: with them it would build some crates anew.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
        command.env_remove(name);
    }
    command
}

fn run(mut command: Command, folder: &Path) -> Result<()> {
    let status = command.current_dir(folder).status()?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
