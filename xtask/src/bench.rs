//! Compares training steps of asym, of Burn's `apply_lora`, and of PyTorch with transformers and PEFT, in alternation within one
//! run.

mod contestant;
pub(crate) mod epoch;
pub(crate) mod models;
mod report;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::contestant::{Contestant, Dtype, build, fastest, keeping_pages, machine, median, range, settings};
use self::report::Report;

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Python with torch, transformers and peft; without it, only asym and Burn are measured
    #[arg(long)]
    python: Option<PathBuf>,
    /// Encoders
    #[arg(long, value_enum, value_delimiter = ',', default_value = "base,large")]
    models: Vec<Model>,
    /// The trained parameters
    #[arg(long, value_delimiter = ',', default_value = "b-only,lora,full")]
    methods: Vec<String>,
    /// Dtypes of the frozen weights; full fine-tuning is measured only in f32
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f32,bf16")]
    dtypes: Vec<Dtype>,
    /// Number of measured steps of each program
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Number of sequences in a batch
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Number of tokens in a sequence
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// Adapt all linear layers instead of query and value
    #[arg(long)]
    all_linear: bool,
    /// Also measure torch.compile
    #[arg(long)]
    compile: bool,
    /// Use a tiny encoder and two rounds, only to check that the benchmark works
    #[arg(long)]
    smoke: bool,
    /// File to which the table is also written
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Model {
    /// 2 blocks, 128 features
    Tiny,
    /// RoBERTa-base: 12 blocks, 768 features
    Base,
    /// RoBERTa-large: 24 blocks, 1024 features
    Large,
}

impl Model {
    fn shape(self) -> (&'static str, usize, usize) {
        match self {
            Self::Tiny => ("tiny", 2, 128),
            Self::Base => ("RoBERTa-base", 12, 768),
            Self::Large => ("RoBERTa-large", 24, 1024),
        }
    }
}

pub(crate) fn bench(options: &Options, root: &Path) -> Result<()> {
    if options.rounds == 0 {
        bail!("--rounds 0: expected at least 1");
    }
    let worker = build(root, "step")?;
    let mut report = Report::new(options.output.as_deref())?;
    report.line(&format!("Machine: {}. Batch {} x {} tokens.", machine(), options.batch, options.length))?;
    let models = if options.smoke { vec![Model::Tiny] } else { options.models.clone() };
    let rounds = if options.smoke { 2 } else { options.rounds };
    report.line(
        "\n| model | trained | dtype | program | median step, s | spread, s | asym is faster by | kept, MiB | peak, MiB |\n\
         |---|---|---|---|---:|---:|---:|---:|---:|",
    )?;
    for model in models {
        let (name, layers, hidden) = model.shape();
        for method in &options.methods {
            let dtypes = options.dtypes.iter().copied().filter(|dtype| method != "full" || *dtype == Dtype::F32);
            let mut contestants = Vec::new();
            for dtype in dtypes {
                let of_dtype =
                    self::contestants(options, &worker, root, (method, dtype), (layers, hidden), &mut report.notes)?;
                contestants.extend(of_dtype.into_iter().map(|contestant| (dtype, contestant)));
            }
            for round in 0..rounds {
                eprint!("\r{name}, {method}: round {} of {rounds} ", round + 1);
                for (_, contestant) in &mut contestants {
                    let seconds = contestant.seconds("step")?;
                    contestant.seconds.push(seconds);
                }
            }
            eprintln!();
            if let Some((Dtype::F32, ours)) = contestants.first_mut() {
                let share = ours.seconds("products")? / median(&ours.seconds);
                writeln!(
                    report.notes,
                    "- {name}, {method}: the products of a step alone take {share:.2} of asym's step in f32."
                )?;
            }
            // asym is the first program of each dtype.
            let ours = |wanted: Dtype| {
                let first = contestants.iter().find(|(dtype, _)| *dtype == wanted);
                first.map_or(f64::NAN, |(_, contestant)| median(&contestant.seconds))
            };
            let ours = [ours(Dtype::F32), ours(Dtype::Bf16)];
            for (dtype, contestant) in &mut contestants {
                let memory = contestant.order("memory")?;
                let mib = |key: &str| memory[key].as_f64().map_or(f64::NAN, |bytes| bytes / f64::from(1 << 20));
                let seconds = median(&contestant.seconds);
                let (low, high) = range(&contestant.seconds);
                report.line(&format!(
                    "| {name} | {method} | {} | {} | {seconds:.3} | {low:.3} to {high:.3} | {:.2} | {:.1} | {:.1} |",
                    dtype.name(),
                    contestant.name,
                    seconds / ours[usize::from(*dtype == Dtype::Bf16)],
                    mib("kept"),
                    mib("peak"),
                ))?;
                report.versions(&contestant.versions);
            }
        }
    }
    report.finish()
}

/// The programs for the same step: first asym, and last the peer in its fastest setting.
fn contestants(
    options: &Options,
    worker: &Path,
    root: &Path,
    (method, dtype): (&str, Dtype),
    (layers, hidden): (usize, usize),
    notes: &mut String,
) -> Result<Vec<Contestant>> {
    let numbers =
        [("--layers", layers), ("--hidden", hidden), ("--batch", options.batch), ("--length", options.length)];
    let common = |command: &mut Command, method: &str| {
        command.args(["--method", method, "--dtype", dtype.name()]);
        for (name, value) in numbers {
            command.args([name, &value.to_string()]);
        }
        if options.all_linear {
            command.arg("--all-linear");
        }
    };
    let ours = |name: &str, method: &str| {
        let mut command = Command::new(worker);
        command.arg("--serve");
        common(&mut command, method);
        Contestant::start(name, &mut command, true)
    };
    let mut contestants = vec![ours("asym", method)?];
    if method == "lora" && dtype == Dtype::F32 {
        contestants.push(ours("Burn's apply_lora", "burn")?);
    }
    let Some(python) = &options.python else { return Ok(contestants) };
    let peer = |attention: &str, compile: bool| {
        let mut command = Command::new(python);
        command.arg(root.join("benches/peers/step.py")).args(["--attention", attention]);
        common(&mut command, method);
        if compile {
            command.arg("--compile");
        }
        command
    };
    let mut all = settings(|attention| peer(attention, false));
    if options.compile {
        let mut command = peer("sdpa", true);
        keeping_pages(&mut command);
        all.push(("torch.compile".to_string(), command));
    }
    let name = format!("PEFT in {} on {hidden} features, {method}", dtype.name());
    contestants.push(fastest(&name, all, "step", notes)?);
    Ok(contestants)
}
