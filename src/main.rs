//! The `asym` command.

use std::process::ExitCode;

use asym::cli::{
    self, ClassifyArgs, DataArgs, GenerateArgs, InspectArgs, MergeArgs, PredictArgs, PretrainArgs, RunArgs,
    SimilarityArgs, SubmitArgs, TableArgs,
};
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

/// Low-rank adapters for RoBERTa, BERT, ViT, Llama and BART, on Burn.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train what a recipe file says, and print its table
    Run(RunArgs),
    /// Compare methods on one task over seeds, as the examples do
    Table(TableArgs),
    /// Say which label a text, a pair of texts, or a picture has
    Classify(ClassifyArgs),
    /// Continue prompts, or answer texts, with a Llama or a BART
    Generate(GenerateArgs),
    /// Write the submission files of a GLUE task
    Submit(SubmitArgs),
    /// Write the generated counterparts of GLUE's tasks as files
    Data(DataArgs),
    /// Run a model, with an adapter or without, on tensors in a safetensors file
    Predict(PredictArgs),
    /// Fold an adapter into its model: a checkpoint that transformers loads
    Merge(MergeArgs),
    /// Print the table of a model's parameters, and bounds on the generalization error
    Inspect(InspectArgs),
    /// Count the trained parameters of every row in the paper's tables, beside what it prints
    Parameters,
    /// Compare the factors that several adapters learned (the paper's Figure 1)
    Similarity(SimilarityArgs),
    /// Make the embedded checkpoint anew; `cargo xtask pretrain` runs this
    #[command(hide = true)]
    Pretrain(PretrainArgs),
}

fn main() -> ExitCode {
    cli::exit(match Args::parse().command {
        Command::Run(args) => cli::run(&args),
        Command::Table(args) => args.run(),
        Command::Classify(args) => cli::classify(&args),
        Command::Generate(args) => cli::generate(&args),
        Command::Submit(args) => cli::submit(&args),
        Command::Data(args) => cli::data(&args),
        Command::Predict(args) => cli::predict(&args),
        Command::Merge(args) => cli::merge(&args),
        Command::Inspect(args) => cli::inspect(&args),
        Command::Parameters => cli::parameters(),
        Command::Similarity(args) => cli::similarity(&args),
        Command::Pretrain(args) => cli::pretrain(&args),
    })
}
