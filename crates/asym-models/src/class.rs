//! Selects the model class of a checkpoint at run time.

use std::path::Path;

use asym_core::AdapterPurpose;

use crate::bart::{BartClassifier, BartLanguageModel};
use crate::llama::{LlamaClassifier, LlamaLanguageModel};
use crate::purpose::{Purpose, of_adapter};
use crate::roberta::{MaskedLanguageModel, SequenceClassifier};
use crate::vit::VitClassifier;
use crate::{Checkpoint, Config, ModelError, PretrainedModel};

/// The model classes that a checkpoint can be loaded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelClass {
    /// [`SequenceClassifier`].
    SequenceClassifier,
    /// [`MaskedLanguageModel`].
    MaskedLanguageModel,
    /// [`VitClassifier`].
    ImageClassifier,
    /// [`LlamaLanguageModel`].
    CausalLanguageModel,
    /// [`LlamaClassifier`].
    CausalClassifier,
    /// [`BartLanguageModel`].
    ConditionalGeneration,
    /// [`BartClassifier`].
    ConditionalClassifier,
}

/// An operation that is generic over the class of the model.
pub trait WithModel {
    /// The result of the operation.
    type Output;

    /// Run the operation with the model type `M`.
    fn with<M: PretrainedModel>(self) -> Self::Output;
}

impl ModelClass {
    /// Run `action` with the model type of this class.
    pub fn visit<A: WithModel>(self, action: A) -> A::Output {
        match self {
            Self::SequenceClassifier => action.with::<SequenceClassifier>(),
            Self::MaskedLanguageModel => action.with::<MaskedLanguageModel>(),
            Self::ImageClassifier => action.with::<VitClassifier>(),
            Self::CausalLanguageModel => action.with::<LlamaLanguageModel>(),
            Self::CausalClassifier => action.with::<LlamaClassifier>(),
            Self::ConditionalGeneration => action.with::<BartLanguageModel>(),
            Self::ConditionalClassifier => action.with::<BartClassifier>(),
        }
    }
}

impl Checkpoint {
    /// The class of this checkpoint. It depends on the family, `architectures` and the head.
    ///
    /// If an adapter is given, its purpose is used instead of `architectures`: its task type, the class of its base
    /// model, or a head among the modules that it saves. The folder is used only in messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::OtherTask`] if the checkpoint or the adapter is for a task that asym does not support.
    pub fn class(&self, adapter: Option<(&Path, &AdapterPurpose)>) -> Result<ModelClass, ModelError> {
        let saved = |name: &str| {
            let is = |module: &String| module == name || module.ends_with(&format!(".{name}"));
            adapter.is_some_and(|(_, purpose)| purpose.modules_to_save.iter().any(is))
        };
        let purpose = match adapter {
            Some((folder, purpose)) => match of_adapter(purpose) {
                Some(Purpose::Other(task)) => {
                    return Err(ModelError::of_task(&folder.join("adapter_config.json"), purpose_name(purpose), task));
                }
                Some(Purpose::Bare) if !saved("classifier") && !saved("score") && !saved("classification_head") => {
                    let task = "an adapter of the model without a head";
                    return Err(ModelError::of_task(&folder.join("adapter_config.json"), purpose_name(purpose), task));
                }
                other => other,
            },
            None => match self.purpose() {
                Some(Purpose::Other(task)) => {
                    let found = ("architectures", self.architecture().unwrap_or_default().to_string());
                    return Err(ModelError::of_task(&self.path().join("config.json"), found, task));
                }
                other => other,
            },
        };
        let is_classifier = match self.config() {
            Config::Vit(_) => return Ok(ModelClass::ImageClassifier),
            Config::Encoder(_) if saved("classifier") || saved("score") => true,
            Config::Encoder(_) => match purpose {
                Some(Purpose::Classifier) => true,
                Some(Purpose::LanguageModel) => !(self.has("lm_head") || self.has("cls.predictions")),
                _ => !self.is_masked_language_model(),
            },
            Config::Bart(_) => self.is_classifier("classification_head", saved("classification_head"), purpose),
            Config::Llama(_) => self.is_classifier("score", saved("score"), purpose),
        };
        Ok(match (self.config(), is_classifier) {
            (Config::Encoder(_), false) => ModelClass::MaskedLanguageModel,
            (Config::Bart(_), true) => ModelClass::ConditionalClassifier,
            (Config::Llama(_), true) => ModelClass::CausalClassifier,
            (config, _) => config.class(),
        })
    }

    /// Whether a model that is either a language model or a classifier is a classifier. `head` is the classifier's head,
    /// and `saved` is whether an adapter saves it.
    fn is_classifier(&self, head: &str, saved: bool, purpose: Option<Purpose>) -> bool {
        match purpose {
            _ if saved => true,
            Some(Purpose::Classifier) => true,
            Some(Purpose::LanguageModel) => false,
            _ => self.has(head),
        }
    }
}

/// The field that specifies an adapter's purpose, and its value.
fn purpose_name(adapter: &AdapterPurpose) -> (&'static str, String) {
    match (&adapter.task_type, &adapter.base_class) {
        (Some(task), _) => ("task_type", task.clone()),
        (None, class) => ("base_model_class", class.clone().unwrap_or_default()),
    }
}

impl Config {
    /// The default class of this family for fine-tuning.
    pub fn class(&self) -> ModelClass {
        match self {
            Self::Encoder(_) => ModelClass::SequenceClassifier,
            Self::Vit(_) => ModelClass::ImageClassifier,
            Self::Llama(_) => ModelClass::CausalLanguageModel,
            Self::Bart(_) => ModelClass::ConditionalGeneration,
        }
    }
}
