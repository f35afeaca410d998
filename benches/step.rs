//! Training steps of one setting, for the comparison with other libraries: `cargo xtask bench` alternates this program
//! and `benches/peers/step.py`.
//!
//! ```text
//! cargo bench --bench step -- --method b-only --rounds 5    # by itself
//! ```
//!
//! With `--serve`, it reads commands from standard input, one per line, like the Python script. `step` takes one training
//! step, `memory` measures the memory of a step, and `products` runs only the matrix products of a step. The answer to each
//! command is a line of JSON.

use std::io::BufRead;
use std::time::Instant;

use asym::core::{AdapterConfig, Lora, Targets};
use asym::train::memory;
use burn::tensor::{Device, Distribution, Tensor};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

mod common;
use common::{Dtype, Trained, Training, versions};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// One setting's training steps.
#[derive(Debug, Parser)]
struct Options {
    /// The trained parameters, with rank 8 on query and value
    #[arg(long, value_enum, default_value_t = Method::BOnly)]
    method: Method,
    /// Blocks of the encoder
    #[arg(long, default_value_t = 12)]
    layers: usize,
    /// Features; heads are 64 wide
    #[arg(long, default_value_t = 768)]
    hidden: usize,
    /// Sequences
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Tokens of a sequence
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// The model's own dropout
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    /// The dtype of the frozen weights
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Adapters on all linear layers, and not on query and value
    #[arg(long)]
    all_linear: bool,
    /// Steps to time
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Read commands from standard input
    #[arg(long)]
    serve: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// LoRA with A frozen
    BOnly,
    /// LoRA
    Lora,
    /// Every parameter
    Full,
    /// Burn's own `apply_lora`
    Burn,
}

impl Options {
    fn trained(&self) -> Trained {
        let targets: Targets = match self.all_linear {
            true => Targets::ALL_LINEAR.into(),
            false => ["query", "value"].into(),
        };
        match self.method {
            Method::BOnly => Trained::Adapter(AdapterConfig::new(Lora::b_only(8)).targets(targets)),
            Method::Lora => Trained::Adapter(AdapterConfig::new(Lora::new(8)).targets(targets)),
            Method::Full => Trained::Full,
            Method::Burn => Trained::Burn(targets),
        }
    }
}

/// Seconds of a step.
fn step(training: &mut Training) -> Value {
    let start = Instant::now();
    let loss = training.loss();
    training.update(loss);
    json!({ "seconds": start.elapsed().as_secs_f64() })
}

/// Bytes that a step keeps for backward, and its peak above what model, optimizer state and batch take.
fn measure(training: &mut Training) -> Value {
    memory::reset_peak();
    let before = memory::current();
    let loss = training.loss();
    let kept = memory::current().saturating_sub(before);
    training.update(loss);
    json!({ "kept": kept, "peak": memory::peak().saturating_sub(before) })
}

/// Seconds of the matrix products of a step alone, each of its size and as often, one after another.
fn products(options: &Options) -> Value {
    let device = Device::default();
    let (tokens, hidden, inner) = (options.batch * options.length, options.hidden, 4 * options.hidden);
    let heads = options.batch * (hidden / 64);
    let random = |rows, columns| Tensor::<2>::random([rows, columns], Distribution::Default, &device);
    let batched = |rows, columns| Tensor::<3>::random([heads, rows, columns], Distribution::Default, &device);
    let full = options.method == Method::Full;
    let mut seconds = 0.0;
    // (rows, inputs, outputs, forward, toward the input, toward the weight), a classifier's last block for one token alone.
    let mut linear = |rows: usize, inputs: usize, outputs: usize, forward: usize, back: usize| {
        let (x, w, g) = (random(rows, inputs), random(inputs, outputs), random(rows, outputs));
        let start = Instant::now();
        (0..forward).for_each(|_| drop(asym::kernels::linear(x.clone(), w.clone(), None)));
        (0..back).for_each(|_| drop(asym::kernels::linear(g.clone(), w.clone().transpose(), None)));
        if full {
            (0..forward).for_each(|_| drop(asym::kernels::linear(x.clone().transpose(), g.clone(), None)));
        }
        seconds += start.elapsed().as_secs_f64();
    };
    let (last, blocks) = (options.batch, options.layers - 1);
    // Query, key, value and output of each block; those of the first have no input that is tracked, unless all is.
    let first = if full { 0 } else { 3 };
    linear(tokens, hidden, hidden, 4 * blocks + 2, 4 * blocks + 2 - first);
    linear(last, hidden, hidden, 2, 2);
    for (rows, count) in [(tokens, blocks), (last, 1)] {
        linear(rows, hidden, inner, count, count);
        linear(rows, inner, hidden, count, count);
    }
    let (q, scores) = (batched(options.length, 64), batched(options.length, options.length));
    let start = Instant::now();
    for _ in 0..blocks {
        // Forward, and again in backward.
        (0..2).for_each(|_| drop(q.clone().matmul(q.clone().swap_dims(1, 2))));
        drop(scores.clone().matmul(q.clone()));
        // Toward values, probabilities, queries and keys.
        (0..2).for_each(|_| drop(scores.clone().swap_dims(1, 2).matmul(q.clone())));
        drop(q.clone().matmul(q.clone().swap_dims(1, 2)));
        drop(scores.clone().matmul(q.clone()));
    }
    seconds += start.elapsed().as_secs_f64();
    json!({ "seconds": seconds })
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    memory::keep_pages();
    let device = Device::default().autodiff();
    let shape = [options.hidden, options.layers];
    let batch = [options.batch, options.length];
    let mut training = Training::new(&options.trained(), shape, batch, options.dropout, options.dtype, &device);
    // The first steps fill caches, the optimizer's state and threads' buffers.
    (0..2).for_each(|_| drop(step(&mut training)));
    if !options.serve {
        for _ in 0..options.rounds {
            println!("{}", step(&mut training));
        }
        println!("{}", measure(&mut training));
        println!("{}", products(&options));
        return Ok(());
    }
    println!("{}", json!({ "versions": versions() }));
    for line in std::io::stdin().lock().lines() {
        let answer = match line?.trim() {
            "step" => step(&mut training),
            "memory" => measure(&mut training),
            "products" => products(&options),
            other => anyhow::bail!("`{other}`: expected step, memory or products"),
        };
        println!("{answer}");
    }
    Ok(())
}
