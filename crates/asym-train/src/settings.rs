//! The settings of training. Names follow Hugging Face's `TrainingArguments`, shortened where a word adds nothing.

use asym_core::optim::{fast_parameters, undecayed_parameters};
use asym_core::{AdapterError, Naming};
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};

use crate::{LinearWarmup, LrSchedulerType, Order, TrainError, Tuning};

/// How a model is trained. `TrainSettings { learning_rate: 1e-3, ..Default::default() }` changes one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// Passes over the training set.
    pub epochs: usize,
    /// Examples in a batch, that is, in one forward pass.
    pub batch_size: usize,
    /// Batches whose gradients make one optimizer step.
    pub gradient_accumulation: usize,
    /// The learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// The learning rate after the warm-up: it falls linearly to 0, or stays.
    pub lr_scheduler_type: LrSchedulerType,
    /// The share of all steps over which the learning rate rises from 0. The number of steps is rounded up.
    pub warmup_ratio: f64,
    /// AdamW's decoupled weight decay. It spares biases and norms.
    pub weight_decay: f64,
    /// AdamW's β₁.
    pub adam_beta1: f64,
    /// AdamW's β₂.
    pub adam_beta2: f64,
    /// AdamW's ε. The default is PyTorch's; Burn's is a thousand times larger.
    pub adam_epsilon: f64,
    /// The gradient is scaled down to this norm, taken over all parameters, if it is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_grad_norm: Option<f64>,
    /// LoRA+: the learning rate of every factor B, and of every trained vector, divided by that of the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loraplus_lr_ratio: Option<f64>,
    /// LoRA-FA: project the gradient of B, where A is frozen, onto the inputs that A passes on.
    pub projected_gradient: bool,
    /// Put examples of similar length together: less padding.
    pub group_by_length: bool,
    /// The dtype of frozen weights.
    pub dtype: Dtype,
    /// Optimizer steps between two checkpoints. Without it, a checkpoint is saved as often as costs less than 1 % of the time,
    /// and not more often than every five seconds. One is saved after each epoch in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_every: Option<usize>,
    /// The run's seed: the order of the examples and dropout are drawn from it. Recipes list seeds separately from these
    /// settings.
    #[serde(skip)]
    pub seed: u64,
}

/// The dtype of the frozen weights of linear layers and embeddings. All that is trained, norms, softmax, loss and the optimizer's
/// state are in f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// As in the checkpoint.
    #[default]
    F32,
    /// Rounded once, when the model is loaded. Products with them take half the memory traffic, and are faster on processors and
    /// devices that have units for them: see [`asym_core::layout::round`].
    Bf16,
}

impl Dtype {
    /// Burn's dtype of the frozen weights.
    pub fn float(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::Bf16 => FloatDType::BF16,
        }
    }
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch_size: 8,
            gradient_accumulation: 1,
            learning_rate: 3e-4,
            lr_scheduler_type: LrSchedulerType::Linear,
            warmup_ratio: 0.06,
            weight_decay: 0.01,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            max_grad_norm: None,
            loraplus_lr_ratio: None,
            projected_gradient: false,
            group_by_length: true,
            dtype: Dtype::F32,
            save_every: None,
            seed: 0,
        }
    }
}

impl TrainSettings {
    /// Check the settings, and that they fit what is trained.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a number outside its range; [`AdapterError::Conflict`] for a setting of adapters where
    /// there is no adapter, and for bf16 where no weight is frozen; what [`AdapterConfig::validate`](asym_core::AdapterConfig::validate) refuses.
    pub fn validate(&self, tuning: &Tuning) -> Result<(), TrainError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let count = |field, value: usize| (field, value as f64, value > 0, "at least 1");
        let beta = |field, value: f64| (field, value, (0.0..1.0).contains(&value), "at least 0 and below 1");
        let optional =
            |field, value: Option<f64>| (field, value.unwrap_or(1.0), value.is_none_or(positive), "a positive number");
        let checks = [
            count("epochs", self.epochs),
            count("batch_size", self.batch_size),
            count("gradient_accumulation", self.gradient_accumulation),
            count("save_every", self.save_every.unwrap_or(1)),
            ("learning_rate", self.learning_rate, positive(self.learning_rate), "a positive number"),
            ("warmup_ratio", self.warmup_ratio, (0.0..=1.0).contains(&self.warmup_ratio), "from 0 to 1"),
            (
                "weight_decay",
                self.weight_decay,
                self.weight_decay == 0.0 || positive(self.weight_decay),
                "0 or a positive number",
            ),
            beta("adam_beta1", self.adam_beta1),
            beta("adam_beta2", self.adam_beta2),
            ("adam_epsilon", self.adam_epsilon, positive(self.adam_epsilon), "a positive number"),
            optional("max_grad_norm", self.max_grad_norm),
            optional("loraplus_lr_ratio", self.loraplus_lr_ratio),
        ];
        for (field, found, good, expected) in checks {
            if !good {
                return Err(TrainError::Setting { field, found, expected });
            }
        }
        if self.dtype == Dtype::Bf16 && *tuning == Tuning::Full {
            let reason = "bf16 is for frozen weights, and full fine-tuning has none; leave dtype out, or train an adapter or the head";
            return Err(AdapterError::Conflict { field: "dtype", reason }.into());
        }
        if let Tuning::Adapter(config) = tuning {
            return Ok(config.validate()?);
        }
        let of_adapters =
            [("projected_gradient", self.projected_gradient), ("loraplus_lr_ratio", self.loraplus_lr_ratio.is_some())];
        for (field, is_set) in of_adapters {
            if is_set {
                let reason = "it belongs to adapters: make a table of adapters alone, or leave it out";
                return Err(AdapterError::Conflict { field, reason }.into());
            }
        }
        Ok(())
    }

    /// Optimizer steps of an epoch over `examples` training examples.
    pub fn steps_per_epoch(&self, examples: usize) -> usize {
        examples.div_ceil(self.batch_size.max(1)).div_ceil(self.gradient_accumulation.max(1))
    }

    /// Optimizer steps of the whole run over `examples` training examples.
    pub fn steps(&self, examples: usize) -> usize {
        self.epochs.saturating_mul(self.steps_per_epoch(examples))
    }

    /// The order of the training examples.
    pub fn order(&self) -> Order {
        if self.group_by_length { Order::Grouped { seed: self.seed } } else { Order::Shuffled { seed: self.seed } }
    }

    /// AdamW for `model`, whose biases and norms it does not decay.
    pub fn optimizer<M: Module>(&self, model: &M, naming: &Naming) -> ModuleOptimizer {
        let adamw = AdamWConfig::new()
            .with_beta_1(self.adam_beta1 as f32)
            .with_beta_2(self.adam_beta2 as f32)
            .with_epsilon(self.adam_epsilon as f32);
        let spared = adamw.clone().with_weight_decay(0.0).build();
        let decayed = adamw.with_weight_decay(self.weight_decay as f32).init();
        decayed.with_group(undecayed_parameters(model, naming), spared, None)
    }

    /// The learning rates of a run of `steps` steps: one for all parameters, or LoRA+'s two.
    pub fn schedule<M: Module>(&self, model: &M, steps: usize) -> ModuleLrScheduler {
        let rates = |peak| LinearWarmup::from_ratio(peak, self.warmup_ratio, steps).then(self.lr_scheduler_type);
        let schedule = ModuleLrScheduler::new(rates(self.learning_rate));
        match self.loraplus_lr_ratio {
            Some(ratio) => schedule.with_group(fast_parameters(model), rates(ratio * self.learning_rate)),
            None => schedule,
        }
    }
}
