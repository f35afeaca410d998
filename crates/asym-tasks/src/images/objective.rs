//! The loss: cross-entropy.

use asym_models::VitClassifier;
use asym_train::Objective;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Int, Tensor};

use super::source::ImageBatch;

/// The loss of an image classifier, averaged over pictures.
#[derive(Clone, Copy, Debug)]
pub struct ImageLoss;

impl Objective for ImageLoss {
    type Model = VitClassifier;
    type Batch = ImageBatch;

    fn loss(&self, model: &VitClassifier, batch: &ImageBatch) -> Tensor<1> {
        loss(model.forward(batch.input.clone()), &batch.classes)
    }
}

/// The loss `[1]` of logits `[batch, classes]`.
pub(super) fn loss(logits: Tensor<2>, classes: &Tensor<1, Int>) -> Tensor<1> {
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, classes.clone())
}
