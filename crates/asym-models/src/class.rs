//! Selects the model class of a checkpoint at run time.

use crate::bart::{BartClassifier, BartLanguageModel};
use crate::llama::LlamaLanguageModel;
use crate::roberta::{MaskedLanguageModel, SequenceClassifier};
use crate::vit::VitClassifier;
use crate::{Checkpoint, Config, PretrainedModel};

/// The classes of models that a checkpoint can be loaded into.
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
            Self::ConditionalGeneration => action.with::<BartLanguageModel>(),
            Self::ConditionalClassifier => action.with::<BartClassifier>(),
        }
    }
}

impl Checkpoint {
    /// The class of this checkpoint, by its family and its head.
    ///
    /// With an adapter, `saved_whole` lists the modules that the adapter fully saves, which may include a head. An
    /// adapter on a BERT or a RoBERTa is for classification.
    pub fn class(&self, saved_whole: Option<&[String]>) -> ModelClass {
        let saved = |name: &str| {
            let is = |module: &String| module == name || module.ends_with(&format!(".{name}"));
            saved_whole.is_some_and(|modules| modules.iter().any(is))
        };
        match self.config() {
            Config::Encoder(_) if self.is_masked_language_model() && saved_whole.is_none() => {
                ModelClass::MaskedLanguageModel
            }
            Config::Bart(_) if self.has("classification_head") || saved("classification_head") => {
                ModelClass::ConditionalClassifier
            }
            config => config.class(),
        }
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
