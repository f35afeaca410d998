//! How a model and a batch make gradients.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::Batch;

/// How a model and a batch make a loss.
pub trait Objective {
    /// The model.
    type Model: Module;
    /// The batch.
    type Batch: Batch;

    /// The loss `[1]`: the mean over the [`weight`](Batch::weight) of `batch`.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch) -> Tensor<1>;
}

/// The gradients of a batch, and a report on it for loggers. The loop knows no more of forward and backward pass.
pub(crate) trait Gradients<M> {
    type Batch: Batch;
    /// The report on a batch: its loss, or the output of a burn-train model.
    type Report;

    /// The report on `batch` and the gradients of `share` times its mean loss.
    fn gradients(&self, model: &M, batch: Self::Batch, share: f64) -> (Self::Report, GradientsParams);

    /// The loss of a report, `[1]` outside of the graph, if the report says it.
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
