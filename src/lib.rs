//! Fine-tuning with low-rank adapters in pure Rust, on [Burn](burn), after "Asymmetry in Low-Rank Adapters of Foundation
//! Models" (Zhu et al., 2024).
//!
//! | part | holds |
//! |---|---|
//! | [`core`] | the adapted layer: factor pairs that attach, freeze, merge, and save as Python's PEFT does |
//! | [`kernels`] | attention, norms, activations, dropout and products for the CPU, and their composed forms |
//! | [`models`] | RoBERTa, BERT, ViT, Llama and BART from Hugging Face checkpoints, and generation |
//! | [`analysis`] | the paper's mathematics: similarity of factors, least squares, bounds, figures |
//! | [`tasks`] | benchmarks, batches, training, tables |
//! | [`embedded`] | a small checkpoint and two generated tasks, compiled in |
//! | [`cli`] | what the examples and the `asym` command share |
//!
//! [`core`] begins with the method in forty lines.

pub use asym_analysis as analysis;
pub use asym_core as core;
pub use asym_kernels as kernels;
pub use asym_models as models;
pub use asym_tasks as tasks;

pub mod cli;
pub mod device;
pub mod embedded;
