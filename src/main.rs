//! The `asym` command.

use std::process::ExitCode;

use asym::cli::{
    self, ClassifyArgs, DataArgs, EvaluateArgs, GenerateArgs, InspectArgs, MergeArgs, PredictArgs, PretrainArgs,
    ReportArgs, RunArgs, SimilarityArgs, SubmitArgs, SummarizeArgs, SweepArgs, TableArgs,
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
    /// Train the runs of a recipe file and print their table
    Run(RunArgs),
    /// Compare methods on one task over several seeds, as the examples do
    Table(Box<TableArgs>),
    /// Make the runs of many recipes, beside other processes on the same folder
    Sweep(SweepArgs),
    /// Write a page, tables and figures on all runs in a folder
    Report(ReportArgs),
    /// Predict the label of a text, a pair of texts, or an image
    Classify(ClassifyArgs),
    /// Generate text from prompts with a Llama or a BART
    Generate(GenerateArgs),
    /// Summarize documents with a BART
    Summarize(SummarizeArgs),
    /// Evaluate a model on MMLU or on summaries, or score summaries in a file
    Evaluate(EvaluateArgs),
    /// Write the submission files of a GLUE task
    Submit(SubmitArgs),
    /// Write the generated counterparts of the GLUE tasks to files, or show training examples as a model is shown them
    Data(DataArgs),
    /// Run a model, with or without an adapter, on tensors in a safetensors file
    Predict(PredictArgs),
    /// Merge an adapter into its model and write a checkpoint that transformers can load
    Merge(MergeArgs),
    /// Print the table of a model's parameters and bounds on the generalization error
    Inspect(InspectArgs),
    /// Count the trainable parameters of every row in the paper's tables and compare them with the paper
    Parameters,
    /// Compare the learned factors of several adapters (the paper's Figure 1)
    Similarity(SimilarityArgs),
    /// Recreate an embedded checkpoint; `cargo xtask pretrain` runs this
    #[command(hide = true)]
    Pretrain(PretrainArgs),
}

fn main() -> ExitCode {
    cli::exit(match Args::parse().command {
        Command::Run(args) => cli::run(&args),
        Command::Table(args) => args.run(),
        Command::Sweep(args) => cli::sweep(&args),
        Command::Report(args) => cli::report(&args),
        Command::Classify(args) => cli::classify(&args),
        Command::Generate(args) => cli::generate(&args),
        Command::Summarize(args) => cli::summarize(&args),
        Command::Evaluate(args) => cli::evaluate(&args),
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
