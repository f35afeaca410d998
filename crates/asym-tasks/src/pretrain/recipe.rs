//! The interface of an embedded checkpoint to its pre-training.

use std::path::Path;
use std::sync::Arc;

use asym_models::PretrainedModel;
use asym_train::{Evaluation, Objective, Source, TrainSettings};
use burn::tensor::Device;
use serde::Serialize;

use crate::error::TaskError;

/// An embedded checkpoint, by its settings.
pub trait Pretraining: Default + Serialize {
    /// The name of the checkpoint, which is that of its folder.
    const NAME: &'static str;

    /// Whether the checkpoint keeps the head of the pre-training.
    const KEEPS_HEAD: bool;

    /// The model.
    type Model: PretrainedModel + 'static;
    /// The training examples.
    type Source: Source + 'static;
    /// The loss.
    type Objective: Objective<Model = Self::Model, Batch = <Self::Source as Source>::Batch>;
    /// `loss` and `accuracy` on examples that are not trained on.
    type Evaluation: Evaluation<Self::Model>;

    /// Set the seed and, if it is given, the number of optimizer steps.
    fn with(self, seed: u64, steps: Option<usize>) -> Self;

    /// The number of optimizer steps.
    fn steps(&self) -> usize;

    /// The settings of the loop.
    fn settings(&self) -> TrainSettings;

    /// Make the data and the model, on `device`, and write the tokenizer or the image processor into `folder`.
    ///
    /// # Errors
    ///
    /// Settings that make no model, and files that cannot be written.
    fn prepare(&self, folder: &Path, device: &Device) -> Result<Parts<Self>, TaskError>;
}

/// The parts of a pre-training.
pub struct Parts<P: Pretraining> {
    /// The model, whose parameters are drawn from the seed.
    pub model: P::Model,
    /// The training examples.
    pub train: Arc<P::Source>,
    /// The loss.
    pub objective: P::Objective,
    /// The scores.
    pub evaluation: P::Evaluation,
}
