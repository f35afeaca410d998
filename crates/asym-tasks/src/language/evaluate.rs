//! The loss on held-out texts.

use std::sync::Arc;

use asym_models::LlamaLanguageModel;
use asym_train::{Batch, EvalRoom, Evaluation, Objective, Scores, TrainError};
use burn::module::Module;

use super::batch::LanguageExamples;
use super::objective::LanguageLoss;

/// The mean cross-entropy of the labeled tokens, in nats.
pub const LOSS: &str = "loss";
/// The exponential of the loss. A uniform distribution over this many tokens has the same loss.
pub const PERPLEXITY: &str = "perplexity";

/// Loss and perplexity over all labeled tokens of a set.
#[derive(Clone, Debug)]
pub struct LanguageEvaluation {
    /// The texts that are evaluated.
    pub dev: Arc<LanguageExamples>,
}

impl Evaluation<LlamaLanguageModel> for LanguageEvaluation {
    fn run(&self, model: &LlamaLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let (mut sum, mut weight) = (0.0, 0.0);
        let complete = room.pass(&self.dev, &device, |batch| {
            if batch.labels > 0 {
                sum += batch.weight() * f64::from(LanguageLoss.loss(model, &batch).into_scalar::<f32>());
                weight += batch.weight();
            }
            Ok(())
        })?;
        let loss = sum / f64::max(weight, 1.0);
        let scores = || [(LOSS, loss), (PERPLEXITY, loss.exp())].map(|(name, score)| (name.to_string(), score)).into();
        Ok(complete.then(scores))
    }
}
