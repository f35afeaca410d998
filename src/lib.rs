//! Fine-tuning with low-rank adapters in pure Rust, on [Burn](burn), after "Asymmetry in Low-Rank Adapters of Foundation
//! Models" (Zhu et al., 2024).
//!
//! | part | contents | feature |
//! |---|---|---|
//! | [`core`] | the adapted layer: factor pairs that attach, freeze, merge, and save as Python's PEFT does | |
//! | [`kernels`] | attention, norms, activations, dropout and products for the CPU, and their composed forms | |
//! | [`models`] | RoBERTa, BERT, ViT, Llama and BART from Hugging Face checkpoints, and generation | |
//! | [`train`] | a training loop for adapted models, alone or within burn-train; run folders | `train` |
//! | [`data`] | tokenizers, image processors, table formats; with `hub`, the Hugging Face Hub | `data` |
//! | [`tasks`] | benchmarks, recipes, metrics, tables | `tasks` |
//! | [`analysis`] | the paper's mathematics: similarity of factors, least squares, bounds | `analysis` |
//! | [`figure`] | figures as SVG, PNG and CSV | `figure` |
//! | [`embedded`] | small checkpoints, compiled in | `tasks` |
//! | [`cli`] | the command line of the examples and of `asym` | `cli` |
//!
//! All features in this table are enabled by default, together with `flex`, Burn's backend for the CPU. With
//! `default-features = false` and a backend (`flex`, `wgpu`, `vulkan`, `metal` or `cuda`), only the parts without a feature are
//! built.
//!
//! The page of [`core`] begins with an example of the method in forty lines.

#[cfg(feature = "analysis")]
pub use asym_analysis as analysis;
pub use asym_core as core;
#[cfg(feature = "data")]
pub use asym_data as data;
#[cfg(feature = "figure")]
pub use asym_figure as figure;
pub use asym_kernels as kernels;
pub use asym_models as models;
#[cfg(feature = "tasks")]
pub use asym_tasks as tasks;
#[cfg(feature = "train")]
pub use asym_train as train;

#[cfg(feature = "cli")]
pub mod cli;
pub mod device;
#[cfg(feature = "tasks")]
pub mod embedded;

/// The example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
