//! Low-rank adapters for any [Burn](burn) model, with each factor trained or frozen.
//!
//! A pre-trained linear layer `y = W0·x` is kept, and an update of rank r is learned beside it:
//!
//! ```text
//! y = W0·x + (α/r)·B·A·x        A: r × d_in, B: d_out × r, α = 2r
//! ```
//!
//! LoRA (Hu et al., 2021) trains both factors. "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et al., 2024)
//! finds that they do different work: A extracts features from the input, B makes the output of them. A random
//! orthonormal A that is never trained does as well, at half the trained parameters. A factor here is therefore a pair
//! {[`Init`], trained or frozen}, and one method holds them all: [`AdapterConfig::lora`], [`AdapterConfig::b_only`] (the
//! paper's B̂₀A_rand) and [`AdapterConfig::a_only`] (B_randÂ₀) are three settings of it.
//!
//! Freezing is done in the autodiff graph. With W0 and A outside of it, [`AdaptedLinear`] keeps r numbers a token for the
//! backward pass where LoRA keeps d_in, and nothing of W0's shape is ever computed.
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
//! | choose layers, biases, what is trained whole | [`AdapterConfig`] |
//! | choose a method: LoRA and its variants, DoRA, AdaLoRA, VeRA, (IA)³ | [`Method`] |
//! | adapt embeddings and convolutions | [`AdaptedEmbedding`], [`AdaptedConv2d`] |
//! | train B faster than A, or along a projected gradient | [`optim`] |
//! | adapt a model whose layers are Burn's own | [`AdapterConfig::attach`] |
//! | start A from what a layer reads | [`AdapterConfig::attach_observed`] |
//! | save for and load from Python's PEFT | [`save_adapter`], [`load_adapter`] |
//! | study learned factors without their model | [`read_factors`] |
//! | train a head alone | [`train_only`] |
//! | read and write tensors under the names that files give them | [`layout`] |

pub mod adapter;
mod attach;
mod config;
mod conv;
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
mod peft;
pub mod random;

pub use adapter::{AdaLora, Adapter, Dora, Factor, Ia3, Lora, Method, RankAllocator, Vera, orthogonality};
pub use attach::{merge, train_only};
pub use config::{AdapterConfig, Bias, Layers, Targets};
pub use conv::AdaptedConv2d;
pub use embedding::AdaptedEmbedding;
pub use error::AdapterError;
pub use files::write_whole;
pub use init::Init;
pub use inspect::{Inspection, Row, inspect};
pub use layout::Naming;
pub use linear::{AdaptedLinear, AdaptedLinearConfig};
pub use observe::{InputMoment, observe_inputs};
pub use peft::{
    FactorPair, SaveOptions, adapter_naming, base_model, load_adapter, read_config, read_factors, save_adapter,
};
