//! A Hugging Face checkpoint: everything is checked, then a model is made of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use asym_core::layout::{self, Entry};
use burn::module::Module;
use burn::tensor::Device;

use crate::init::{self, draw};
use crate::keys::{self, DROPPED_BUFFERS, ENCODER_MODULES, KeyTable, OLD_NORM_NAMES};
use crate::weights::{self, Stored};
use crate::{EncoderConfig, Family, MaskedLanguageModel, ModelError, SequenceClassifier};

/// A model of this crate: what loading and saving need to know of it.
///
/// Sealed: a checkpoint's keys are known for the models of this crate.
pub trait EncoderModel: Module + sealed::Sealed {
    /// A model of this configuration whose parameters wait for their values.
    #[doc(hidden)]
    fn skeleton(config: &EncoderConfig, device: &Device) -> Self;

    /// What files call its parameters.
    fn keys(family: Family) -> &'static KeyTable;

    /// The configuration it was built from.
    fn config(&self) -> &EncoderConfig;

    /// A model drawn anew as transformers draws it, for training from nothing. Each parameter depends on `seed` and its
    /// name alone, not on the backend.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] where [`EncoderConfig::validate`] refuses.
    fn init(config: &EncoderConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        init::init(config, seed, device)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::SequenceClassifier {}
    impl Sealed for crate::MaskedLanguageModel {}
}

impl EncoderModel for SequenceClassifier {
    fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        Self::skeleton(config, device)
    }
    fn keys(family: Family) -> &'static KeyTable {
        KeyTable::classifier(family)
    }
    fn config(&self) -> &EncoderConfig {
        self.config()
    }
}

impl EncoderModel for MaskedLanguageModel {
    fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        Self::skeleton(config, device)
    }
    fn keys(family: Family) -> &'static KeyTable {
        KeyTable::masked_lm(family)
    }
    fn config(&self) -> &EncoderConfig {
        self.config()
    }
}

/// A model and what its checkpoint did not have.
#[derive(Debug, Clone)]
pub struct Loaded<M> {
    /// The model.
    pub model: M,
    /// The parameters of a head that the checkpoint lacks, by their names in files: drawn from the seed, to be trained.
    pub initialised: Vec<String>,
}

/// An opened checkpoint: its configuration, and its tensors mapped into memory.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    config: EncoderConfig,
    tensors: BTreeMap<String, Stored>,
}

impl Checkpoint {
    /// Open a folder with `config.json` and `model.safetensors`, or `model.safetensors.index.json` and its shards.
    ///
    /// # Errors
    ///
    /// A missing file or shard, a configuration that asym cannot build, a file that is not valid safetensors.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ModelError> {
        let folder = folder.as_ref();
        let config = EncoderConfig::read(&folder.join("config.json"))?;
        Ok(Self { path: folder.into(), config, tensors: weights::open_folder(folder)? })
    }

    /// Open a checkpoint that is compiled into the program: the text of `config.json` and the bytes of
    /// `model.safetensors`. `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_bytes(name: &str, config: &str, weights: impl Into<Cow<'static, [u8]>>) -> Result<Self, ModelError> {
        let path = PathBuf::from(name);
        let config = EncoderConfig::parse(config, &path.join("config.json"))?;
        let tensors = weights::open_bytes(weights.into(), path.join("model.safetensors"))?;
        Ok(Self { path, config, tensors })
    }

    /// The configuration in `config.json`.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Whether this checkpoint is a masked language model: it has that head and no classifier's.
    pub fn is_masked_language_model(&self) -> bool {
        let has = |head: &str| self.tensors.keys().any(|key| key.starts_with(head));
        (has("lm_head.") || has("cls.predictions.")) && !has("classifier.")
    }

    /// A sequence classifier, with as many labels as the configuration says or `num_labels`.
    ///
    /// A head that the checkpoint lacks is drawn from `seed` as transformers draws it, and reported.
    ///
    /// # Errors
    ///
    /// A key that is missing, unknown, there twice, or of another shape than the configuration says; a dtype that is not
    /// one of floats; a value that is not finite.
    pub fn sequence_classifier(
        &self,
        num_labels: Option<usize>,
        seed: u64,
        device: &Device,
    ) -> Result<Loaded<SequenceClassifier>, ModelError> {
        let mut config = self.config.clone();
        if let Some(num_labels) = num_labels {
            config = config.with_num_labels(num_labels);
            config.validate(&self.path)?;
        }
        self.load(&config, seed, device)
    }

    /// A masked language model; its head is drawn from `seed` where the checkpoint lacks it, and reported.
    ///
    /// # Errors
    ///
    /// As [`sequence_classifier`](Self::sequence_classifier), and a configuration that does not tie the decoder to the
    /// word embeddings.
    pub fn masked_language_model(&self, seed: u64, device: &Device) -> Result<Loaded<MaskedLanguageModel>, ModelError> {
        if !self.config.tie_word_embeddings {
            return Err(ModelError::Config {
                path: self.path.join("config.json"),
                key: "tie_word_embeddings",
                expected: "`true`".into(),
                found: "`false`".into(),
            });
        }
        self.load(&self.config, seed, device)
    }

    fn load<M: EncoderModel>(
        &self,
        config: &EncoderConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Loaded<M>, ModelError> {
        let table = M::keys(config.family);
        let model = M::skeleton(config, device);
        let entries = layout::entries(&model, &table.naming);
        let mut stored = self.assign(&entries, table)?;
        let initialised = self.missing(&entries, &stored, table)?;
        for entry in &entries {
            if let Some((key, tensor)) = stored.get(entry.name.as_str()) {
                check(entry, key, tensor, table)?;
            }
        }
        let model = layout::replace(model, &table.naming, |entry| {
            Ok(Some(match stored.remove(entry.name.as_str()) {
                Some((_, tensor)) => tensor.floats(),
                None => draw(entry, config, seed),
            }))
        })?;
        Ok(Loaded { model, initialised })
    }

    /// The tensor of each parameter: name -> (key in the file, tensor).
    fn assign(&self, entries: &[Entry], table: &KeyTable) -> Result<BTreeMap<String, (&str, &Stored)>, ModelError> {
        let wanted: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let mut assigned: BTreeMap<String, (&str, &Stored)> = BTreeMap::new();
        let mut unexpected = Vec::new();
        for (key, tensor) in &self.tensors {
            let name = self.canonical(key);
            if !wanted.contains(name.as_str()) {
                let dropped = table.dropped.iter().any(|module| keys::within(&name, module))
                    || DROPPED_BUFFERS.iter().any(|buffer| name.ends_with(&format!(".{buffer}")));
                if !dropped {
                    unexpected.push(key.clone());
                }
            } else if let Some((first, _)) = assigned.get(&name) {
                return Err(ModelError::DuplicateKey {
                    path: tensor.path.to_path_buf(),
                    first: first.to_string(),
                    second: key.clone(),
                    key: name,
                });
            } else {
                assigned.insert(name, (key, tensor));
            }
        }
        if unexpected.is_empty() {
            Ok(assigned)
        } else {
            Err(ModelError::UnexpectedKeys { path: self.path.clone(), keys: unexpected })
        }
    }

    /// A key as today's transformers writes it: with the family's prefix and with PyTorch's names for norms.
    fn canonical(&self, key: &str) -> String {
        let mut name = key.to_string();
        if ENCODER_MODULES.iter().any(|module| keys::within(key, module)) {
            name = format!("{}.{key}", self.config.family.model_type());
        }
        for (old, new) in OLD_NORM_NAMES {
            if let Some(module) = name.strip_suffix(old) {
                name = format!("{module}{new}");
            }
        }
        name
    }

    /// The parameters to initialise: those of head modules that are absent as a whole.
    fn missing(
        &self,
        entries: &[Entry],
        stored: &BTreeMap<String, (&str, &Stored)>,
        table: &KeyTable,
    ) -> Result<Vec<String>, ModelError> {
        let absent_heads: Vec<&str> =
            table.head.iter().copied().filter(|module| !stored.keys().any(|name| keys::within(name, module))).collect();
        let (initialised, missing): (Vec<String>, Vec<String>) = entries
            .iter()
            .map(|entry| entry.name.clone())
            .filter(|name| !stored.contains_key(name))
            .partition(|name| absent_heads.iter().any(|module| keys::within(name, module)));
        if missing.is_empty() {
            Ok(initialised)
        } else {
            Err(ModelError::MissingKeys { path: self.path.clone(), keys: missing })
        }
    }
}

/// Check shape, dtype and values of the tensor for a parameter.
fn check(entry: &Entry, key: &str, tensor: &Stored, table: &KeyTable) -> Result<(), ModelError> {
    if tensor.shape != entry.shape {
        let of_head = table.head.iter().any(|module| keys::within(&entry.name, module));
        return Err(ModelError::Shape {
            path: tensor.path.to_path_buf(),
            key: key.into(),
            expected: entry.shape.clone(),
            found: tensor.shape.clone(),
            help: if of_head { "; the checkpoint has a head of its own: keep its number of labels" } else { "" },
        });
    }
    tensor.check_floats(key)
}
