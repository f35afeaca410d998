//! A recipe: everything that decides what a run computes.

use std::fmt;

use asym_core::{AdapterConfig, AdapterError};
use serde::{Deserialize, Serialize};

use crate::error::TaskError;
use crate::glue::Task;

/// What of the model is trained.
#[allow(clippy::large_enum_variant, reason = "there is one in a recipe; a box would be in every caller's way")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// Every parameter.
    Full,
    /// The task head alone: the paper's linear probing.
    Head,
    /// An adapter and the task head.
    Adapter(AdapterConfig),
}

/// The order of the training examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// Shuffled anew each epoch, similar lengths together: less padding.
    #[default]
    ByLength,
    /// Shuffled anew each epoch, whatever the lengths.
    None,
}

/// One fine-tuning run, without the model and the data it is pointed at, and with nothing left open: a
/// [`Plan`](crate::Plan) is what files hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The task.
    pub task: Task,
    /// The run's seed: head, factors, order of the examples and dropout are drawn from it.
    pub seed: u64,
    /// Passes over the training set.
    pub epochs: usize,
    /// Examples that pass the model at once.
    pub batch_size: usize,
    /// Batches whose gradients make one step.
    pub accumulation: usize,
    /// The learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// The part of all steps over which the learning rate rises from 0; it falls linearly to 0 over the rest.
    pub warmup: f64,
    /// AdamW's decoupled weight decay, on everything that is trained.
    pub weight_decay: f64,
    /// LoRA+: the learning rate of every factor B, and of every trained vector, over that of the rest.
    pub b_learning_rate_ratio: Option<f64>,
    /// LoRA-FA: project the gradient of B, where A is frozen, onto what A passes.
    pub projected_gradient: bool,
    /// Scale the gradient down to this norm, taken over all parameters, where it is longer.
    pub max_gradient_norm: Option<f64>,
    /// Tokens of an example, special ones included; what is longer is cut.
    pub max_length: usize,
    /// The order of the training examples.
    pub grouping: Grouping,
    /// What is trained.
    pub tuning: Tuning,
}

impl Recipe {
    /// Check all that can be checked without model and data.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`], or what [`AdapterConfig::validate`] refuses.
    pub fn validate(&self) -> Result<(), TaskError> {
        let checks = [
            ("epochs", self.epochs as f64, self.epochs > 0, "at least 1"),
            ("batch_size", self.batch_size as f64, self.batch_size > 0, "at least 1"),
            ("accumulation", self.accumulation as f64, self.accumulation > 0, "at least 1"),
            (
                "learning_rate",
                self.learning_rate,
                self.learning_rate.is_finite() && self.learning_rate > 0.0,
                "a positive number",
            ),
            ("warmup", self.warmup, (0.0..=1.0).contains(&self.warmup), "from 0 to 1"),
            (
                "weight_decay",
                self.weight_decay,
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                "0 or a positive number",
            ),
            (
                "b_learning_rate_ratio",
                self.b_learning_rate_ratio.unwrap_or(1.0),
                self.b_learning_rate_ratio.is_none_or(|ratio| ratio.is_finite() && ratio > 0.0),
                "a positive number",
            ),
            (
                "max_gradient_norm",
                self.max_gradient_norm.unwrap_or(1.0),
                self.max_gradient_norm.is_none_or(|norm| norm > 0.0),
                "a positive number",
            ),
        ];
        for (field, found, good, expected) in checks {
            if !good {
                return Err(TaskError::Setting { field, found, expected });
            }
        }
        let conflict = |field, reason| Err(AdapterError::Conflict { field, reason }.into());
        match &self.tuning {
            Tuning::Full | Tuning::Head if self.projected_gradient => {
                conflict("projected_gradient", "it belongs to adapters: make a table of those alone, or switch it off")
            }
            Tuning::Full | Tuning::Head if self.b_learning_rate_ratio.is_some() => conflict(
                "b_learning_rate_ratio",
                "it belongs to adapters: make a table of those alone, or leave it out",
            ),
            Tuning::Adapter(config) => Ok(config.validate()?),
            Tuning::Full | Tuning::Head => Ok(()),
        }
    }

    /// Steps of an epoch over `examples` training examples.
    pub fn steps_per_epoch(&self, examples: usize) -> usize {
        examples.div_ceil(self.batch_size).div_ceil(self.accumulation)
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full fine-tuning"),
            Self::Head => f.write_str("head only"),
            Self::Adapter(config) => config.method.fmt(f),
        }
    }
}
