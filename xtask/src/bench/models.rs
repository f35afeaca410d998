//! Compares training steps of ViT-B/16, BART-base and a block of Llama 2 7B with PEFT, and their generation with transformers.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use super::contestant::{Contestant, Dtype, build, fastest, machine, median, range, settings};
use super::report::Report;

/// Options of `cargo xtask bench-models`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Python with torch, transformers and peft; without it, only asym is measured
    #[arg(long)]
    python: Option<PathBuf>,
    /// Models: vit-base, bart-base, llama-block
    #[arg(long, value_delimiter = ',', default_value = "vit-base,bart-base,llama-block")]
    models: Vec<String>,
    /// The trained parameters
    #[arg(long, value_delimiter = ',', default_value = "b-only,lora")]
    methods: Vec<String>,
    /// Dtypes of the frozen weights
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f32,bf16")]
    dtypes: Vec<Dtype>,
    /// Numbers of beams for generation
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    beams: Vec<usize>,
    /// Number of measured steps of each program
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Number of rows in a batch
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// Use two blocks of 64 features and two rounds, only to check that the benchmark works
    #[arg(long)]
    smoke: bool,
    /// File to which the tables are also written
    #[arg(long)]
    output: Option<PathBuf>,
}

pub(crate) fn bench(options: &Options, root: &Path) -> Result<()> {
    if options.rounds == 0 {
        bail!("--rounds 0: expected at least 1");
    }
    let worker = build(root, "models")?;
    let mut report = Report::new(options.output.as_deref())?;
    report.line(&format!("Machine: {}. {} rows.", machine(), options.batch))?;
    report.line(
        "\n| model | trained | dtype | program | median step, s | spread, s | asym is faster by | kept, MiB | peak, MiB |\n\
         |---|---|---|---|---:|---:|---:|---:|---:|",
    )?;
    for model in &options.models {
        for method in &options.methods {
            let what = ["--model", model, "--method", method];
            let mut contestants = contestants(options, &worker, root, &what, "step", &mut report.notes)?;
            turns(options, &mut contestants, "step", &format!("{model}, {method}"))?;
            let ours = ours(&contestants);
            for (dtype, contestant) in &mut contestants {
                let memory = contestant.order("memory")?;
                let mib = |key: &str| memory[key].as_f64().map_or(f64::NAN, |bytes| bytes / f64::from(1 << 20));
                let (kept, peak) = (mib("kept"), mib("peak"));
                let row = row(contestant, ours[usize::from(*dtype == Dtype::Bf16)]);
                let dtype = dtype.name();
                report.line(&format!("| {model} | {method} | {dtype} | {row} | {kept:.1} | {peak:.1} |"))?;
                report.versions(&contestant.versions);
            }
        }
    }
    report.line(
        "\n| model | beams | dtype | program | median of 32 new tokens, s | spread, s | asym is faster by |\n\
         |---|---:|---|---|---:|---:|---:|",
    )?;
    for model in options.models.iter().filter(|model| *model != "vit-base") {
        for beams in &options.beams {
            let beams = beams.to_string();
            let what = ["--model", model, "--beams", &beams];
            let mut contestants = contestants(options, &worker, root, &what, "generate", &mut report.notes)?;
            turns(options, &mut contestants, "generate", &format!("{model}, {beams} beams"))?;
            let ours = ours(&contestants);
            for (dtype, contestant) in &contestants {
                let row = row(contestant, ours[usize::from(*dtype == Dtype::Bf16)]);
                report.line(&format!("| {model} | {beams} | {} | {row} |", dtype.name()))?;
            }
        }
    }
    report.finish()
}

/// The columns that both tables have.
fn row(contestant: &Contestant, ours: f64) -> String {
    let (seconds, (low, high)) = (median(&contestant.seconds), range(&contestant.seconds));
    format!("{} | {seconds:.3} | {low:.3} to {high:.3} | {:.2}", contestant.name, seconds / ours)
}

/// The medians of asym in f32 and in bf16. asym is the first program of each dtype.
fn ours(contestants: &[(Dtype, Contestant)]) -> [f64; 2] {
    [Dtype::F32, Dtype::Bf16].map(|wanted| {
        let first = contestants.iter().find(|(dtype, _)| *dtype == wanted);
        first.map_or(f64::NAN, |(_, contestant)| median(&contestant.seconds))
    })
}

fn turns(options: &Options, contestants: &mut [(Dtype, Contestant)], order: &str, what: &str) -> Result<()> {
    let rounds = if options.smoke { 2 } else { options.rounds };
    // The first execution of each program fills caches and is not measured.
    for (_, contestant) in contestants.iter_mut() {
        contestant.seconds(order)?;
    }
    for round in 0..rounds {
        eprint!("\r{what}: round {} of {rounds} ", round + 1);
        for (_, contestant) in contestants.iter_mut() {
            let seconds = contestant.seconds(order)?;
            contestant.seconds.push(seconds);
        }
    }
    eprintln!();
    Ok(())
}

/// The programs for the same step: for each dtype asym, then the peer in its fastest setting.
fn contestants(
    options: &Options,
    worker: &Path,
    root: &Path,
    what: &[&str],
    order: &str,
    notes: &mut String,
) -> Result<Vec<(Dtype, Contestant)>> {
    let mut contestants = Vec::new();
    for dtype in &options.dtypes {
        let common = |command: &mut Command| {
            command.args(what).args(["--batch", &options.batch.to_string(), "--dtype", dtype.name()]);
            if options.smoke {
                command.arg("--tiny");
            }
        };
        let mut command = Command::new(worker);
        command.arg("--serve");
        common(&mut command);
        contestants.push((*dtype, Contestant::start("asym", &mut command, true)?));
        let Some(python) = &options.python else { continue };
        let peer = |attention: &str| {
            let mut command = Command::new(python);
            command.arg(root.join("benches/peers/models.py")).args(["--attention", attention]);
            common(&mut command);
            command
        };
        let name = format!("PEFT in {} on {}", dtype.name(), what.join(" ").replace("--", ""));
        contestants.push((*dtype, fastest(&name, settings(peer), order, notes)?));
    }
    Ok(contestants)
}
