//! The `asym` command.

use anyhow::Result;
use asym::cli::{self, InspectArgs, PredictArgs};
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
}

fn main() -> Result<()> {
    match Args::parse().command {
        Command::Predict(args) => cli::predict(&args),
        Command::Inspect(args) => cli::inspect(&args),
    }
}
