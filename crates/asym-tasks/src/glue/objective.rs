//! The loss: cross-entropy of classes, squared error of scores.

use asym_models::SequenceClassifier;
use asym_train::Objective;
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::tensor::Tensor;

use super::batch::{Targets, TextBatch};

/// The loss of a sequence classifier, a mean over examples.
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
        Targets::Unknown => Tensor::zeros([1], &logits.device()),
    }
}
