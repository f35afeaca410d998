//! The bytes that each method keeps for the backward pass, and the peak memory of a step, for a model with the shape of
//! RoBERTa-base and random weights.
//!
//! ```text
//! cargo bench --bench memory                       # RoBERTa-base's 12 blocks; --layers 2 for a quick look
//! cargo bench --bench memory -- --targets all-linear
//! python benches/peers/peft_memory.py --layers 12  # the same with PyTorch and PEFT
//! ```
//!
//! The allocator counts the bytes on the heap. The numbers are exact and the same in every run. The model's own dropout is 0, so
//! that only the adapter's dropout is measured. The peak is the maximum during a forward pass, a backward pass and a step of
//! AdamW, in addition to the model, its optimizer state and the batch.

use asym::core::{AdaLora, AdapterConfig, Dora, Ia3, Lora, Method, Targets, Vera, inspect};
use asym::train::memory;
use burn::tensor::Device;
use clap::Parser;

mod common;
use common::{Dtype, Trained, Training};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const MIB: f64 = (1 << 20) as f64;

/// Measure the bytes kept for the backward pass and the peak bytes of a step, for each adapter method.
#[derive(Debug, Parser)]
struct Options {
    /// Number of blocks
    #[arg(long, default_value_t = 12)]
    layers: usize,
    /// Number of sequences in a batch
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// Number of tokens in a sequence
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// The layers with adapters: names, or all-linear
    #[arg(long, value_delimiter = ',', default_value = "query,value")]
    targets: Vec<String>,
    /// The dtype of the frozen weights
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn methods(targets: &Targets) -> Vec<(&'static str, f64, Trained)> {
    let mut rows = vec![("full fine-tuning", 0.0, Trained::Full), ("head only", 0.0, Trained::Head)];
    for dropout in [0.0, 0.1] {
        let methods: [(&'static str, Method); 7] = [
            ("LoRA r=8", Lora::new(8).dropout(dropout).into()),
            ("LoRA r=8, A frozen (B only)", Lora::b_only(8).dropout(dropout).into()),
            ("LoRA r=8, B frozen (A only)", Lora::a_only(8).dropout(dropout).into()),
            ("DoRA r=8", Dora(Lora::new(8).dropout(dropout)).into()),
            ("DoRA r=8, A frozen", Dora(Lora::b_only(8).dropout(dropout)).into()),
            ("AdaLoRA r=12", AdaLora::new(12, 8).dropout(dropout).into()),
            ("VeRA r=256", Vera::new(256).dropout(dropout).into()),
        ];
        for (name, method) in methods {
            rows.push((name, dropout, Trained::Adapter(AdapterConfig::new(method).targets(targets.clone()))));
        }
    }
    rows.push((
        "(IA)³",
        0.0,
        Trained::Adapter(AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS)),
    ));
    rows.push(("Burn's apply_lora r=8", 0.0, Trained::Burn(targets.clone())));
    rows
}

/// The bytes kept for the backward pass, the peak bytes of a step, and the number of trained parameters.
fn measure(trained: &Trained, options: &Options, device: &Device) -> (usize, usize, usize) {
    let shape = [options.batch, options.length];
    let mut training = Training::new(trained, [768, options.layers], shape, 0.0, options.dtype, device);
    let parameters = inspect(&training.model, &training.model.naming()).trained();
    let (mut kept, mut peak) = (0, 0);
    // The first steps allocate caches, the optimizer's state and the buffers of threads.
    for _ in 0..3 {
        memory::reset_peak();
        let before = memory::current();
        let loss = training.loss();
        kept = memory::current().saturating_sub(before);
        training.update(loss);
        peak = memory::peak().saturating_sub(before);
    }
    (kept, peak, parameters)
}

fn main() {
    let options = Options::parse();
    let targets = match options.targets.as_slice() {
        [word] if word == Targets::ALL_LINEAR => Targets::ALL_LINEAR.into(),
        names => Targets::Names(names.to_vec()),
    };
    let device = Device::default().autodiff();
    println!(
        "{} blocks of RoBERTa-base, batch {} x {} tokens, {:?}, adapters on {}\n",
        options.layers,
        options.batch,
        options.length,
        options.dtype,
        options.targets.join(", ")
    );
    println!("| method | adapter dropout | trained | kept for backward, MiB | of LoRA's | peak of a step, MiB |");
    println!("|---|---:|---:|---:|---:|---:|");
    let rows: Vec<_> = methods(&targets)
        .into_iter()
        .map(|(name, dropout, trained)| (name, dropout, measure(&trained, &options, &device)))
        .collect();
    let lora = rows.iter().find(|(name, ..)| *name == "LoRA r=8").map_or(1, |(_, _, (kept, ..))| *kept);
    for (name, dropout, (kept, peak, parameters)) in rows {
        println!(
            "| {name} | {dropout} | {parameters} | {:.1} | {:.3} | {:.1} |",
            kept as f64 / MIB,
            kept as f64 / lora as f64,
            peak as f64 / MIB
        );
    }
}
