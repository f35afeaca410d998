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
    /// Batches whose gradients are accumulated for one optimizer step.
    pub gradient_accumulation: usize,
    /// The learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// The schedule of the learning rate after the warm-up: a linear decay to 0, or a constant rate.
    pub lr_scheduler_type: LrSchedulerType,
    /// The share of all steps over which the learning rate rises from 0. The number of steps is rounded up.
    pub warmup_ratio: f64,
    /// AdamW's decoupled weight decay. It is not applied to biases and norms.
    pub weight_decay: f64,
    /// AdamW's β₁.
    pub adam_beta1: f64,
    /// AdamW's β₂.
    pub adam_beta2: f64,
    /// AdamW's ε. The default is PyTorch's; Burn's is a thousand times larger.
    pub adam_epsilon: f64,
    /// The limit of the gradient's norm over all parameters. A gradient with a larger norm is scaled down to this norm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_grad_norm: Option<f64>,
    /// LoRA+: the learning rate of every factor B and of every trained vector, divided by that of the other parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loraplus_lr_ratio: Option<f64>,
    /// LoRA-FA: with A frozen, multiply the gradient of B by (A·Aᵀ)⁻¹ / s², where s is the adapter's scale.
    pub projected_gradient: bool,
    /// Group examples of similar length in batches, which reduces padding.
    pub group_by_length: bool,
    /// The dtype of frozen weights.
    pub dtype: Dtype,
    /// Optimizer steps between two checkpoints. Without this setting, a checkpoint is saved at most every five seconds, and so
    /// rarely that checkpoints take less than 1 % of the time. A checkpoint is also saved after each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_every: Option<usize>,
    /// The random seed of the run, which determines the order of the examples and dropout. Recipes list seeds separately from
    /// these settings.
    #[serde(skip)]
    pub seed: u64,
}

/// The dtype of the frozen weights of linear layers and embeddings. Trained parameters, norms, softmax, loss and the optimizer's
/// state are always in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floating point.
    #[default]
    F32,
    /// bfloat16. The weights are rounded once, when the model is loaded. Matrix products with them need half the memory traffic,
    /// and are faster on processors and devices with bf16 units: see [`asym_core::layout::round`].
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
    /// Check the settings, and whether they fit `tuning`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a number outside its range; [`AdapterError::Conflict`] for a setting of adapters if `tuning`
    /// has no adapter, and for bf16 if no weight is frozen; and the errors of
    /// [`AdapterConfig::validate`](asym_core::AdapterConfig::validate).
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
            let reason = "bf16 is for frozen weights, and full fine-tuning has none; remove `dtype`, or train an adapter or the head";
            return Err(AdapterError::Conflict { field: "dtype", reason }.into());
        }
        if let Tuning::Adapter(config) = tuning {
            return Ok(config.validate()?);
        }
        let of_adapters =
            [("projected_gradient", self.projected_gradient), ("loraplus_lr_ratio", self.loraplus_lr_ratio.is_some())];
        for (field, is_set) in of_adapters {
            if is_set {
                let reason = "it applies only to adapters; remove it, or train only adapters";
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

    /// AdamW for `model`, without weight decay for biases and norms.
    pub fn optimizer<M: Module>(&self, model: &M, naming: &Naming) -> ModuleOptimizer {
        let adamw = AdamWConfig::new()
            .with_beta_1(self.adam_beta1 as f32)
            .with_beta_2(self.adam_beta2 as f32)
            .with_epsilon(self.adam_epsilon as f32);
        let spared = adamw.clone().with_weight_decay(0.0).build();
        let decayed = adamw.with_weight_decay(self.weight_decay as f32).init();
        decayed.with_group(undecayed_parameters(model, naming), spared, None)
    }

    /// The learning rates of a run of `steps` steps: one schedule for all parameters, or LoRA+'s two schedules.
    pub fn schedule<M: Module>(&self, model: &M, steps: usize) -> ModuleLrScheduler {
        let rates = |peak| LinearWarmup::from_ratio(peak, self.warmup_ratio, steps).then(self.lr_scheduler_type);
        let schedule = ModuleLrScheduler::new(rates(self.learning_rate));
        match self.loraplus_lr_ratio {
            Some(ratio) => schedule.with_group(fast_parameters(model), rates(ratio * self.learning_rate)),
            None => schedule,
        }
    }
}
