//! Llama with a classifier on the last token.

use std::path::Path;

use asym_core::AdaptedLinear;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Llama, LlamaConfig, LlamaInput};
use crate::blocks::zero_linear_with;
use crate::config::at_least_one;
use crate::inputs::{INPUT_IDS, ModelInput};
use crate::{KeyTable, ModelError, PretrainedModel};

/// `LlamaForSequenceClassification`.
pub const LLAMA_CLASSIFIER: KeyTable = KeyTable {
    architecture: "LlamaForSequenceClassification",
    head: &["score"],
    task_head: &["score"],
    dropped: &["lm_head"],
    tied: &[],
    ..super::LLAMA_LANGUAGE_MODEL
};

/// `LlamaForSequenceClassification`: a classifier of the state of the last token that is not padding.
#[derive(Module, Debug)]
pub struct LlamaClassifier {
    model: Llama,
    score: AdaptedLinear,
}

impl LlamaClassifier {
    /// The logits of each sequence.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, labels]`
    ///
    /// # Panics
    ///
    /// May panic on a batch that [`PretrainedModel::check_input`] refuses.
    pub fn forward(&self, input: LlamaInput) -> Tensor<2> {
        let [batch, length] = input.input_ids.dims();
        let last = last_tokens(&input.input_ids, self.model.config.pad_token_id);
        let places: Vec<i64> = last.iter().enumerate().map(|(row, last)| (row * length + last) as i64).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [batch]), &input.input_ids.device());
        self.score.forward(self.model.states_at(input, places)) // [batch, labels]
    }

    /// The model below the head.
    pub fn backbone(&self) -> &Llama {
        &self.model
    }
}

/// The column of the last token in each row that is not the padding token. It is 0 in a row of only padding, as in
/// transformers.
fn last_tokens(ids: &Tensor<2, Int>, pad: Option<usize>) -> Vec<usize> {
    let [_, length] = ids.dims();
    let ids: Vec<i64> = ids.to_data().iter::<i64>().collect();
    let last = |row: &[i64]| match pad {
        Some(pad) => row.iter().rposition(|id| *id != pad as i64).unwrap_or(0),
        None => length - 1,
    };
    ids.chunks(length).map(last).collect()
}

impl PretrainedModel for LlamaClassifier {
    type Config = LlamaConfig;
    type Input = LlamaInput;

    fn skeleton(config: &LlamaConfig, device: &Device) -> Self {
        let score = zero_linear_with(config.hidden_size, config.labels.len(), false, device);
        Self { model: Llama::skeleton(config, device), score }
    }
    fn keys(_config: &LlamaConfig) -> &'static KeyTable {
        &LLAMA_CLASSIFIER
    }
    fn config(&self) -> &LlamaConfig {
        &self.model.config
    }
    fn check_config(config: &LlamaConfig, path: &Path) -> Result<(), ModelError> {
        at_least_one(path, &[("id2label", config.labels.len())])
    }
    fn check_input(input: &LlamaInput, config: &LlamaConfig) -> Result<(), ModelError> {
        input.check(config)?;
        match (input.input_ids.dims(), config.pad_token_id) {
            ([rows, _], None) if rows > 1 => Err(ModelError::Input {
                key: INPUT_IDS,
                expected: "one row, since config.json has no pad_token_id to find the last token of each row".into(),
                found: rows.to_string(),
            }),
            _ => Ok(()),
        }
    }
    fn logits(&self, input: LlamaInput) -> TensorData {
        self.forward(input).into_data()
    }
}
