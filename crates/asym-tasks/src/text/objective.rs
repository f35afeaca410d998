//! The loss: cross-entropy of classes, squared error of scores, binary cross-entropy of labels.

use asym_models::SequenceClassifier;
use asym_train::Objective;
use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, MseLoss, Reduction};
use burn::tensor::Tensor;

use super::batch::{Targets, TextBatch};

/// The loss of a sequence classifier, averaged over examples.
#[derive(Clone, Copy, Debug)]
pub struct TextLoss;

impl Objective for TextLoss {
    type Model = SequenceClassifier;
    type Batch = TextBatch;

    fn loss(&self, model: &SequenceClassifier, batch: &TextBatch) -> Tensor<1> {
        let logits = model.forward(batch.input.clone()); // [batch, outputs]
        loss(logits, &batch.targets)
    }
}

/// The loss `[1]` of logits `[batch, outputs]`.
pub(super) fn loss(logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
    match targets {
        Targets::Classes(classes) => {
            CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, classes.clone())
        }
        Targets::Scores(scores) => {
            let predicted = logits.squeeze_dim::<1>(1); // [batch, 1] -> [batch]
            MseLoss::new().forward(predicted, scores.clone(), Reduction::Mean)
        }
        // The mean over examples and labels.
        Targets::Labels(labels) => {
            BinaryCrossEntropyLossConfig::new().with_logits(true).init(&logits.device()).forward(logits, labels.clone())
        }
        Targets::Unknown => Tensor::zeros([1], &logits.device()),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    /// Computed by hand from PyTorch's formula. With the large logits, a sigmoid that is followed by a logarithm would overflow.
    #[test]
    fn multiple_labels_use_binary_cross_entropy() {
        let device = Device::default();
        let logits = TensorData::new(vec![0.5f32, -1.5, 80.0, -90.0, 2.0, 0.0], [2, 3]);
        let labels = TensorData::new(vec![1, 0, 1, 0, 0, 1], [2, 3]);
        let targets = Targets::Labels(Tensor::from_data(labels, &device));
        let found: f32 = loss(Tensor::from_data(logits, &device), &targets).into_scalar();
        // (ln(1 + e^-0.5) + ln(1 + e^-1.5) + 0 + 0 + ln(1 + e^2) + ln 2) / 6.
        assert!((found - 0.582_594_2).abs() < 1e-6, "{found}");
    }
}
