//! The loss of a generated text: cross-entropy of its tokens, with label smoothing.

use asym_kernels::cross_entropy;
use asym_models::BartLanguageModel;
use asym_train::Objective;
use burn::tensor::Tensor;

use super::pairs::PairBatch;

/// Cross-entropy with label smoothing, averaged over the target tokens of the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairLoss {
    /// The fraction of a label's probability that is spread over all tokens, in [0, 1).
    pub smoothing: f64,
}

impl Objective for PairLoss {
    type Model = BartLanguageModel;
    type Batch = PairBatch;

    fn loss(&self, model: &BartLanguageModel, batch: &PairBatch) -> Tensor<1> {
        let logits = model.forward_at(batch.input.clone(), batch.positions.clone()); // [count, vocab_size]
        cross_entropy(logits, batch.labels.clone(), self.smoothing)
    }
}
