//! The number of bytes that a layer keeps for the backward pass, as counted by the allocator.
//!
//! ```text
//! cargo test --release --test graph -- --nocapture
//! ```
#![allow(clippy::unwrap_used, missing_docs)]
// Only the CPU backend allocates tensors on the heap.
#![cfg(feature = "flex")]

use asym::core::{AdaptedLinear, AdaptedLinearConfig, AdapterConfig, Lora};
use asym::train::memory;
use burn::module::{Lora as BurnLora, Module};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Tensor};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const TOKENS: usize = 1024;
const MIB: f64 = (1 << 20) as f64;
/// The maximum number of bytes per layer for nodes of the graph, their shapes and lists, without tensors. 3 to 4 KiB were
/// measured.
const NODES: usize = 8 << 10;

#[derive(Module, Debug)]
struct Factored {
    layers: Vec<AdaptedLinear>,
}

#[derive(Module, Debug)]
struct Dense {
    layers: Vec<Linear>,
}

impl Factored {
    /// `count` layers from `d_input` features to `d_output`.
    fn new(count: usize, d_input: usize, d_output: usize, device: &Device) -> Self {
        Self { layers: (0..count).map(|_| AdaptedLinearConfig::new(d_input, d_output).init(device)).collect() }
    }

    fn adapted(self, config: AdapterConfig) -> Self {
        config.targets("layers.*").attach(self, 7).unwrap()
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(input, |hidden, layer| layer.forward(hidden))
    }
}

impl Dense {
    fn new(count: usize, width: usize, device: &Device) -> Self {
        Self { layers: (0..count).map(|_| LinearConfig::new(width, width).init(device)).collect() }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(input, |hidden, layer| layer.forward(hidden))
    }
}

/// The heap bytes that remain after a forward pass while only its loss is alive.
///
/// The input is created here, tracked as in the middle of a model, and dropped. So it is counted only if the graph keeps it. The
/// loss is a sum, which does not keep a tensor.
fn retained(forward: impl Fn(Tensor<2>) -> Tensor<2>, d_input: usize, device: &Device) -> usize {
    let measure = || {
        let before = memory::current();
        let input = Tensor::<2>::random([TOKENS, d_input], Distribution::Default, device).require_grad();
        let loss = forward(input).sum();
        let growth = memory::current().saturating_sub(before);
        // The backward pass frees the graph, so that the next measurement starts without it.
        let _ = loss.backward();
        growth
    };
    // The first passes allocate lazy parameters, threads and packing buffers.
    let warm: Vec<usize> = (0..3).map(|_| measure()).collect();
    let bytes = measure();
    assert!(bytes.abs_diff(warm[2]) < NODES, "the measurement does not settle: {warm:?}, then {bytes}");
    bytes
}

fn row(what: &str, bytes: usize, against: usize) {
    println!("| {what:<52} | {:>8.3} | {:>6.4} |", bytes as f64 / MIB, bytes as f64 / against as f64);
}

/// This is a single test, because a concurrent test would change the same counter of the heap.
#[test]
fn frozen_a_stores_r_values_per_token() {
    let device = Device::default().autodiff();
    one_layer(&device);
    growth(&device);
    six_layers(&device);
}

/// A layer with the width of RoBERTa-base.
fn one_layer(device: &Device) {
    const WIDTH: usize = 768;
    let layer = |config| {
        let model = Factored::new(1, WIDTH, WIDTH, device).adapted(config);
        retained(|input| model.forward(input), WIDTH, device)
    };
    let trained = layer(AdapterConfig::lora(8));
    let frozen = layer(AdapterConfig::b_only(8));
    let a_only = layer(AdapterConfig::a_only(8));
    let dropped = layer(AdapterConfig::new(Lora::b_only(8).dropout(0.1)));
    println!("\none 768 x 768 layer, r = 8, 1024 tokens             | MiB      | of LoRA's");
    row("LoRA: A and B trained", trained, trained);
    row("B only: A frozen", frozen, trained);
    row("A only: B frozen", a_only, trained);
    row("B only with dropout 0.1 on the adapter's input", dropped, trained);
    let mask = dropped.saturating_sub(frozen);
    assert!(mask < NODES, "the mask is kept and not sampled again: {mask} bytes");
    println!(
        "the mask costs {:.3} MiB, {:.1} bytes an element",
        mask as f64 / MIB,
        mask as f64 / (TOKENS * WIDTH) as f64
    );

    // LoRA keeps x, and training only B does not.
    assert!(trained >= 4 * TOKENS * WIDTH, "{trained}");
    assert!(frozen as f64 <= 0.02 * trained as f64, "frozen {frozen}, trained {trained}");
}

/// The kept bytes grow with r, but not with d_in.
fn growth(device: &Device) {
    let layer = |d_input, rank, frozen: bool| {
        let config = if frozen { AdapterConfig::b_only(rank) } else { AdapterConfig::lora(rank) };
        let model = Factored::new(1, d_input, 768, device).adapted(config);
        retained(|input| model.forward(input), d_input, device)
    };
    println!("\n| d_in | r  | A frozen, bytes | A trained, bytes |");
    let mut of_rank = Vec::new();
    for (d_input, rank) in [(256, 8), (512, 8), (1024, 8), (768, 4), (768, 8), (768, 16)] {
        let (frozen, trained) = (layer(d_input, rank, true), layer(d_input, rank, false));
        println!("| {d_input:>4} | {rank:>2} | {frozen:>15} | {trained:>16} |");
        // r numbers per token, and otherwise only nodes of the graph.
        let expected = 4 * TOKENS * rank;
        assert!((expected..expected + NODES).contains(&frozen), "d_in {d_input}, r {rank}: {frozen}, not {expected}");
        assert!(trained >= 4 * TOKENS * d_input, "d_in {d_input}, r {rank}: {trained}");
        if d_input == 768 {
            of_rank.push(frozen);
        }
    }
    assert!(of_rank.is_sorted_by(|low, high| low < high), "{of_rank:?}");
}

/// A chain of layers, as in a model, compared with Burn's own LoRA on Burn's own layers.
fn six_layers(device: &Device) {
    const WIDTH: usize = 768;
    let factored = |config| {
        let model = Factored::new(6, WIDTH, WIDTH, device).adapted(config);
        retained(|input| model.forward(input), WIDTH, device)
    };
    let dense = |config: AdapterConfig| {
        let model = config.targets("layers.*").attach(Dense::new(6, WIDTH, device), 7).unwrap();
        retained(|input| model.forward(input), WIDTH, device)
    };
    let trained = factored(AdapterConfig::lora(8));
    let frozen = factored(AdapterConfig::b_only(8));
    let dropped = factored(AdapterConfig::new(Lora::b_only(8).dropout(0.1)));
    let dense_trained = dense(AdapterConfig::lora(8));
    let dense_frozen = dense(AdapterConfig::b_only(8));
    let burn = Dense::new(6, WIDTH, device).apply_lora(BurnLora::new(8, 16.0));
    let burn = retained(|input| burn.forward(input), WIDTH, device);
    println!("\nsix 768 x 768 layers, r = 8, 1024 tokens            | MiB      | of LoRA's");
    row("LoRA: A and B trained", trained, trained);
    row("B only: A frozen", frozen, trained);
    row("B only with dropout 0.1", dropped, trained);
    row("LoRA on burn::nn::Linear (dense)", dense_trained, trained);
    row("B only on burn::nn::Linear (dense)", dense_frozen, trained);
    row("Burn's apply_lora on burn::nn::Linear", burn, trained);
    println!("B only keeps {:.4} of what Burn's apply_lora keeps", frozen as f64 / burn as f64);

    assert!(frozen as f64 <= 0.02 * trained as f64, "frozen {frozen}, trained {trained}");
    assert!(frozen < burn && trained < burn, "frozen {frozen}, trained {trained}, Burn's {burn}");
}
