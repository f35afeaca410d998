//! The trait that defines the pre-training of an embedded checkpoint.

use std::path::Path;
use std::sync::Arc;

use asym_models::PretrainedModel;
use asym_train::{Evaluation, Objective, Source, TrainSettings};
use burn::tensor::Device;
use serde::Serialize;

use crate::error::TaskError;

/// The settings of the training loop that every pre-training has.
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    /// Random seed of the data, the initial weights and the order of the examples.
    pub seed: u64,
    /// Optimizer steps.
    pub steps: usize,
    /// Examples per step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Fraction of the steps over which the learning rate rises.
    pub warmup_ratio: f64,
}

impl Budget {
    /// The number of training examples. Each example is used once.
    pub fn examples(&self) -> usize {
        self.steps * self.batch_size
    }

    /// The settings of the training loop.
    pub fn settings(&self) -> TrainSettings {
        TrainSettings {
            epochs: 1,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            warmup_ratio: self.warmup_ratio,
            max_grad_norm: Some(1.0),
            seed: self.seed,
            ..TrainSettings::default()
        }
    }
}

/// The settings from which an embedded checkpoint is pre-trained.
pub trait Pretraining: Default + Serialize {
    /// The name of the checkpoint and of its folder.
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

    /// The seed and the number of steps, which a command may change.
    fn budget(&mut self) -> &mut Budget;

    /// The settings of the training loop.
    fn settings(&self) -> TrainSettings;

    /// Create the data, and the model on `device`, and write the tokenizer or the image processor into `folder`.
    ///
    /// # Errors
    ///
    /// Settings that define no valid model, and files that cannot be written.
    fn prepare(&self, folder: &Path, device: &Device) -> Result<Parts<Self>, TaskError>;
}

/// The parts of a pre-training.
pub struct Parts<P: Pretraining> {
    /// The model, with parameters that are initialized from the seed.
    pub model: P::Model,
    /// The training examples.
    pub train: Arc<P::Source>,
    /// The loss.
    pub objective: P::Objective,
    /// The scores.
    pub evaluation: P::Evaluation,
}
