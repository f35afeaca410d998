//! Low-rank adapters for any [Burn](burn) model, with each factor trained or frozen.
//!
//! A pre-trained linear layer `y = W0·x` stays frozen, and an update of rank r is learned:
//!
//! ```text
//! y = W0·x + (α/r)·B·A·x        A: r × d_in, B: d_out × r, α = 2r
//! ```
//!
//! LoRA (Hu et al., 2021) trains both factors. "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et al., 2024)
//! finds that the factors have different roles: A extracts features from the input, and B maps them to the output. A
//! frozen, random orthonormal A performs as well with half the trainable parameters. In this crate, each [`Factor`]
//! therefore has an [`Init`] and is either trained or frozen. [`AdapterConfig::lora`], [`AdapterConfig::b_only`] (the
//! paper's B̂₀A_rand) and [`AdapterConfig::a_only`] (B_randÂ₀) are three settings of the same method.
//!
//! Frozen parameters are outside the autodiff graph. If W0 and A are frozen, [`AdaptedLinear`] keeps r numbers per
//! token for the backward pass, while LoRA keeps d_in numbers. It computes no matrix with the shape of W0.
//!
//! ```
//! use asym_core::{AdaptedLinear, AdaptedLinearConfig, AdapterConfig, Factor, Init, Lora, inspect, merge};
//! use burn::module::Module;
//! use burn::tensor::{Device, Tensor};
//!
//! #[derive(Module, Debug)]
//! struct Model {
//!     query: AdaptedLinear, // in place of burn::nn::Linear
//!     classifier: AdaptedLinear,
//! }
//!
//! # fn main() -> Result<(), asym_core::AdapterError> {
//! let device = Device::default().autodiff();
//! let model = Model {
//!     query: AdaptedLinearConfig::new(64, 64).init(&device),
//!     classifier: AdaptedLinearConfig::new(64, 2).init(&device),
//! };
//!
//! let lora = Lora::new(8).a(Factor::frozen(Init::Orthonormal)).b(Factor::trained(Init::Zero));
//! let adapter = AdapterConfig::new(lora)
//!     .targets(["query"])
//!     .modules_to_save(["classifier"]);
//! let model = adapter.attach(model, 42)?; // W0 and A leave the autodiff graph
//! println!("{}", inspect(&model, &Default::default()));
//!
//! let input = Tensor::<2>::ones([4, 64], &device);
//! let loss = model.classifier.forward(model.query.forward(input)).mean();
//! let gradients = loss.backward(); // ... any Burn training loop ...
//! # let _ = gradients;
//! let plain = merge(model); // no adapter left, same outputs
//! # let _ = plain;
//! # Ok(())
//! # }
//! ```
//!
//! | to | see |
//! |---|---|
//! | choose layers, biases and fully trained modules | [`AdapterConfig`] |
//! | choose a method: LoRA and its variants, DoRA, AdaLoRA, VeRA, (IA)³ | [`Method`] |
//! | adapt embeddings and convolutions | [`AdaptedEmbedding`], [`AdaptedConv2d`] |
//! | train B with a higher learning rate than A, or with a projected gradient | [`optim`] |
//! | adapt a model, including one with Burn's own layers | [`AdapterConfig::attach`], [`Adapt`] |
//! | initialize A from the inputs of a layer | [`AdapterConfig::attach_observed`] |
//! | save for and load from Python's PEFT | [`save_adapter`], [`load_adapter`] |
//! | read learned factors without the model | [`read_factors`] |
//! | train only a head | [`train_only`] |
//! | read and write tensors under their names in files | [`layout`] |

pub mod adapter;
mod attach;
mod base;
mod config;
mod conv;
#[cfg(test)]
#[path = "../../../tests/common/damage.rs"]
mod damage;
mod embedding;
mod error;
mod files;
mod init;
mod inspect;
pub mod layout;
pub mod linalg;
mod linear;
mod observe;
pub mod optim;
mod pattern;
mod patterns;
mod peft;
pub mod random;

pub use adapter::{AdaLora, Adapter, Dora, Factor, Ia3, Lora, Method, RankAllocator, Vera, orthogonality};
pub use attach::{Adapt, merge, train_only};
pub use base::BaseLinear;
pub use config::{AdapterConfig, Bias, Layers, TakenOut, Targets};
pub use conv::AdaptedConv2d;
pub use embedding::AdaptedEmbedding;
pub use error::AdapterError;
pub use files::{fill_whole, repeated_key, write_whole};
pub use init::Init;
pub use inspect::{Inspection, Row, inspect};
pub use layout::Naming;
pub use linalg::Matrix;
pub use linear::{AdaptedLinear, AdaptedLinearConfig};
pub use observe::{InputMoment, observe_inputs};
pub use patterns::Patterns;
pub use peft::{
    AdapterPurpose, FactorPair, LoadOptions, SaveOptions, adapter_naming, base_model, load_adapter, load_adapter_with,
    read_config, read_factors, read_purpose, save_adapter,
};
