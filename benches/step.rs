//! Training steps of one setting, timed one by one.
use std::time::Instant;
use asym::core::{AdapterConfig, Lora};
use asym::tasks::memory;
use burn::tensor::Device;
use clap::Parser;

mod common;
use common::{Trained, Training};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

#[derive(Debug, Parser)]
struct Options {
    #[arg(long, default_value = "b-only")]
    method: String,
    #[arg(long, default_value_t = 12)]
    layers: usize,
    #[arg(long, default_value_t = 768)]
    hidden: usize,
    #[arg(long, default_value_t = 8)]
    batch: usize,
    #[arg(long, default_value_t = 128)]
    length: usize,
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    #[arg(long, default_value_t = 6)]
    steps: usize,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    memory::keep_pages();
    let device = Device::default().autodiff();
    let trained = match options.method.as_str() {
        "full" => Trained::Full,
        "lora" => Trained::Adapter(AdapterConfig::new(Lora::new(8)).targets(["query", "value"])),
        "b-only" => Trained::Adapter(AdapterConfig::new(Lora::b_only(8)).targets(["query", "value"])),
        "burn" => Trained::Burn(["query", "value"].into()),
        other => panic!("{other}"),
    };
    let mut training = Training::new(&trained, [options.hidden, options.layers], [options.batch, options.length], options.dropout, &device);
    for _ in 0..options.steps {
        memory::reset_peak();
        let before = memory::current();
        let start = Instant::now();
        let loss = training.loss();
        let forward = start.elapsed().as_secs_f64();
        let kept = memory::current().saturating_sub(before);
        training.update(loss);
        let _ = &training;
        println!("{:.3} forward {:.3} kept {:.1} peak {:.1}", start.elapsed().as_secs_f64(), forward, kept as f64 / 1048576.0, memory::peak().saturating_sub(before) as f64/1048576.0);
    }
}
