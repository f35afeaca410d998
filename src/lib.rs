//! Fine-tuning with low-rank adapters in pure Rust, on [Burn](burn), after "Asymmetry in Low-Rank Adapters of Foundation
//! Models" (Zhu et al., 2024).
//!
//! | part | holds |
//! |---|---|
//! | [`core`] | the adapted layer: factor pairs that attach, freeze, merge, and save as Python's PEFT does |
//! | [`kernels`] | attention, norms, activations, dropout and products for the CPU, and their composed forms |
//! | [`models`] | RoBERTa, BERT, ViT, Llama and BART from Hugging Face checkpoints, and generation |
//! | [`train`] | a training loop for adapted models, alone or within burn-train; run folders |
//! | [`data`] | the Hugging Face Hub, tokenizers, image processors, table formats |
//! | [`tasks`] | benchmarks, recipes, metrics, tables |
//! | [`analysis`] | the paper's mathematics: similarity of factors, least squares, bounds |
//! | [`figure`] | figures as SVG, PNG and CSV |
//! | [`embedded`] | small checkpoints, compiled in |
//! | [`cli`] | the command line of the examples and of `asym` |
//!
//! [`core`] begins with the method in forty lines.

pub use asym_analysis as analysis;
pub use asym_core as core;
pub use asym_data as data;
pub use asym_figure as figure;
pub use asym_kernels as kernels;
pub use asym_models as models;
pub use asym_tasks as tasks;
pub use asym_train as train;

pub mod cli;
pub mod device;
pub mod embedded;

/// The example of the first page.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
