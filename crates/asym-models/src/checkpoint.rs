//! Opens and checks a Hugging Face checkpoint, and loads models from it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use asym_core::layout::{self, Entry};
use burn::tensor::{DType, Device, FloatDType};

use crate::assign::{Assigned, check};
use crate::config;
use crate::init::draw;
use crate::keys;
use crate::purpose::{self, Purpose};
use crate::roberta::{EncoderConfig, MaskedLanguageModel, SequenceClassifier};
use crate::weights::{self, Stored};
use crate::{Config, FileDtype, InFamily, ModelConfig, ModelError, PretrainedModel};

/// The help for a head with a different number of labels.
pub(crate) const OWN_HEAD: &str = "; the checkpoint has its own head: keep its number of labels, or request a new head (--new-head, or new_head = true in \
    a recipe)";

/// A model, and the parameters that its checkpoint lacks.
#[derive(Debug, Clone)]
pub struct Loaded<M> {
    /// The model.
    pub model: M,
    /// The parameters of the head that the checkpoint lacks, with their names in files. They are randomly initialized
    /// from the seed and must be trained.
    pub initialized: Vec<String>,
    /// The modules in the files that the model does not have, such as the head of another task. They are ignored.
    pub left_out: Vec<String>,
}

/// An opened checkpoint: its configuration, and its tensors, which are read when a model is loaded.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    config: Config,
    /// The text of `config.json`, which may also contain generation settings.
    pub(crate) config_text: String,
    /// The first class in `architectures`.
    architecture: Option<String>,
    pub(crate) tensors: BTreeMap<String, Stored>,
}

impl Checkpoint {
    /// Open a folder with `config.json` and `model.safetensors`, or `model.safetensors.index.json` and its shards.
    ///
    /// # Errors
    ///
    /// Returns an error if a file or a shard is missing, if the configuration is not supported, or if a file is not
    /// valid safetensors.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ModelError> {
        let folder = folder.as_ref();
        let path = folder.join("config.json");
        let text = config::read_text(&path)?;
        let architecture = purpose::architecture(&text, &path)?;
        let config = Config::parse(&text, &path)?;
        let tensors = weights::open_folder(folder)?;
        Ok(Self { path: folder.into(), config, config_text: text, architecture, tensors })
    }

    /// Open a checkpoint that is compiled into the program: the text of `config.json` and the bytes of
    /// `model.safetensors`. `name` is used as the path in messages.
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    pub fn from_bytes(name: &str, config: &str, weights: impl Into<Cow<'static, [u8]>>) -> Result<Self, ModelError> {
        let (path, config_text) = (PathBuf::from(name), config.to_owned());
        let architecture = purpose::architecture(config, &path.join("config.json"))?;
        let config = Config::parse(config, &path.join("config.json"))?;
        let tensors = weights::open_bytes(weights.into(), path.join("model.safetensors"))?;
        Ok(Self { path, config, config_text, architecture, tensors })
    }

    /// The same checkpoint, but its model accepts images of any size and interpolates the positions, as
    /// `interpolate_pos_encoding` of transformers. This has no effect for families other than ViT.
    pub fn with_interpolated_positions(mut self) -> Self {
        if let Config::Vit(config) = &mut self.config {
            config.interpolate_pos_encoding = true;
        }
        self
    }

    /// The configuration in `config.json`.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The first class in `architectures`, if the configuration has one.
    pub fn architecture(&self) -> Option<&str> {
        self.architecture.as_deref()
    }

    /// The purpose of the checkpoint according to its architecture.
    pub(crate) fn purpose(&self) -> Option<Purpose> {
        purpose::of_class(self.architecture()?)
    }

    /// The folder of the checkpoint, or the name of a compiled-in checkpoint.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration of one family.
    ///
    /// # Errors
    ///
    /// [`ModelError::Family`] if the checkpoint belongs to another family.
    pub fn config_of<C: ModelConfig>(&self) -> Result<&C, ModelError> {
        C::of(&self.config).ok_or_else(|| ModelError::Family {
            path: self.path.join("config.json"),
            expected: C::FAMILY,
            found: self.config.family(),
        })
    }

    /// The configuration of BERT, RoBERTa or another family of [`EncoderConfig`].
    ///
    /// # Errors
    ///
    /// The errors of [`config_of`](Self::config_of).
    pub fn encoder(&self) -> Result<&EncoderConfig, ModelError> {
        self.config_of()
    }

    /// The dtype of most values in this checkpoint.
    pub fn file_dtype(&self) -> FileDtype {
        let count = |dtype: FileDtype| -> usize {
            let of = self.tensors.values().filter(|tensor| tensor.file_dtype() == Some(dtype));
            of.map(|tensor| tensor.shape.iter().product::<usize>()).sum()
        };
        // If counts are equal, the last dtype is chosen. Only dtypes with values are considered, so a checkpoint in F64 gets
        // the default.
        let there = [FileDtype::BF16, FileDtype::F16, FileDtype::F32].into_iter().filter(|dtype| count(*dtype) > 0);
        there.max_by_key(|dtype| count(*dtype)).unwrap_or_default()
    }

    /// Whether the checkpoint has a tensor in the module `name`.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.keys().any(|key| keys::within(key, name))
    }

    /// Whether this checkpoint is a masked language model, that is, whether it has a masked-LM head and no classifier.
    pub fn is_masked_language_model(&self) -> bool {
        (self.has("lm_head") || self.has("cls.predictions")) && !self.has("classifier")
    }

    /// Load a sequence classifier with `num_labels` labels, or with the labels of the configuration if it is `None`.
    ///
    /// A head that the checkpoint lacks is initialized from `seed` as in transformers, and listed in
    /// [`Loaded::initialized`].
    ///
    /// # Errors
    ///
    /// The errors of [`load`](Self::load).
    pub fn sequence_classifier(
        &self,
        num_labels: Option<usize>,
        seed: u64,
        device: &Device,
    ) -> Result<Loaded<SequenceClassifier>, ModelError> {
        self.load(num_labels, seed, device)
    }

    /// Load a masked language model.
    ///
    /// A head that the checkpoint lacks is initialized from `seed` as in transformers, and listed in
    /// [`Loaded::initialized`].
    ///
    /// # Errors
    ///
    /// The errors of [`load`](Self::load).
    pub fn masked_language_model(&self, seed: u64, device: &Device) -> Result<Loaded<MaskedLanguageModel>, ModelError> {
        self.load(None, seed, device)
    }

    /// Load any model of this crate in f32. A classifier has `num_labels` labels, or the labels of the configuration if
    /// it is `None`.
    ///
    /// A head that the checkpoint lacks is initialized from `seed` as in transformers, and listed in
    /// [`Loaded::initialized`].
    ///
    /// # Errors
    ///
    /// Returns an error if the configuration belongs to another family, if a key is missing, unknown or duplicated, if
    /// a tensor does not have the shape that the configuration requires, if a dtype is not floating-point, or if a
    /// value is not finite.
    pub fn load<M: PretrainedModel>(
        &self,
        num_labels: Option<usize>,
        seed: u64,
        device: &Device,
    ) -> Result<Loaded<M>, ModelError> {
        self.load_as(num_labels, seed, FloatDType::F32, device)
    }

    /// Like [`load`](Self::load), in another precision. Each parameter is converted when it is moved to the device.
    ///
    /// With BF16, the weights of linear layers and embeddings are in bf16, and all other parameters and the head are in
    /// f32. The model then computes in f32, except for the products with these weights, and an adapter can be attached
    /// and trained. With F16, all parameters are in f16, for inference.
    ///
    /// # Errors
    ///
    /// The errors of [`load`](Self::load). Also returns [`ModelError::NoDtype`] if the device does not support the dtype.
    pub fn load_as<M: PretrainedModel>(
        &self,
        num_labels: Option<usize>,
        seed: u64,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Loaded<M>, ModelError> {
        self.check_dtype(dtype, device)?;
        let config = self.configuration::<M>(num_labels, device)?;
        let table = M::keys(&config);
        let model = M::skeleton(&config, device);
        let entries = layout::entries(&model, &table.naming);
        let renamed = table.in_memory.map(|naming| layout::entries(&model, &naming)).unwrap_or_default();
        let tied = self.config_of::<M::Config>()?.is_tied();
        let Assigned { mut stored, left_out } = self.assign(&entries, &renamed, table, tied)?;
        let initialized = self.missing(&entries, &stored, table)?;
        for entry in &entries {
            if let Some((key, tensor)) = stored.get(entry.name.as_str()) {
                check(entry, key, tensor, table)?;
            }
        }
        let dtype_of = |entry: &Entry| match dtype {
            FloatDType::BF16 if table.head.iter().any(|module| keys::within(&entry.name, module)) => FloatDType::F32,
            FloatDType::BF16 => layout::rounded(entry),
            dtype => dtype,
        };
        let model = layout::replace_as(model, &table.naming, dtype_of, |entry| {
            Ok(Some(match stored.remove(entry.name.as_str()) {
                Some((key, tensor)) => tensor.floats_within(key, dtype)?,
                None => draw(entry, &config, seed),
            }))
        })?;
        Ok(Loaded { model, initialized, left_out })
    }

    /// Reinitialize the parameters of `loaded` that the checkpoint lacks, with `num_labels` labels and from `seed`.
    /// All other tensors are shared. If `new_head` is set, the checkpoint's own head is also replaced, as with
    /// `ignore_mismatched_sizes` of transformers.
    ///
    /// `loaded` must come from [`load`](Self::load) on this checkpoint. The result is the same as that of `load`, but
    /// the checkpoint is not read again.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if the number of labels is invalid; [`ModelError::Shape`] if the checkpoint has a head with
    /// a different number of labels.
    pub fn redraw<M: PretrainedModel>(
        &self,
        loaded: &Loaded<M>,
        (num_labels, new_head): (Option<usize>, bool),
        seed: u64,
        device: &Device,
    ) -> Result<Loaded<M>, ModelError> {
        let config = self.configuration::<M>(num_labels, device)?;
        let keys = M::keys(&config);
        let naming = &keys.naming;
        let is_new = |name: &str| new_head && keys.task_head.iter().any(|head| layout::within(name, head));
        let dropped = layout::entries(&loaded.model, naming).into_iter().map(|entry| entry.name);
        let dropped = dropped.filter(|name| is_new(name) && !loaded.initialized.contains(name));
        let initialized: Vec<String> = loaded.initialized.iter().cloned().chain(dropped).collect();
        let model = M::skeleton(&config, device);
        let stored = layout::entries(&loaded.model, naming);
        for (entry, stored) in layout::entries(&model, naming).iter().zip(&stored) {
            if entry.shape != stored.shape && !initialized.contains(&entry.name) {
                return Err(ModelError::Shape {
                    path: self.path.clone(),
                    key: entry.name.clone(),
                    expected: entry.shape.clone(),
                    found: stored.shape.clone(),
                    help: OWN_HEAD,
                });
            }
        }
        let model = layout::adopt(model, &loaded.model, naming, |entry| !initialized.contains(&entry.name));
        let model = layout::replace(model, naming, |entry| {
            Ok::<_, ModelError>(initialized.contains(&entry.name).then(|| draw(entry, &config, seed)))
        })?;
        Ok(Loaded { model, initialized, left_out: loaded.left_out.clone() })
    }

    /// The configuration of a model, with `num_labels` labels if it is given.
    ///
    /// If the configuration ties parameters and the files have different tensors for them, the result is untied, as in
    /// transformers 5.
    fn configuration<M: PretrainedModel>(
        &self,
        num_labels: Option<usize>,
        device: &Device,
    ) -> Result<M::Config, ModelError> {
        let mut config = self.config_of::<M::Config>()?.clone();
        M::check_config(&config, &self.path.join("config.json"))?;
        if config.is_tied() {
            let untied = config.clone().untied();
            let table = M::keys(&untied);
            if !table.tied.is_empty()
                && self.differs(table, &layout::entries(&M::skeleton(&untied, device), &table.naming))?
            {
                config = untied;
            }
        }
        let Some(num_labels) = num_labels else { return Ok(config) };
        let config = config.with_num_labels(num_labels, &self.path)?;
        config.validate(&self.path)?;
        Ok(config)
    }

    /// Check that the device supports a dtype.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoDtype`] if it does not.
    pub fn check_dtype(&self, dtype: FloatDType, device: &Device) -> Result<(), ModelError> {
        if device.supports_dtype(DType::from(dtype)) {
            Ok(())
        } else {
            Err(ModelError::NoDtype { dtype: format!("{dtype:?}"), device: format!("{device:?}") })
        }
    }
}
