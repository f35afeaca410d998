//! Answers of a trained text classifier, outside of a training loop.

use asym_models::{ModelError, check_logits};
use asym_train::Order;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor};

use super::model::TextClassifier;
use super::target::{Problem, Target};
use crate::base::Base;
use crate::error::TaskError;

/// A text, or a pair of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text, or the first of a pair.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
}

/// A model's answer for one text or pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The most likely class, the labels with a probability above one half, or the score.
    pub prediction: Target,
    /// A probability per class or label; empty for a score.
    pub probabilities: Vec<f32>,
}

/// A model with its tokenizer.
pub struct Predictor<'a> {
    base: &'a Base,
    model: TextClassifier,
    problem: Problem,
    max_length: usize,
    batch_size: usize,
    device: &'a Device,
}

impl<'a> Predictor<'a> {
    /// Create a predictor for `model`, which was loaded from `base` for this `problem`. Texts are truncated to `max_length`
    /// tokens and processed in batches of `batch_size`.
    ///
    /// # Errors
    ///
    /// A tokenizer or a length that does not fit the model; a batch size of 0.
    pub fn new(
        base: &'a Base,
        (model, problem): (TextClassifier, Problem),
        max_length: usize,
        batch_size: usize,
        device: &'a Device,
    ) -> Result<Self, TaskError> {
        base.tokenizer()?.check(&base.limits()?, max_length)?;
        if batch_size == 0 {
            let field = "batch_size";
            return Err(asym_train::TrainError::Setting { field, found: 0.0, expected: "at least 1" }.into());
        }
        let batch_size = batch_size.min(model.most_rows());
        Ok(Self { base, model: model.valid(), problem, max_length, batch_size, device })
    }

    /// The answers, in the order of `texts`. `passed` is called after each batch with the number of finished texts.
    ///
    /// # Errors
    ///
    /// A text that cannot be encoded, or whose logits are not finite.
    pub fn answers(&self, texts: &[Text], mut passed: impl FnMut(usize)) -> Result<Vec<Answer>, TaskError> {
        let tokenizer = self.base.tokenizer()?;
        let encode = |(at, text): (usize, &Text)| {
            let encoding = tokenizer.encode(&text.first, text.second.as_deref(), self.max_length);
            encoding.map_err(|source| TaskError::Text { number: at + 1, source })
        };
        let encoded = texts.iter().enumerate().map(encode).collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<usize> = encoded.iter().map(|text| text.input_ids.len()).collect();
        let mut found: Vec<Option<Answer>> = vec![None; texts.len()];
        let mut done = 0;
        // Sorted by length, batches need less padding. The longest texts come first, so a batch that does not fit in memory fails
        // immediately.
        for indices in Order::ByLength.batches(&lengths, self.batch_size, 0) {
            let rows: Vec<(&[u32], &[u32])> = indices
                .iter()
                .map(|index| (encoded[*index].input_ids.as_slice(), encoded[*index].type_ids.as_slice()))
                .collect();
            let logits = self.model.logits(&rows, self.device); // [batch, outputs]
            check_logits(&logits.to_data()).map_err(|error| of_text(error, &indices))?;
            let [_, outputs] = logits.dims();
            let probabilities = match self.problem {
                Problem::Classes => Some(softmax(logits.clone(), 1)),
                Problem::Labels => Some(sigmoid(logits.clone())),
                Problem::Score => None,
            };
            let probabilities: Vec<f32> =
                probabilities.map(|all| all.into_data().iter::<f32>().collect()).unwrap_or_default();
            for (row, (index, prediction)) in indices.iter().zip(predictions(logits, self.problem)).enumerate() {
                let probabilities = probabilities.chunks(outputs).nth(row).unwrap_or_default().to_vec();
                found[*index] = Some(Answer { prediction, probabilities });
            }
            done += indices.len();
            passed(done);
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// Convert the error of a row of a batch into the error of the text in this row. `indices` are the texts of the batch.
fn of_text(error: ModelError, indices: &[usize]) -> ModelError {
    match error {
        ModelError::Logits { row, found } => {
            ModelError::Logits { row: indices.get(row - 1).map_or(row, |index| index + 1), found }
        }
        other => other,
    }
}

/// The answers for logits `[batch, outputs]`: the most likely class of each row, the labels whose sigmoid is above one half, or
/// the first value as a score.
pub(super) fn predictions(logits: Tensor<2>, problem: Problem) -> Vec<Target> {
    let [_, outputs] = logits.dims();
    match problem {
        Problem::Classes => {
            logits.argmax(1).into_data().iter::<i64>().map(|class| Target::Class(class as usize)).collect()
        }
        Problem::Score => logits.into_data().iter::<f32>().step_by(outputs.max(1)).map(Target::Score).collect(),
        Problem::Labels => {
            let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
            let labels = |row: &[f32]| (0..outputs).filter(|label| row[*label] > 0.0).collect();
            logits.chunks(outputs.max(1)).map(|row| Target::Labels(labels(row))).collect()
        }
    }
}
