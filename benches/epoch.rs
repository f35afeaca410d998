//! An epoch of MRPC on a real checkpoint: `cargo xtask bench-epoch` alternates this with `benches/peers/epoch.py`.
//!
//! It reads commands from standard input, one per line. `load` reads the checkpoint and attaches the adapter. `epoch`
//! reads the files, trains for one epoch and evaluates on the development set. The answer to each command is a line of
//! JSON.

use std::io::BufRead;
use std::path::PathBuf;
use std::time::Instant;

use asym::core::AdapterConfig;
use asym::tasks::glue::{Dataset, Glue, GlueOptions, read};
use asym::tasks::{Base, Origin, PreparedTask, RunConfig, Session, Task};
use asym::train::{self, StopSignal, TrainSettings, Tuning, memory};
use burn::tensor::Device;
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

mod common;
use common::{Dtype, versions};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Benchmark the epochs of one setting.
#[derive(Debug, Parser)]
struct Options {
    /// Method to train, with rank 8 on query and value
    #[arg(long, value_enum)]
    method: Method,
    /// Folder of a checkpoint
    #[arg(long)]
    model: PathBuf,
    /// Folder of MRPC's files
    #[arg(long)]
    data: PathBuf,
    /// Number of examples in a batch
    #[arg(long)]
    batch: usize,
    /// Group examples of similar length instead of plain shuffling
    #[arg(long)]
    grouped: bool,
    /// The dtype of the frozen weights
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// LoRA with A frozen
    BOnly,
    /// LoRA
    Lora,
    /// All parameters
    Full,
}

impl Options {
    fn run(&self) -> RunConfig {
        RunConfig {
            task: task().into(),
            new_head: false,
            hold_out: None,
            training: TrainSettings {
                seed: 1,
                epochs: 1,
                batch_size: self.batch,
                learning_rate: 1e-3,
                group_by_length: self.grouped,
                dtype: match self.dtype {
                    Dtype::F32 => train::Dtype::F32,
                    Dtype::Bf16 => train::Dtype::Bf16,
                },
                ..TrainSettings::default()
            },
            tuning: match self.method {
                Method::BOnly => Tuning::Adapter(AdapterConfig::b_only(8)),
                Method::Lora => Tuning::Adapter(AdapterConfig::lora(8)),
                Method::Full => Tuning::Full,
            },
        }
    }
}

fn task() -> Glue {
    Glue { dataset: Dataset::Mrpc, options: GlueOptions { max_length: Some(128) } }
}

fn load(options: &Options) -> anyhow::Result<Value> {
    let start = Instant::now();
    let base = Base::open(&options.model)?;
    let model = base.checkpoint.sequence_classifier(Some(2), 1, &Device::default())?.model;
    let naming = model.naming();
    let seconds = match options.run().tuning {
        Tuning::Adapter(config) => {
            let model = config.attach_named(model, 1, &naming)?;
            let seconds = start.elapsed().as_secs_f64();
            drop(model);
            seconds
        }
        Tuning::Full | Tuning::Head => start.elapsed().as_secs_f64(),
    };
    Ok(json!({ "seconds": seconds }))
}

fn epoch(options: &Options) -> anyhow::Result<Value> {
    let start = Instant::now();
    let device = Device::default();
    let base = Base::open(&options.model)?;
    let data = task().prepare(read(Dataset::Mrpc, &options.data)?, &base)?;
    let session = Session { task: task(), base: &base, data, device: &device, origin: Origin::default(), read: None };
    let result = session.run(&options.run(), "", None, &StopSignal::default())?;
    Ok(json!({
        "seconds": start.elapsed().as_secs_f64(),
        "train_samples": result.training.examples,
        "train_seconds": result.training.seconds,
        "measure_samples": result.evaluation.examples,
        "measure_seconds": result.evaluation.seconds,
        "input_seconds": result.training.input_seconds,
        "accuracy": result.scores.get("accuracy"),
    }))
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    memory::keep_pages();
    println!("{}", json!({ "versions": versions() }));
    for line in std::io::stdin().lock().lines() {
        let answer = match line?.trim() {
            "load" => load(&options)?,
            "epoch" => epoch(&options)?,
            other => anyhow::bail!("`{other}`: expected load or epoch"),
        };
        println!("{answer}");
    }
    Ok(())
}
