//! The purpose of a checkpoint or an adapter, according to the class in `architectures` or PEFT's task type.

use std::path::Path;

use asym_core::AdapterPurpose;
use serde::Deserialize;
use serde_json::Value;

use crate::ModelError;

/// The purpose of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A classifier of texts or images.
    Classifier,
    /// A language model, masked or not.
    LanguageModel,
    /// The model without a head.
    Bare,
    /// A task that asym does not support, with a description for messages.
    Other(&'static str),
}

/// The purposes of transformers' model classes, by the suffixes of their names.
const CLASSES: &[(&str, Purpose)] = &[
    ("ForSequenceClassification", Purpose::Classifier),
    ("ForImageClassification", Purpose::Classifier),
    ("ForMaskedLM", Purpose::LanguageModel),
    ("ForPreTraining", Purpose::LanguageModel),
    ("ForConditionalGeneration", Purpose::LanguageModel),
    ("ForCausalLM", Purpose::LanguageModel),
    ("Model", Purpose::Bare),
    ("ForTokenClassification", Purpose::Other("a token classifier, which labels each token")),
    ("ForQuestionAnswering", Purpose::Other("an extractive question-answering model")),
    ("ForMultipleChoice", Purpose::Other("a multiple-choice classifier")),
    ("ForNextSentencePrediction", Purpose::Other("a next-sentence classifier")),
    ("ForMaskedImageModeling", Purpose::Other("a masked image model")),
];

/// The purposes of PEFT's task types.
const TASK_TYPES: &[(&str, Purpose)] = &[
    ("SEQ_CLS", Purpose::Classifier),
    ("CAUSAL_LM", Purpose::LanguageModel),
    ("SEQ_2_SEQ_LM", Purpose::LanguageModel),
    ("TOKEN_CLS", Purpose::Other("a token classifier, which labels each token")),
    ("QUESTION_ANS", Purpose::Other("an extractive question-answering model")),
    ("FEATURE_EXTRACTION", Purpose::Bare),
];

/// The purpose of the class `name`, if it is known.
pub(crate) fn of_class(name: &str) -> Option<Purpose> {
    CLASSES.iter().find(|(end, _)| name.ends_with(end)).map(|(_, purpose)| *purpose)
}

/// The purpose of an adapter according to its task type, or else to the class of its base model.
pub(crate) fn of_adapter(adapter: &AdapterPurpose) -> Option<Purpose> {
    let named = |name: &String| TASK_TYPES.iter().find(|(known, _)| known == name).map(|(_, purpose)| *purpose);
    adapter.task_type.as_ref().and_then(named).or_else(|| of_class(adapter.base_class.as_deref()?))
}

/// The parts of a `config.json` that concern the whole checkpoint.
#[derive(Debug, Default, Deserialize)]
struct Header {
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    quantization_config: Option<Value>,
}

/// Read the first class in `architectures`, and refuse a quantized checkpoint. `path` is that of the `config.json`.
pub(crate) fn architecture(text: &str, path: &Path) -> Result<Option<String>, ModelError> {
    // If the text is invalid, parsing the configuration returns the error.
    let header: Header = serde_json::from_str(text).unwrap_or_default();
    match header.quantization_config.filter(|found| !found.is_null()) {
        Some(found) => {
            let text = |key: &str| found.get(key).and_then(Value::as_str);
            let bits = [("load_in_4bit", "4 bits"), ("load_in_8bit", "8 bits")];
            let bits = bits.into_iter().find(|(key, _)| found.get(key) == Some(&Value::Bool(true)));
            let method =
                text("quant_method").unwrap_or(if bits.is_some() { "bitsandbytes" } else { "an unnamed method" });
            let bits = bits.map_or_else(String::new, |(_, bits)| format!(" to {bits}"));
            Err(ModelError::Quantized { path: path.into(), method: format!("{method}{bits}") })
        }
        None => Ok(header.architectures.and_then(|names| names.into_iter().next())),
    }
}
