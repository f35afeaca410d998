//! The `asym` command.

use std::process::ExitCode;

use asym::cli::{self, InspectArgs, PredictArgs, PretrainArgs};
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: asym::tasks::memory::Counting = asym::tasks::memory::Counting;

/// Low-rank adapters for RoBERTa and BERT, on Burn.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a model, with an adapter or without, on tensors in a safetensors file
    Predict(PredictArgs),
    /// Print the table of a model's parameters
    Inspect(InspectArgs),
    /// Make the embedded checkpoint anew; `cargo xtask pretrain` runs this
    #[command(hide = true)]
    Pretrain(PretrainArgs),
}

fn main() -> ExitCode {
    cli::exit(match Args::parse().command {
        Command::Predict(args) => cli::predict(&args),
        Command::Inspect(args) => cli::inspect(&args),
        Command::Pretrain(args) => cli::pretrain(&args),
    })
}
