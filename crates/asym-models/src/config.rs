//! `config.json` of any family: the shared keys and functions, and the selection of the family.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::bart::BartConfig;
use crate::error::refuse;
use crate::json::JsonObject;
use crate::llama::LlamaConfig;
use crate::roberta::config::EncoderConfig;
use crate::vit::VitConfig;
use crate::{Activation, ModelError};

/// The part of [`ModelConfig`] that is the same for every model with a vocabulary and a word embedding that may be tied.
macro_rules! of_tokens {
    () => {
        fn is_tied(&self) -> bool {
            self.tie_word_embeddings
        }

        fn untied(self) -> Self {
            Self { tie_word_embeddings: false, ..self }
        }

        fn vocabulary(&self) -> Option<usize> {
            Some(self.vocab_size)
        }

        fn with_vocabulary(self, rows: usize) -> Self {
            Self { vocab_size: rows, ..self }
        }
    };
}
pub(crate) use of_tokens;

/// The configuration of a model, in which every setting has a value.
///
/// Keys may be absent in the file, which is the `HuggingFaceConfig` in the module of each model.
pub trait ModelConfig: InFamily + Clone + Debug + PartialEq {
    /// The name of the family in messages.
    const FAMILY: &'static str;

    /// The keys of `config.json`.
    type File: DeserializeOwned;

    /// Create the configuration from a file, with transformers' defaults for absent keys. `path` is used only in
    /// messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if a size is missing, or if a setting is not supported.
    fn resolve(file: &Self::File, path: &Path) -> Result<Self, ModelError>;

    /// Parse the text of a `config.json`. `path` is used only in messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Json`] if the text cannot be parsed; otherwise as [`resolve`](Self::resolve).
    fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        let file = serde_json::from_str(text)
            .map_err(|source| ModelError::Json { path: path.into(), source: source.into() })?;
        Self::resolve(&file, path)
    }

    /// Check that a model can be built.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`], with `path` as its file, if a setting is invalid.
    fn validate(&self, path: &Path) -> Result<(), ModelError>;

    /// Convert the configuration to the JSON of a `config.json` that transformers 4 and 5 can read.
    ///
    /// # Errors
    ///
    /// Returns the error of the serialization, which no configuration of this crate causes.
    fn to_hugging_face(
        &self,
        architecture: &str,
        dtype: &str,
    ) -> Result<JsonObject, Box<dyn std::error::Error + Send + Sync>>;

    /// Standard deviation of randomly initialized weights.
    fn initializer_range(&self) -> f64;

    /// The padding row of the embedding `name`, which is initialized with zeros.
    fn padding_row(&self, _name: &str) -> Option<usize> {
        None
    }

    /// Whether the model ties parameters, such as the word embedding and the head.
    fn is_tied(&self) -> bool {
        false
    }

    /// The same configuration without tied parameters.
    fn untied(self) -> Self {
        self
    }

    /// The number of rows of the word embedding, if the model has one.
    fn vocabulary(&self) -> Option<usize> {
        None
    }

    /// The same configuration with this number of rows in the word embedding.
    fn with_vocabulary(self, _rows: usize) -> Self {
        self
    }
}

/// The methods that have the same implementation for every family.
pub trait InFamily: Sized {
    /// This family's configuration, if `config` belongs to the family.
    fn of(config: &Config) -> Option<&Self>;

    /// The names of a classifier's labels, in the order of its logits.
    fn labels(&self) -> &[String];

    /// Set the number of labels. If it changes, the labels get the default names of transformers. `path` is used only in
    /// messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] for more than a million labels.
    fn with_num_labels(self, num_labels: usize, path: &Path) -> Result<Self, ModelError>;
}

/// Defines the families, each with its variant and its values of `model_type`.
macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident($config:ty): $($model_type:literal),+;)+) => {
        /// The configuration in a checkpoint's `config.json`, of any family.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Config {
            $($(#[$doc])* $variant($config),)+
        }

        $(impl InFamily for $config {
            fn of(config: &Config) -> Option<&Self> {
                match config {
                    Config::$variant(config) => Some(config),
                    _ => None,
                }
            }

            fn labels(&self) -> &[String] {
                &self.labels
            }

            fn with_num_labels(self, num_labels: usize, path: &Path) -> Result<Self, ModelError> {
                Ok(Self { labels: relabeled(self.labels, num_labels, path)?, ..self })
            }
        })+

        impl Config {
            /// The supported values of `model_type`.
            pub const MODEL_TYPES: &'static [&'static str] = &[$($($model_type),+),+];

            /// Parse the text of a `config.json`. `path` is used only in messages.
            ///
            /// # Errors
            ///
            /// The errors of [`ModelConfig::parse`]. Also returns an error if `model_type` is not one of
            /// [`MODEL_TYPES`](Self::MODEL_TYPES).
            pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
                #[derive(Deserialize)]
                struct Kind {
                    model_type: Option<String>,
                }
                let json = |source: serde_json::Error| ModelError::Json { path: path.into(), source: source.into() };
                let kind: Kind = serde_json::from_str(text).map_err(json)?;
                match kind.model_type.as_deref() {
                    $($(Some($model_type))|+ => Ok(Self::$variant(<$config as ModelConfig>::parse(text, path)?)),)+
                    other => {
                        let known = Self::MODEL_TYPES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                        Err(refuse(path, "model_type", known.join(", "), quoted(other)))
                    }
                }
            }

            /// The names of a classifier's labels, in the order of its logits.
            pub fn labels(&self) -> &[String] {
                match self {
                    $(Self::$variant(config) => InFamily::labels(config),)+
                }
            }

            /// The keys of `config.json` that asym does not use.
            pub fn other(&self) -> &JsonObject {
                match self {
                    $(Self::$variant(config) => &config.other,)+
                }
            }

            /// The number of rows of the word embedding, if the model has one.
            pub fn vocabulary(&self) -> Option<usize> {
                match self {
                    $(Self::$variant(config) => ModelConfig::vocabulary(config),)+
                }
            }

            /// The name of the family in messages.
            pub const fn family(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$config as ModelConfig>::FAMILY,)+
                }
            }
        }
    };
}

families! {
    /// BERT, DistilBERT, RoBERTa, and the families that share RoBERTa's architecture.
    Encoder(EncoderConfig): "bert", "roberta", "xlm-roberta", "camembert", "distilbert";
    /// ViT.
    Vit(VitConfig): "vit";
    /// Llama and Llama 2.
    Llama(LlamaConfig): "llama";
    /// BART.
    Bart(BartConfig): "bart";
}

impl Config {
    /// Read `config.json`.
    ///
    /// # Errors
    ///
    /// [`ModelError::MissingFile`] or [`ModelError::Io`] if the file cannot be read; otherwise as
    /// [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        Self::parse(&read_text(path)?, path)
    }
}

/// The help for a file that contains the text of a symbolic link.
pub(crate) const LINK: &str = "the path contains only the text of a symbolic link, because the Hub's cache was copied without its links; copy the \
    cache with its links, or download the model again";

/// Whether the bytes of a file are the text of a symbolic link of the Hub's cache.
pub(crate) fn is_link(bytes: &[u8]) -> bool {
    bytes.len() < 256 && bytes.starts_with(b"../../blobs/")
}

/// The text of a `config.json`.
pub(crate) fn read_text(path: &Path) -> Result<String, ModelError> {
    match std::fs::read_to_string(path) {
        Ok(text) if is_link(text.as_bytes()) => Err(ModelError::MissingFile { path: path.into(), help: LINK }),
        // Editors on Windows begin a file with a byte order mark.
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(ToString::to_string).unwrap_or(text)),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let help = if path.with_file_name("adapter_config.json").exists() {
                "this folder contains an adapter; pass it as --adapter, and its base model as --model"
            } else {
                "a checkpoint is a folder with config.json and model.safetensors"
            };
            Err(ModelError::MissingFile { path: path.into(), help })
        }
        Err(source) => Err(ModelError::Io { path: path.into(), source }),
    }
}

/// The maximum number of blocks. It is larger than in any published model, and small enough that a damaged
/// configuration does not exhaust the memory.
pub(crate) const MAX_LAYERS: usize = 1000;

/// The maximum of every size.
const MAX_SIZE: usize = 1 << 26;

/// The keys that every family has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys are documented by transformers")]
pub struct CommonFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<String>>,
    pub model_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie_word_embeddings: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "names")]
    pub id2label: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label2id: Option<JsonObject>,
    /// The dtype, as written by transformers 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// The dtype, as written by transformers 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torch_dtype: Option<String>,
    /// The keys that asym does not use, such as the ids of special tokens. They are kept and saved.
    #[serde(flatten)]
    pub other: JsonObject,
}

impl CommonFields {
    /// The keys in `config.json` of a saved model. They include `torch_dtype`, which transformers 4 and 5 read, but not
    /// `dtype`, which transformers 4 does not know.
    pub(crate) fn written(
        (architecture, model_type, dtype): (&str, &str, &str),
        tie_word_embeddings: Option<bool>,
        labels: &[String],
        other: &JsonObject,
    ) -> Self {
        let labels = || labels.iter().enumerate();
        // These are in alphabetical order.
        let ids: BTreeMap<String, Value> = labels().map(|(id, label)| (label.clone(), id.into())).collect();
        Self {
            architectures: Some(vec![architecture.into()]),
            model_type: Some(model_type.into()),
            tie_word_embeddings,
            num_labels: None,
            id2label: Some(labels().map(|(id, label)| (id.to_string(), label.clone())).collect()),
            label2id: Some(JsonObject(ids.into_iter().collect())),
            dtype: None,
            torch_dtype: Some(dtype.into()),
            other: other.clone(),
        }
    }

    /// The labels in `id2label`. If it is absent, the labels have default names and their number is `num_labels` or
    /// `default`.
    pub(crate) fn labels(&self, default: usize, path: &Path) -> Result<Vec<String>, ModelError> {
        let Some(names) = &self.id2label else {
            return relabeled(Vec::new(), self.num_labels.unwrap_or(default), path);
        };
        if let Some(found) = self.num_labels.filter(|count| *count != names.len()) {
            return Err(refuse(path, "num_labels", format!("{} as in id2label", names.len()), found));
        }
        // The map is ordered by strings, in which "10" comes before "2".
        (0..names.len())
            .map(|id| {
                let found = || names.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                let expected = || format!("the ids 0 to {}", names.len() - 1);
                names.get(&id.to_string()).cloned().ok_or_else(|| refuse(path, "id2label", expected(), found()))
            })
            .collect()
    }
}

/// Read the names of labels. Numbers and booleans, which some exporters write, are converted to names.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let values: Option<BTreeMap<String, Value>> = Option::deserialize(deserializer)?;
    let name = |(id, value): (String, Value)| match value {
        Value::String(name) => Ok((id, name)),
        Value::Number(number) => Ok((id, number.to_string())),
        Value::Bool(boolean) => Ok((id, boolean.to_string())),
        _ => {
            Err(serde::de::Error::custom(format!("the name of label {id} in id2label should be a string or a number")))
        }
    };
    values.map(|values| values.into_iter().map(name).collect()).transpose()
}

/// The maximum number of labels. It is larger than in any published data set.
const MAX_LABELS: usize = 1_000_000;

/// `labels`, or the default names of transformers if the number changes.
fn relabeled(labels: Vec<String>, num_labels: usize, path: &Path) -> Result<Vec<String>, ModelError> {
    if num_labels > MAX_LABELS {
        return Err(refuse(path, "num_labels", format!("at most {MAX_LABELS}"), num_labels));
    }
    Ok(if num_labels == labels.len() { labels } else { default_labels(num_labels) })
}

pub(crate) fn default_labels(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("LABEL_{id}")).collect()
}

pub(crate) fn quoted(value: Option<&str>) -> String {
    value.map_or_else(|| "nothing".into(), |value| format!("`{value}`"))
}

/// A required size.
pub(crate) fn size(path: &Path, key: &'static str, value: Option<usize>) -> Result<usize, ModelError> {
    value.ok_or_else(|| refuse(path, key, "a size", "nothing"))
}

/// The activation called `value`, or `default`.
pub(crate) fn activation(
    path: &Path,
    key: &'static str,
    value: Option<&str>,
    default: Activation,
) -> Result<Activation, ModelError> {
    match value {
        None => Ok(default),
        Some(name) => {
            Activation::named(name).ok_or_else(|| refuse(path, key, Activation::SUPPORTED, quoted(Some(name))))
        }
    }
}

/// Check that sizes are from 1 to [`MAX_SIZE`].
pub(crate) fn at_least_one(path: &Path, sizes: &[(&'static str, usize)]) -> Result<(), ModelError> {
    match sizes.iter().find(|(_, size)| !(1..=MAX_SIZE).contains(size)) {
        Some((key, 0)) => Err(refuse(path, key, "at least one", 0)),
        Some((key, found)) => Err(refuse(path, key, format!("at most {MAX_SIZE}"), found)),
        None => Ok(()),
    }
}

/// Check that there are at most [`MAX_LAYERS`] blocks.
pub(crate) fn few_layers(path: &Path, key: &'static str, layers: usize) -> Result<(), ModelError> {
    if layers > MAX_LAYERS {
        return Err(refuse(path, key, format!("at most {MAX_LAYERS}"), layers));
    }
    Ok(())
}

/// Check that the number of heads divides the number of features.
pub(crate) fn divides(
    path: &Path,
    (key, heads): (&'static str, usize),
    (of, features): (&str, usize),
) -> Result<(), ModelError> {
    if features.is_multiple_of(heads) {
        Ok(())
    } else {
        Err(refuse(path, key, format!("a divisor of {of} {features}"), heads))
    }
}

/// Check that an id is in the vocabulary.
pub(crate) fn is_token(path: &Path, key: &'static str, id: usize, vocab_size: usize) -> Result<(), ModelError> {
    if id < vocab_size { Ok(()) } else { Err(refuse(path, key, format!("an id below vocab_size {vocab_size}"), id)) }
}

/// Check that values are dropout probabilities in [0, 1).
pub(crate) fn probabilities(path: &Path, values: &[(&'static str, f64)]) -> Result<(), ModelError> {
    match values.iter().find(|(_, p)| !(0.0..1.0).contains(p)) {
        Some((key, found)) => Err(refuse(path, key, "a probability in [0, 1)", found)),
        None => Ok(()),
    }
}

/// Check that values are positive and finite.
pub(crate) fn positive(path: &Path, values: &[(&'static str, f64)]) -> Result<(), ModelError> {
    match values.iter().find(|(_, value)| !(*value > 0.0 && value.is_finite())) {
        Some((key, found)) => Err(refuse(path, key, "a positive number", found)),
        None => Ok(()),
    }
}
