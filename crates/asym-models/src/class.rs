//! Which model a checkpoint is made into, where nobody's types say so.

use crate::bart::{BartClassifier, BartLanguageModel};
use crate::llama::LlamaLanguageModel;
use crate::roberta::{MaskedLanguageModel, SequenceClassifier};
use crate::vit::VitClassifier;
use crate::{Checkpoint, Config, PretrainedModel};

/// The models that a checkpoint can be made into.
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

/// Something that is done with a model of whatever class.
pub trait WithModel {
    /// What comes of it.
    type Output;

    /// Do it.
    fn with<M: PretrainedModel>(self) -> Self::Output;
}

impl ModelClass {
    /// Call `action` with this class.
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
    /// The class that this checkpoint is of, by its family and its head, or by the heads that an adapter brings: the modules
    /// that it saves whole, where there is an adapter. What an adapter on a BERT or RoBERTa is for is classification.
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
    /// The class that is fine-tuned of this family, where nothing but the configuration is known.
    pub fn class(&self) -> ModelClass {
        match self {
            Self::Encoder(_) => ModelClass::SequenceClassifier,
            Self::Vit(_) => ModelClass::ImageClassifier,
            Self::Llama(_) => ModelClass::CausalLanguageModel,
            Self::Bart(_) => ModelClass::ConditionalGeneration,
        }
    }
}
