//! `asym evaluate`: benchmarks for a trained model, and scores for summaries in files.

mod mmlu;
mod rouge;
mod summarization;

use std::io::{IsTerminal, Write};

use anyhow::Result;
use asym_tasks::answers::Progress;
use clap::{Args, Subcommand};

/// Options of `asym evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// MMLU: questions with four answers each, on 57 subjects, for a Llama
    Mmlu(mmlu::MmluArgs),
    /// Summarization of XSum, CNN/DailyMail or your own documents with a BART, scored with ROUGE
    Summarization(summarization::SummarizationArgs),
    /// ROUGE of summaries in a file against references in a file
    Rouge(rouge::RougeArgs),
}

/// Evaluate a model or its answers, and print a table of the scores.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if the benchmark does not support the model, or if the output folder
/// contains answers of another evaluation.
pub fn evaluate(args: &EvaluateArgs) -> Result<()> {
    match &args.benchmark {
        Benchmark::Mmlu(args) => args.run(),
        Benchmark::Summarization(args) => args.run(),
        Benchmark::Rouge(args) => args.run(),
    }
}

/// The name of a model, an adapter or a dataset in the settings of an evaluation. A local path becomes absolute, so that an
/// evaluation can be continued from another folder, and an equal relative path there does not stand for the same files.
fn recorded(name: &str) -> String {
    std::fs::canonicalize(name).map_or_else(|_| name.to_string(), |path| path.display().to_string())
}

/// Print the progress of `what`, counted in `questions`: on a terminal on a single line that is overwritten, elsewhere one line
/// for each tenth of the work.
fn show((what, questions): (&str, &str), Progress { done, all, own, seconds }: Progress, batch: usize) {
    let mut err = std::io::stderr();
    let speed = own as f64 / seconds.max(1e-9);
    let left = (all - done) as f64 / speed.max(1e-9);
    let line = format!("{what}: {done} of {all} {questions}, {speed:.1} per second, {left:.0} s left");
    if err.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        let _ = write!(err, "\r{line}   {end}");
    } else if done == all || done * 10 / all > done.saturating_sub(own.min(batch)) * 10 / all {
        let _ = writeln!(err, "{line}");
    }
}
