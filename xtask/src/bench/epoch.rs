//! Compares an epoch of a real task, from checkpoint and files to scores, with transformers and PEFT.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::contestant::{Contestant, Dtype, build, keeping_pages, machine, median, range};
use super::report::Report;

/// Options of `cargo xtask bench-epoch`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Python with torch, transformers and peft; without it, only asym is measured
    #[arg(long)]
    python: Option<PathBuf>,
    /// Folder of a checkpoint
    #[arg(long)]
    model: PathBuf,
    /// Folder of MRPC's files
    #[arg(long)]
    data: PathBuf,
    /// The trained parameters
    #[arg(long, value_enum, value_delimiter = ',', default_value = "b-only")]
    methods: Vec<Method>,
    /// Dtypes of the frozen weights; full fine-tuning is measured only in f32
    #[arg(long, value_enum, value_delimiter = ',', default_value = "f32,bf16")]
    dtypes: Vec<Dtype>,
    /// Number of examples in a batch
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Number of measured epochs of each program
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// File to which the table is also written
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// LoRA with A frozen
    BOnly,
    /// LoRA
    Lora,
    /// All parameters
    Full,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::BOnly => "b-only",
            Self::Lora => "lora",
            Self::Full => "full",
        }
    }
}

/// The measurements of one program, with one value per round.
#[derive(Default)]
struct Measured {
    load: Vec<f64>,
    whole: Vec<f64>,
    train: Vec<f64>,
    measure: Vec<f64>,
    input: Vec<f64>,
    accuracy: Vec<f64>,
}

pub(crate) fn bench(options: &Options, root: &Path) -> Result<()> {
    if options.rounds == 0 {
        bail!("--rounds 0: expected at least 1");
    }
    let worker = build(root, "epoch")?;
    let mut report = Report::new(options.output.as_deref())?;
    report.line(&format!("Machine: {}. MRPC, batches of {}.\n", machine(), options.batch))?;
    report.line(
        "| trained | dtype | program | load, s | epoch end to end, s | spread, s | asym is faster by | training, samples/s | \
         measuring, samples/s | input, % of the time | accuracy % |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    )?;
    let cells = options.methods.iter().flat_map(|method| options.dtypes.iter().map(move |dtype| (*method, *dtype)));
    for (method, dtype) in cells.filter(|cell| *cell != (Method::Full, Dtype::Bf16)) {
        let (method, dtype) = (method.name(), dtype.name());
        let mut contestants = contestants(options, &worker, root, method, dtype)?;
        let mut measured: Vec<Measured> = contestants.iter().map(|_| Measured::default()).collect();
        // All files are read once before the measurements, so that the first program does not wait for the disk.
        for contestant in &mut contestants {
            contestant.order("load")?;
        }
        for round in 0..options.rounds {
            for (contestant, measured) in contestants.iter_mut().zip(&mut measured) {
                eprintln!("{method} in {dtype}, round {} of {}: {}", round + 1, options.rounds, contestant.name);
                measured.load.push(contestant.seconds("load")?);
                let epoch = contestant.order("epoch")?;
                let number = |key: &str| epoch[key].as_f64().with_context(|| format!("{}: {key}", contestant.name));
                measured.whole.push(number("seconds")?);
                measured.accuracy.push(100.0 * number("accuracy")?);
                measured.train.push(number("train_samples")? / number("train_seconds")?);
                measured.measure.push(number("measure_samples")? / number("measure_seconds")?);
                measured
                    .input
                    .push(100.0 * epoch["input_seconds"].as_f64().unwrap_or(f64::NAN) / number("train_seconds")?);
            }
        }
        for (at, contestant) in contestants.iter().enumerate() {
            let of = &measured[at];
            // Each program is compared with asym in the same order of examples. The first two programs are asym in both orders.
            let ours = median(&measured[at % 2].whole);
            let (low, high) = range(&of.whole);
            let input = median(&of.input);
            report.line(&format!(
                "| {method} | {dtype} | {} | {:.2} | {:.1} | {low:.1} to {high:.1} | {:.2} | {:.0} | {:.0} | {} | {:.1} |",
                contestant.name,
                median(&of.load),
                median(&of.whole),
                median(&of.whole) / ours,
                median(&of.train),
                median(&of.measure),
                if input.is_nan() { "-".to_string() } else { format!("{input:.2}") },
                median(&of.accuracy),
            ))?;
            report.versions(&contestant.versions);
        }
    }
    report.finish()
}

/// asym with plain shuffling and with examples grouped by length, then the peer with both orders.
fn contestants(options: &Options, worker: &Path, root: &Path, method: &str, dtype: &str) -> Result<Vec<Contestant>> {
    let mut programs = vec![("asym", worker.to_path_buf(), None)];
    if let Some(python) = &options.python {
        programs.push(("PEFT, sdpa attention", python.clone(), Some(root.join("benches/peers/epoch.py"))));
    }
    let mut contestants = Vec::new();
    for (name, program, script) in programs {
        for (order, flag) in [("plain shuffling", None), ("similar lengths together", Some("--grouped"))] {
            let mut command = Command::new(&program);
            command.args(&script).args(["--method", method, "--dtype", dtype, "--batch", &options.batch.to_string()]);
            command.arg("--model").arg(&options.model).arg("--data").arg(&options.data).args(flag);
            if script.is_some() {
                keeping_pages(&mut command);
            }
            contestants.push(Contestant::start(format!("{name}, {order}"), &mut command, false)?);
        }
    }
    Ok(contestants)
}
