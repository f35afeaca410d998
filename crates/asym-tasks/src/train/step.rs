//! One batch, from its tensors to its loss and gradients.

use asym_core::Naming;
use asym_models::{EncoderInput, SequenceClassifier};
use burn::module::Module;
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::optim::GradientsParams;
use burn::tensor::ExecutionError;
use burn::tensor::Tensor;
use burn::train::metric::Adaptor;
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use super::metrics::{Predictions, Scalars};
use crate::batch::{Batch, Targets};
use crate::table::Target;

/// A sequence classifier as burn-train drives it.
#[derive(Module, Debug)]
pub(crate) struct Trainee {
    pub(crate) model: SequenceClassifier,
}

/// What a step tells its metrics, on the host.
#[derive(Clone, Debug)]
pub(crate) struct StepOutput {
    pub(crate) scalars: Scalars,
    pub(crate) predictions: Predictions,
}

impl Trainee {
    /// Logits `[batch, outputs]`.
    pub(crate) fn logits(&self, batch: &Batch) -> Tensor<2> {
        self.model.forward(EncoderInput {
            input_ids: batch.input_ids.clone(),
            attention_mask: Some(batch.attention_mask.clone()),
            token_type_ids: batch.token_type_ids.clone(),
        })
    }

    /// Logits `[batch, outputs]` and the loss `[1]`: the mean cross-entropy of classes, the mean squared error of scores.
    fn loss(&self, batch: &Batch) -> (Tensor<2>, Tensor<1>) {
        let logits = self.logits(batch);
        let loss = match &batch.targets {
            Targets::Classes(classes) => {
                CrossEntropyLossConfig::new().init(&logits.device()).forward(logits.clone(), classes.clone())
            }
            Targets::Scores(scores) => {
                let predicted = logits.clone().squeeze_dim::<1>(1); // [batch, 1] -> [batch]
                MseLoss::new().forward(predicted, scores.clone(), Reduction::Mean)
            }
            // There is nothing to learn from such a batch, nor to be measured.
            Targets::Unknown => Tensor::zeros([1], &logits.device()),
        };
        (logits, loss)
    }

    /// What files call the model's parameters.
    pub(crate) fn naming(&self) -> Naming {
        self.model.naming()
    }

    /// The loss of `batch`, and the gradients of `share` times its sum with `orthogonality` times AdaLoRA's penalty.
    pub(crate) fn gradients(&self, batch: &Batch, share: f64, orthogonality: f64) -> (f64, GradientsParams) {
        let (_, loss) = self.loss(batch);
        // The task's alone, so that it compares with other methods'.
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let loss = match (orthogonality > 0.0).then(|| asym_core::orthogonality(&self.model)).flatten() {
            Some(penalty) => loss + penalty * orthogonality,
            None => loss,
        };
        let loss = if share == 1.0 { loss } else { loss.mul_scalar(share) };
        (value, GradientsParams::from_grads(loss.backward(), self))
    }
}

impl TrainStep for Trainee {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> TrainOutput<StepOutput> {
        let (loss, grads) = self.gradients(&batch, 1.0, 0.0);
        TrainOutput {
            grads,
            item: StepOutput { scalars: Scalars { loss, gradient_norm: None }, predictions: Predictions::default() },
        }
    }
}

impl InferenceStep for Trainee {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> StepOutput {
        let (logits, loss) = self.loss(&batch);
        StepOutput {
            scalars: Scalars { loss: f64::from(loss.into_scalar::<f32>()), gradient_norm: None },
            predictions: Predictions { predicted: answers(logits), right: batch.host_targets, indices: batch.indices },
        }
    }
}

/// What logits `[batch, outputs]` answer: the likeliest class, or, where there is one output, its value as a score.
pub(crate) fn answers(logits: Tensor<2>) -> Vec<Target> {
    let [_, outputs] = logits.dims();
    if outputs == 1 {
        return logits.into_data().iter::<f32>().map(Target::Score).collect();
    }
    logits.argmax(1).into_data().iter::<i64>().map(|class| Target::Class(class as usize)).collect()
}

impl ItemLazy for StepOutput {
    // Everything was read from the device already.
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<Scalars> for StepOutput {
    fn adapt(&self) -> Scalars {
        self.scalars
    }
}

impl Adaptor<Predictions> for StepOutput {
    fn adapt(&self) -> Predictions {
        self.predictions.clone()
    }
}
