//! RoBERTa, BERT, ViT, Llama and BART from Hugging Face checkpoints as Burn modules whose linear layers accept adapters.
//!
//! ```no_run
//! use asym_models::{Checkpoint, EncoderInput};
//! use burn::tensor::{Device, Int, Tensor};
//!
//! # fn main() -> Result<(), asym_models::ModelError> {
//! let device = Device::default();
//! let checkpoint = Checkpoint::open("roberta-base")?;
//! let loaded = checkpoint.sequence_classifier(Some(2), 0, &device)?;
//! println!("initialized, since the checkpoint lacks them: {:?}", loaded.initialized);
//!
//! let input_ids = Tensor::<2, Int>::from_ints([[0, 31414, 232, 2]], &device);
//! let logits = loaded.model.forward(EncoderInput { input_ids, attention_mask: None, token_type_ids: None });
//! # Ok(())
//! # }
//! ```
//!
//! | family | models |
//! |---|---|
//! | [`roberta`]: BERT, RoBERTa | [`SequenceClassifier`], [`MaskedLanguageModel`] |
//! | [`vit`] | [`VitClassifier`], [`VitModel`] |
//! | [`llama`] | [`LlamaLanguageModel`], [`LlamaClassifier`] |
//! | [`bart`] | [`BartLanguageModel`], [`BartClassifier`] |
//!
//! [`Checkpoint::load`] creates any of these models, and [`generate_batch`] generates text with the language models of
//! Llama and BART.
//!
//! A model has the parameter names of its checkpoint. With `model.naming()`, [`asym_core`] uses names such as
//! `roberta.encoder.layer.0.attention.self.query.weight`, so adapters are attached and written as in Python's PEFT.

mod activation;
mod adapted;
mod assign;
pub mod bart;
mod blocks;
mod bytes;
mod cache;
mod checkpoint;
mod class;
mod config;
mod decode;
mod error;
pub mod generation;
mod generative;
mod init;
mod inputs;
mod json;
mod keys;
pub mod llama;
mod model;
mod packing;
mod purpose;
pub mod roberta;
mod save;
pub mod vit;
mod weights;
mod write;

pub use activation::Activation;
pub use adapted::{adapted_config, adapter_outputs, load_adapter, merge};
pub use bart::{BartClassifier, BartConfig, BartInput, BartLanguageModel};
pub use checkpoint::{Checkpoint, Loaded};
pub use class::{ModelClass, WithModel};
pub use config::{CommonFields, Config, InFamily, ModelConfig};
pub use error::ModelError;
pub use generative::{
    Ends, GenerativeModel, Grown, Sequences, generate_aloud, generate_batch, generate_until, resolve_batch,
};
pub use inputs::{InputFile, ModelInput, check_input, check_logits, read_inputs, write_tensor};
pub use json::JsonObject;
pub use keys::KeyTable;
pub use llama::{LlamaClassifier, LlamaConfig, LlamaInput, LlamaLanguageModel, LlamaScorer, RopeScaling};
pub use model::PretrainedModel;
pub use roberta::{Encoder, EncoderConfig, EncoderInput, Family, MaskedLanguageModel, Padding, SequenceClassifier};
pub use save::{save, save_base};
pub use vit::{VitClassifier, VitConfig, VitInput, VitModel};
pub use write::FileDtype;
