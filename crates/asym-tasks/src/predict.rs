//! Answers of a trained model for texts, without a loop of training around it.

use asym_models::SequenceClassifier;
use burn::module::Module;
use burn::tensor::Device;
use burn::tensor::activation::softmax;

use crate::base::Base;
use crate::batch::{Loader, Order, Padding};
use crate::error::TaskError;
use crate::table::{Example, Target};
use crate::train::{Trainee, answers};

/// A model with the tokenizer that belongs to it.
pub struct Predictor<'a> {
    base: &'a Base,
    trainee: Trainee,
    max_length: usize,
    batch_size: usize,
    device: &'a Device,
}

/// What a model answers for one text or pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The likeliest class, or the score.
    pub target: Target,
    /// A probability per class; for a score, nothing.
    pub probabilities: Vec<f32>,
}

impl<'a> Predictor<'a> {
    /// For `model`, which was made from `base`: texts are cut to `max_length` tokens and pass `batch_size` at a time.
    ///
    /// # Errors
    ///
    /// A tokenizer or a length that does not fit the model; a batch of nothing.
    pub fn new(
        base: &'a Base,
        model: SequenceClassifier,
        max_length: usize,
        batch_size: usize,
        device: &'a Device,
    ) -> Result<Self, TaskError> {
        base.tokenizer.check(&base.limits(), max_length)?;
        if batch_size == 0 {
            return Err(TaskError::ZeroBatchSize);
        }
        Ok(Self { base, trainee: Trainee { model: model.valid() }, max_length, batch_size, device })
    }

    /// The answers, in the order of `examples`. `passed` hears how many are done.
    ///
    /// # Errors
    ///
    /// A text that cannot be encoded, a batch that cannot be made.
    pub fn answers(&self, examples: &[Example], mut passed: impl FnMut(usize)) -> Result<Vec<Answer>, TaskError> {
        let encoded = self.base.tokenizer.encode_all(examples, self.max_length)?;
        let padding = Padding::from(&self.base.limits());
        // The longest first: less padding, and what does not fit in memory fails at once.
        let loader = Loader::new(encoded, self.batch_size, Order::ByLength, padding, self.device)?;
        let mut found: Vec<Option<Answer>> = vec![None; examples.len()];
        let mut done = 0;
        for batch in loader.epoch(0) {
            // Batches of what is in memory do not fail; the type is burn-train's.
            let batch = batch.map_err(|error| TaskError::Input { source: Box::new(error) })?;
            let logits = self.trainee.logits(&batch); // [batch, outputs]
            let [_, outputs] = logits.dims();
            let probabilities: Vec<f32> = match outputs {
                1 => Vec::new(),
                _ => softmax(logits.clone(), 1).into_data().iter::<f32>().collect(),
            };
            for (row, (index, target)) in batch.indices.iter().zip(answers(logits)).enumerate() {
                let probabilities = match outputs {
                    1 => Vec::new(),
                    _ => probabilities[row * outputs..(row + 1) * outputs].to_vec(),
                };
                found[*index] = Some(Answer { target, probabilities });
            }
            done += batch.len();
            passed(done);
        }
        Ok(found.into_iter().flatten().collect())
    }
}
