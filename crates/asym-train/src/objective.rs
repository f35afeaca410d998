//! The loss and the gradients of a model on a batch.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::Batch;

/// The loss of a model on a batch.
pub trait Objective {
    /// The model.
    type Model: Module;
    /// The batch.
    type Batch: Batch;

    /// The loss, `[1]`: the mean over the terms of `batch` that [`Batch::weight`] counts.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch) -> Tensor<1>;
}

/// The gradients of a batch, and a report on the batch for loggers. The loop runs the forward and backward passes only through
/// this trait.
pub(crate) trait Gradients<M> {
    type Batch: Batch;
    /// The report on a batch: its loss, or the output of a burn-train model.
    type Report;

    /// The report on `batch` and the gradients of `share` times its mean loss.
    fn gradients(&self, model: &M, batch: Self::Batch, share: f64) -> (Self::Report, GradientsParams);

    /// The loss in a report, `[1]` outside the autodiff graph; `None` if the report does not contain the loss.
    fn loss(report: &Self::Report) -> Option<Tensor<1>>;
}

impl<O: Objective> Gradients<O::Model> for O {
    type Batch = O::Batch;
    type Report = Tensor<1>;

    fn gradients(&self, model: &O::Model, batch: O::Batch, share: f64) -> (Tensor<1>, GradientsParams) {
        let loss = Objective::loss(self, model, &batch);
        let report = loss.clone().detach().inner();
        let loss = if share == 1.0 { loss } else { loss.mul_scalar(share) };
        (report, GradientsParams::from_grads(loss.backward(), model))
    }

    fn loss(report: &Tensor<1>) -> Option<Tensor<1>> {
        Some(report.clone())
    }
}
