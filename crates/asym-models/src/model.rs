//! The interface of models for loading, saving and inference.

use std::path::Path;

use asym_core::Naming;
use burn::module::Module;
use burn::tensor::{Device, TensorData};

use crate::inputs::ModelInput;
use crate::{KeyTable, ModelConfig, ModelError, init};

/// A model that is loaded from a Hugging Face checkpoint: a model of this crate, or your own head on one of its
/// encoders.
///
/// To add a head, write a module that contains an [`Encoder`](crate::Encoder) and the layers of the head, write a
/// [`KeyTable`] with the names of its parameters in files, and implement this trait.
/// [`Checkpoint::load`](crate::Checkpoint::load) then initializes the parameters that the checkpoint lacks. Adapters
/// are attached, saved and merged as for the models of this crate.
pub trait PretrainedModel: Module + 'static {
    /// The configuration of the model.
    type Config: ModelConfig;

    /// The input of the model.
    type Input: ModelInput<Config = Self::Config>;

    /// Create a model with lazy parameters whose values are set later. `config` must be valid.
    fn skeleton(config: &Self::Config, device: &Device) -> Self;

    /// Create a model without values, to count its parameters. A parameter is allocated only when it is read.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`], with `path` as its file, if the configuration is invalid.
    fn outline(config: &Self::Config, path: &Path, device: &Device) -> Result<Self, ModelError> {
        config.validate(path)?;
        Self::check_config(config, path)?;
        Ok(Self::skeleton(config, device))
    }

    /// The names of the model's parameters in files.
    fn keys(config: &Self::Config) -> &'static KeyTable;

    /// The configuration of the model.
    fn config(&self) -> &Self::Config;

    /// Check that this model supports a configuration that is valid for its family.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`], with `path` as its file, if the model does not support it.
    fn check_config(_config: &Self::Config, _path: &Path) -> Result<(), ModelError> {
        Ok(())
    }

    /// Check on the host that this model accepts a batch. The default is [`ModelInput::check`]; a model can add the
    /// requirements of its head.
    ///
    /// # Errors
    ///
    /// [`ModelError::Input`] if the model does not accept the batch.
    fn check_input(input: &Self::Input, config: &Self::Config) -> Result<(), ModelError> {
        input.check(config)
    }

    /// Compute the logits of a batch and copy them to the host. `asym predict` writes these logits.
    ///
    /// # Panics
    ///
    /// May panic on a batch that [`check_input`](Self::check_input) refuses.
    fn logits(&self, input: Self::Input) -> TensorData;

    /// The names of the model's parameters in transformers. Adapters are attached, saved and listed with these names.
    /// Checkpoints use them too, unless [`KeyTable::in_memory`] is set.
    fn naming(&self) -> Naming {
        let table = Self::keys(self.config());
        table.in_memory.unwrap_or(table.naming)
    }

    /// Create a model with random weights, as transformers initializes them, for training from scratch. Each parameter
    /// depends only on `seed` and its name, not on the backend.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if [`ModelConfig::validate`] fails.
    fn init(config: &Self::Config, seed: u64, device: &Device) -> Result<Self, ModelError> {
        init::init(config, seed, device)
    }
}
