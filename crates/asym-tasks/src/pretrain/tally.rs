//! Loss and accuracy of predicted classes.

use std::sync::Arc;

use asym_kernels::cross_entropy;
use asym_train::{EvalRoom, Scores, Source, TrainError};
use burn::module::Module;
use burn::tensor::{Int, Tensor};

/// Loss and accuracy over batches.
#[derive(Debug, Default)]
pub(super) struct Tally {
    loss: f64,
    right: usize,
    count: usize,
}

impl Tally {
    /// The scores of `model` on all examples of `source`; `None` if the evaluation was stopped. `predict` returns the logits and
    /// the correct classes of a batch, in the form that [`add`](Self::add) expects.
    ///
    /// # Errors
    ///
    /// A batch that cannot be created.
    pub(super) fn over<S: Source>(
        source: &Arc<S>,
        model: &impl Module,
        room: &mut EvalRoom<'_>,
        predict: impl Fn(S::Batch) -> (Tensor<2>, Tensor<1, Int>),
    ) -> Result<Option<Scores>, TrainError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let mut tally = Self::default();
        let complete = room.pass(source, &device, |batch| {
            let (logits, labels) = predict(batch);
            tally.add(logits, labels);
            Ok(())
        })?;
        Ok(complete.then(|| tally.scores()))
    }

    /// Add the predictions of a batch: the `logits`, `[count, classes]`, and the correct classes `labels`, `[count]`.
    pub(super) fn add(&mut self, logits: Tensor<2>, labels: Tensor<1, Int>) {
        let count = labels.dims()[0];
        let mean = cross_entropy(logits.clone(), labels.clone(), 0.0);
        self.loss += count as f64 * f64::from(mean.into_scalar::<f32>());
        let (found, labels) = (logits.argmax(1).into_data(), labels.into_data());
        self.right += found.iter::<i64>().zip(labels.iter::<i64>()).filter(|(found, label)| found == label).count();
        self.count += count;
    }

    /// The means over all predictions that were added.
    pub(super) fn scores(&self) -> Scores {
        let count = self.count.max(1) as f64;
        [("loss", self.loss / count), ("accuracy", self.right as f64 / count)]
            .map(|(name, mean)| (name.to_string(), mean))
            .into()
    }
}
