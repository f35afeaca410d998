//! What loading, saving and running need to know of a model.

use std::path::Path;

use asym_core::{AdapterConfig, AdapterError, Naming, adapter_naming};
use burn::module::Module;
use burn::tensor::{Device, TensorData};

use crate::inputs::ModelInput;
use crate::{KeyTable, ModelConfig, ModelError, init};

/// A model that is made from a Hugging Face checkpoint: those of this crate, or a head of your own on one of its encoders.
///
/// A new head is a module that holds an [`Encoder`](crate::Encoder) beside its own layers, a [`KeyTable`] that names its
/// parameters as files do, and this trait. [`Checkpoint::load`](crate::Checkpoint::load) then draws what the checkpoint lacks,
/// and adapters attach, save and merge as on the models of this crate.
pub trait PretrainedModel: Module {
    /// What it is built from.
    type Config: ModelConfig;

    /// A batch for it.
    type Input: ModelInput<Config = Self::Config>;

    /// A model of this configuration whose parameters wait for their values. `config` is valid.
    fn skeleton(config: &Self::Config, device: &Device) -> Self;

    /// A model of this configuration without values, for counting: nothing is made before it is read.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] where the configuration cannot be built, with `path` as its file.
    fn outline(config: &Self::Config, path: &Path, device: &Device) -> Result<Self, ModelError> {
        config.validate(path)?;
        Self::check_config(config, path)?;
        Ok(Self::skeleton(config, device))
    }

    /// What files call its parameters.
    fn keys(config: &Self::Config) -> &'static KeyTable;

    /// The configuration it was built from.
    fn config(&self) -> &Self::Config;

    /// Refuse a configuration that this model cannot be made of, though others of its family can.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`], with `path` as its file.
    fn check_config(_config: &Self::Config, _path: &Path) -> Result<(), ModelError> {
        Ok(())
    }

    /// Check on the host that this model can take a batch: as [`ModelInput::check`], and what its own head needs.
    ///
    /// # Errors
    ///
    /// [`ModelError::Input`].
    fn check_input(input: &Self::Input, config: &Self::Config) -> Result<(), ModelError> {
        input.check(config)
    }

    /// The logits of a batch, on the host: what `asym predict` writes.
    ///
    /// # Panics
    ///
    /// May panic on a batch that [`check_input`](Self::check_input) refuses.
    fn logits(&self, input: Self::Input) -> TensorData;

    /// What transformers calls its parameters: the names that adapters are attached, written and listed by. Checkpoints
    /// have them too, but where [`KeyTable::in_memory`] says otherwise.
    fn naming(&self) -> Naming {
        let table = Self::keys(self.config());
        table.in_memory.unwrap_or(table.naming)
    }

    /// A model drawn anew as transformers draws it, for training from nothing. Each parameter depends on `seed` and its
    /// name alone, not on the backend.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] where [`ModelConfig::validate`] refuses.
    fn init(config: &Self::Config, seed: u64, device: &Device) -> Result<Self, ModelError> {
        init::init(config, seed, device)
    }
}

/// Attach the adapter of `folder`, in PEFT's format, to `model`, whichever version of transformers named its modules.
///
/// # Errors
///
/// As [`asym_core::load_adapter`].
pub fn load_adapter<M: PretrainedModel>(
    model: M,
    folder: impl AsRef<Path>,
) -> Result<(M, AdapterConfig), AdapterError> {
    let table = M::keys(model.config());
    let naming = match table.in_memory {
        Some(in_memory) => adapter_naming(&model, &folder, &[in_memory, table.naming])?,
        None => table.naming,
    };
    asym_core::load_adapter(model, folder, &naming)
}
