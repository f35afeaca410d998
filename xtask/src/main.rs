//! Development tasks of the project: `cargo xtask <command>`.
//!
//! This program depends on no other crate of the workspace, so that it builds in seconds. It runs cargo and the project's
//! programs.

mod bench;
mod ending;
mod kill;
mod sweep;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Development tasks of the project.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run the checks of continuous integration
    Ci,
    /// Recreate an embedded checkpoint in models/ from its seed
    Pretrain {
        /// Arguments of `asym pretrain`: the checkpoint, and options such as --seed 2
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        rest: Vec<String>,
    },
    /// Time training steps of asym, of Burn's own LoRA and of Python's PEFT in alternation, and print a table
    Bench(bench::Options),
    /// Time loading, an epoch and the evaluation of a real task with asym and with PEFT in alternation, and print a table
    BenchEpoch(bench::epoch::Options),
    /// Time training steps and generation of ViT, BART and Llama with asym and with PEFT in alternation, and print tables
    BenchModels(bench::models::Options),
    /// Kill a run at random times, stop it, start it twice and fill its disk; the results must equal those of an undisturbed run
    Kill(kill::Options),
    /// Kill processes of a sweep at random times; the results must equal those of a single undisturbed process
    Sweep(sweep::Options),
    /// Compare the runs in two folders, except for times and memory
    Same(sweep::SameOptions),
    /// Recreate tests/fixtures; needs Python with the packages in the headers of the scripts
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
                "make_variants",
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

/// Cargo, without the environment variables that describe the package of this program. With them, cargo would rebuild some
/// crates.
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
