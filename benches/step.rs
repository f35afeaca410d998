//! Training steps of one setting, for the comparison with other libraries. `cargo xtask bench` alternates between this program
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

/// Benchmark the training steps of one setting.
#[derive(Debug, Parser)]
struct Options {
    /// The trained parameters, with rank 8 on query and value
    #[arg(long, value_enum, default_value_t = Method::BOnly)]
    method: Method,
    /// Number of blocks of the encoder
    #[arg(long, default_value_t = 12)]
    layers: usize,
    /// Number of features; a head has 64
    #[arg(long, default_value_t = 768)]
    hidden: usize,
    /// Number of sequences in a batch
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Number of tokens in a sequence
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// The model's own dropout
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    /// The dtype of the frozen weights
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Adapt all linear layers instead of query and value
    #[arg(long)]
    all_linear: bool,
    /// Number of steps to time
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Read commands from standard input
    #[arg(long)]
    serve: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// LoRA with A frozen
    BOnly,
    /// LoRA
    Lora,
    /// All parameters
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

/// The seconds of a step.
fn step(training: &mut Training) -> Value {
    let start = Instant::now();
    let loss = training.loss();
    training.update(loss);
    json!({ "seconds": start.elapsed().as_secs_f64() })
}

/// The bytes that a step keeps for the backward pass, and its peak in addition to the model, the optimizer state and the batch.
fn measure(training: &mut Training) -> Value {
    memory::reset_peak();
    let before = memory::current();
    let loss = training.loss();
    let kept = memory::current().saturating_sub(before);
    training.update(loss);
    json!({ "kept": kept, "peak": memory::peak().saturating_sub(before) })
}

/// The seconds of only the matrix products of a step, with the same sizes and the same number of products, one after another.
fn products(options: &Options) -> Value {
    let device = Device::default();
    let (tokens, hidden, inner) = (options.batch * options.length, options.hidden, 4 * options.hidden);
    let heads = options.batch * (hidden / 64);
    let random = |rows, columns| Tensor::<2>::random([rows, columns], Distribution::Default, &device);
    let batched = |rows, columns| Tensor::<3>::random([heads, rows, columns], Distribution::Default, &device);
    let full = options.method == Method::Full;
    let mut seconds = 0.0;
    // `forward` is the number of products in the forward pass, and `back` the number of products for gradients of inputs. In the
    // last block, a classifier computes only one token.
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
    // Query, key, value and output of each block. In the first block, the inputs of query, key and value have no gradient, except
    // in full fine-tuning.
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
        // The scores are computed in the forward pass and again in the backward pass.
        (0..2).for_each(|_| drop(q.clone().matmul(q.clone().swap_dims(1, 2))));
        drop(scores.clone().matmul(q.clone()));
        // The gradients of values and keys, of probabilities, and of queries.
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
    // The first steps allocate caches, the optimizer's state and the buffers of threads.
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
