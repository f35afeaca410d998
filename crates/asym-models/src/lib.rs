//! RoBERTa and BERT from Hugging Face checkpoints as Burn modules whose linear layers take adapters.
//!
//! ```no_run
//! use asym_models::{Checkpoint, EncoderInput};
//! use burn::tensor::{Device, Int, Tensor};
//!
//! # fn main() -> Result<(), asym_models::ModelError> {
//! let device = Device::default();
//! let checkpoint = Checkpoint::open("roberta-base")?;
//! let loaded = checkpoint.sequence_classifier(Some(2), 0, &device)?;
//! println!("initialised, since the checkpoint lacks them: {:?}", loaded.initialised);
//!
//! let input_ids = Tensor::<2, Int>::from_ints([[0, 31414, 232, 2]], &device);
//! let logits = loaded.model.forward(EncoderInput { input_ids, attention_mask: None, token_type_ids: None });
//! # Ok(())
//! # }
//! ```
//!
//! A model keeps the names of its checkpoint: `model.naming()` with [`asym_core`] gives
//! `roberta.encoder.layer.0.attention.self.query.weight`, so that adapters attach and are written as in Python's PEFT.

mod activation;
mod checkpoint;
mod config;
mod error;
mod init;
mod inputs;
mod keys;
mod roberta;
mod save;
mod weights;

pub use checkpoint::{Checkpoint, EncoderModel, Loaded};
pub use config::{Activation, EncoderConfig, Family, HuggingFaceConfig};
pub use error::ModelError;
pub use inputs::{check_input, read_inputs, write_tensor};
pub use keys::KeyTable;
pub use roberta::{Encoder, EncoderInput, MaskedLanguageModel, SequenceClassifier};
pub use save::{FileDtype, save};
