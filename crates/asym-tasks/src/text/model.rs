//! Classifiers of texts, for all families of models.

use asym_models::{
    BartClassifier, BartInput, EncoderInput, LlamaClassifier, LlamaInput, ModelClass, Padding, PretrainedModel,
    SequenceClassifier,
};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

/// A classifier of texts.
#[allow(clippy::large_enum_variant, reason = "a command has only one classifier")]
#[derive(Clone, Debug)]
pub enum TextClassifier {
    /// BERT or RoBERTa.
    Encoder(SequenceClassifier),
    /// Llama.
    Llama(LlamaClassifier),
    /// BART.
    Bart(BartClassifier),
}

/// Loads a classifier of any class.
pub trait LoadClassifier {
    /// The error.
    type Error;

    /// Load the model of class `M`.
    ///
    /// # Errors
    ///
    /// The errors of the implementation.
    fn load<M: PretrainedModel>(&self) -> Result<M, Self::Error>;
}

impl TextClassifier {
    /// Load the classifier of `class` with `loader`. A language model is loaded as the classifier of its family.
    ///
    /// # Errors
    ///
    /// The error of `loader`.
    pub fn load<L: LoadClassifier>(class: ModelClass, loader: &L) -> Result<Self, L::Error> {
        Ok(match class {
            ModelClass::CausalLanguageModel | ModelClass::CausalClassifier => Self::Llama(loader.load()?),
            ModelClass::ConditionalGeneration | ModelClass::ConditionalClassifier => Self::Bart(loader.load()?),
            // The loader refuses a model for images because of its family.
            ModelClass::SequenceClassifier | ModelClass::MaskedLanguageModel | ModelClass::ImageClassifier => {
                Self::Encoder(loader.load()?)
            }
        })
    }

    /// The same model for inference.
    pub fn valid(&self) -> Self {
        match self {
            Self::Encoder(model) => Self::Encoder(model.valid()),
            Self::Llama(model) => Self::Llama(model.valid()),
            Self::Bart(model) => Self::Bart(model.valid()),
        }
    }

    /// The maximum number of rows in a batch. Llama finds the end of a row by the padding token, so the maximum is 1 if there is
    /// no padding token.
    pub fn most_rows(&self) -> usize {
        match self {
            Self::Llama(model) if model.config().pad_token_id.is_none() => 1,
            _ => usize::MAX,
        }
    }

    /// The logits of texts, which are given as ids and token types: `[rows, labels]`.
    pub fn logits(&self, rows: &[(&[u32], &[u32])], device: &Device) -> Tensor<2> {
        match self {
            Self::Encoder(model) => model.forward(EncoderInput::padded(rows, Padding::from(model.config()), device)),
            Self::Llama(model) => {
                let (input_ids, mask) = padded(rows, model.config().pad_token_id.unwrap_or_default(), device);
                model.forward(LlamaInput { input_ids, attention_mask: mask })
            }
            Self::Bart(model) => {
                let (input_ids, attention_mask) = padded(rows, model.config().pad_token_id, device);
                model.forward(BartInput {
                    input_ids,
                    attention_mask,
                    decoder_input_ids: None,
                    decoder_attention_mask: None,
                })
            }
        }
    }
}

/// Ids and mask of rows, padded on the right.
fn padded(rows: &[(&[u32], &[u32])], pad_id: usize, device: &Device) -> (Tensor<2, Int>, Option<Tensor<2, Int>>) {
    let EncoderInput { input_ids, attention_mask, .. } =
        EncoderInput::padded(rows, Padding { pad_id, token_types: false }, device);
    (input_ids, attention_mask)
}
