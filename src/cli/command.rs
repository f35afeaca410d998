//! The commands of `asym`.

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::{
    ClassifyArgs, DataArgs, EvaluateArgs, GenerateArgs, InspectArgs, MergeArgs, ParametersArgs, PredictArgs,
    PretrainArgs, ReportArgs, RunArgs, SimilarityArgs, SubmitArgs, SummarizeArgs, SweepArgs, TableArgs,
};

/// Low-rank adapters for RoBERTa, BERT, ViT, Llama and BART, on Burn.
#[derive(Debug, Parser)]
#[command(name = "asym", version)]
pub struct Args {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// A command of `asym`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train the runs of a recipe file and print their table
    Run(RunArgs),
    /// Compare methods on one task over several seeds, as the examples do
    Table(Box<TableArgs>),
    /// Train the runs of many recipes, together with other processes on the same folder
    Sweep(SweepArgs),
    /// Write a page, tables and figures about all runs in a folder
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
    /// Write the generated counterparts of the GLUE tasks to files, or show training examples as the model gets them
    Data(DataArgs),
    /// Run a model, with or without an adapter, on tensors in a safetensors file
    Predict(PredictArgs),
    /// Merge an adapter into its model and write a checkpoint that transformers can load
    Merge(MergeArgs),
    /// Print the table of a model's parameters and bounds on the generalization error
    Inspect(InspectArgs),
    /// Count the trainable parameters of every row in the paper's tables and compare them with the paper
    Parameters(ParametersArgs),
    /// Compare the learned factors of several adapters (the paper's Figure 1)
    Similarity(SimilarityArgs),
    /// Print the completion script of a shell, as in `asym completions bash`
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Recreate an embedded checkpoint; `cargo xtask pretrain` runs this
    #[command(hide = true)]
    Pretrain(PretrainArgs),
}

impl Args {
    /// Run the command.
    ///
    /// # Errors
    ///
    /// The errors of the command.
    pub fn run(self) -> Result<()> {
        super::messages::show();
        match self.command {
            Command::Run(args) => super::run(&args),
            Command::Table(args) => args.run(),
            Command::Sweep(args) => super::sweep(&args),
            Command::Report(args) => super::report(&args),
            Command::Classify(args) => super::classify(&args),
            Command::Generate(args) => super::generate(&args),
            Command::Summarize(args) => super::summarize(&args),
            Command::Evaluate(args) => super::evaluate(&args),
            Command::Submit(args) => super::submit(&args),
            Command::Data(args) => super::data(&args),
            Command::Predict(args) => super::predict(&args),
            Command::Merge(args) => super::merge(&args),
            Command::Inspect(args) => super::inspect(&args),
            Command::Parameters(args) => super::parameters(&args),
            Command::Similarity(args) => super::similarity(&args),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "asym", &mut script);
                super::say(String::from_utf8_lossy(&script).trim_end())
            }
            Command::Pretrain(args) => super::pretrain(&args),
        }
    }
}
