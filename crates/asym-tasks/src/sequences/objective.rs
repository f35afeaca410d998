//! The loss of a generated text: cross-entropy of its tokens, with label smoothing.

use asym_models::BartLanguageModel;
use asym_train::Objective;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::pairs::PairBatch;

/// The loss, averaged over the target tokens of the batch.
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
        smoothed(logits, batch.labels.clone(), self.smoothing)
    }
}

/// The loss `[1]` of logits `[count, vocabulary]` and labels `[count]`: (1 − ε) times the mean of −log p over the labels, plus ε
/// times the mean of −log p over all tokens of the vocabulary.
///
/// Source: `LabelSmoother` of transformers (`trainer_pt_utils.py`). With ε = 0, it is the cross-entropy.
pub fn smoothed(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let log_probabilities = log_softmax(logits, 1);
    let right = log_probabilities.clone().gather(1, labels.unsqueeze_dim(1)).mean().neg();
    if smoothing == 0.0 {
        return right;
    }
    // The means of the rows are computed first, because a sum over all elements would lose precision.
    let all = log_probabilities.mean_dim(1).mean().neg();
    right * (1.0 - smoothing) + all * smoothing
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    /// The expected values are from `LabelSmoother` of transformers.
    #[test]
    fn the_loss_matches_transformers() {
        let device = Device::default();
        let logits = TensorData::new(vec![0.5f32, -1.5, 2.0, 3.0, 0.0, -2.0, 1.0, 1.0], [2, 4]);
        let labels = TensorData::new(vec![2, 1], [2]);
        for (smoothing, expected) in [(0.0, EXPECTED[0]), (0.1, EXPECTED[1])] {
            let (logits, labels) =
                (Tensor::from_data(logits.clone(), &device), Tensor::from_data(labels.clone(), &device));
            let found: f32 = smoothed(logits, labels, smoothing).into_scalar();
            assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
        }
    }

    const EXPECTED: [f32; 2] = [2.630_987_2, 2.580_987_2];
}
