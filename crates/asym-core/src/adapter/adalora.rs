//! ΔW = (α / r₀)·B·(E ⊙ A): AdaLoRA, a decomposition that gives more rank to the layers that need it most.
//!
//! Zhang et al., 2023 (arXiv:2303.10512). Each layer has r₀ triplets (column of B, value of E, row of A). [`RankAllocator`]
//! keeps or drops each of them. The divisor of α is always r₀.

mod allocator;

pub use allocator::{RankAllocator, orthogonality};

use asym_kernels::{dropout, linear};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, TensorData};
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Adapter, Draw, Owner, PeftTensor, Settings, Site, Weight, add, is_type};
use crate::config::setting;
use crate::init::Shape;
use crate::random::stream;
use crate::{AdapterError, BaseLinear, Patterns};

/// AdaLoRA's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaLora {
    /// r₀, the rank of each layer before the first triplet is dropped.
    pub initial_rank: usize,
    /// The average rank of the layers at the end.
    pub target_rank: usize,
    /// α: the update is scaled by α / r₀. Default: 2r₀.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Probability with which an element of the adapter's input is dropped in training. Default: 0.
    #[serde(default)]
    pub dropout: f64,
    /// The number of steps before the first triplet is dropped (t_i).
    #[serde(default)]
    pub warmup_steps: usize,
    /// The number of final steps in which the ranks no longer change (t_f).
    #[serde(default)]
    pub final_steps: usize,
    /// The number of steps from one decision to the next (Δ_T).
    #[serde(default = "default_interval")]
    pub interval: usize,
    /// β₁, the smoothing factor of the importance of a weight.
    #[serde(default = "default_beta")]
    pub beta1: f64,
    /// β₂, the smoothing factor of the uncertainty of the importance.
    #[serde(default = "default_beta")]
    pub beta2: f64,
    /// γ, the weight of the penalty that keeps A and B nearly orthogonal. See [`orthogonality`].
    #[serde(default = "default_orthogonality")]
    pub orthogonality: f64,
    /// The total number of training steps. If it is absent, the training loop sets it with
    /// [`for_training`](Self::for_training).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<usize>,
    /// Which triplets of each module are kept, by the module's name. Modules without an entry keep all triplets.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub rank_pattern: Patterns<Vec<bool>>,
}

const fn default_interval() -> usize {
    1
}

const fn default_beta() -> f64 {
    0.85
}

const fn default_orthogonality() -> f64 {
    0.5
}

/// The number that PEFT adds to a divisor, so the divisor is never zero.
const DIVISOR_EPSILON: f64 = 1e-5;

impl AdaLora {
    /// AdaLoRA from `initial_rank` to `target_rank` over the whole training, with the constants of the authors' code.
    pub fn new(initial_rank: usize, target_rank: usize) -> Self {
        Self {
            initial_rank,
            target_rank,
            alpha: None,
            dropout: 0.0,
            warmup_steps: 0,
            final_steps: 0,
            interval: default_interval(),
            beta1: default_beta(),
            beta2: default_beta(),
            orthogonality: default_orthogonality(),
            total_steps: None,
            rank_pattern: Patterns::new(),
        }
    }

    /// With this α.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = Some(alpha);
        self
    }

    /// With this dropout on the adapter's input.
    pub fn dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    /// With full ranks for `warmup` steps, then a decision every `interval` steps, and constant ranks in the last
    /// `final_steps` steps.
    pub fn schedule(mut self, warmup: usize, interval: usize, final_steps: usize) -> Self {
        (self.warmup_steps, self.interval, self.final_steps) = (warmup, interval, final_steps);
        self
    }

    /// With this total number of training steps.
    pub fn total_steps(mut self, steps: usize) -> Self {
        self.total_steps = Some(steps);
        self
    }

    /// These settings for a training of `steps` steps, or unchanged if `total_steps` is set.
    ///
    /// If warm-up and final steps are both 0, the warm-up is the first tenth of the training, and the final ranks are used in
    /// the last three tenths.
    pub fn for_training(&self, steps: usize) -> Self {
        if self.total_steps.is_some() {
            return self.clone();
        }
        let settings = self.clone().total_steps(steps);
        match (self.warmup_steps, self.final_steps) {
            (0, 0) => settings.schedule(steps / 10, self.interval, steps * 3 / 10),
            _ => settings,
        }
    }

    /// α, or 2r₀ if α is not set.
    pub fn alpha_or_default(&self) -> f64 {
        self.alpha.unwrap_or(2.0 * self.initial_rank as f64)
    }

    /// The number of triplets of `module` that are kept.
    pub fn rank_at(&self, module: &str) -> usize {
        self.rank_pattern.get(module).map_or(self.initial_rank, |kept| kept.iter().filter(|kept| **kept).count())
    }

    pub(super) fn is_described(fields: &Map<String, Value>) -> bool {
        is_type(fields, "ADALORA")
    }

    pub(super) fn read(fields: Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        struct Fields {
            init_r: usize,
            target_r: usize,
            lora_alpha: f64,
            #[serde(default)]
            lora_dropout: f64,
            #[serde(default)]
            tinit: usize,
            #[serde(default)]
            tfinal: usize,
            #[serde(default = "default_interval", rename = "deltaT")]
            delta_t: usize,
            #[serde(default = "default_beta")]
            beta1: f64,
            #[serde(default = "default_beta")]
            beta2: f64,
            #[serde(default = "default_orthogonality")]
            orth_reg_weight: f64,
            total_step: Option<usize>,
            rank_pattern: Option<Patterns<Vec<bool>>>,
        }
        let fields: Fields = serde_json::from_value(fields)?;
        let rank_pattern = fields.rank_pattern.unwrap_or_default().into_iter();
        Ok(Self {
            alpha: Some(fields.lora_alpha),
            dropout: fields.lora_dropout,
            warmup_steps: fields.tinit,
            final_steps: fields.tfinal,
            interval: fields.delta_t,
            beta1: fields.beta1,
            beta2: fields.beta2,
            orthogonality: fields.orth_reg_weight,
            total_steps: fields.total_step,
            rank_pattern: rank_pattern.map(|(key, kept)| (strip_tensor(&key).to_string(), kept)).collect(),
            ..Self::new(fields.init_r, fields.target_r)
        })
    }
}

/// The module's name in `module.lora_E`, the form of the keys in PEFT's pattern.
fn strip_tensor(key: &str) -> &str {
    key.strip_suffix(".lora_E").unwrap_or(key)
}

impl Settings for AdaLora {
    fn name(&self) -> &'static str {
        "AdaLoRA"
    }

    fn label(&self) -> String {
        format!("AdaLoRA r={}→{}", self.initial_rank, self.target_rank)
    }

    fn scale(&self) -> Option<String> {
        let (alpha, rank) = (self.alpha_or_default(), self.initial_rank);
        Some(format!("α/r₀ = {alpha}/{rank} = {}", (1e4 * alpha / rank.max(1) as f64).round() / 1e4))
    }

    fn validate(&self) -> Result<(), AdapterError> {
        let unit = |value: f64| value > 0.0 && value < 1.0;
        let alpha = self.alpha_or_default();
        setting("initial_rank", self.initial_rank as f64, self.initial_rank > 0, "at least 1")?;
        let fits = (1..=self.initial_rank).contains(&self.target_rank);
        setting("target_rank", self.target_rank as f64, fits, "from 1 to initial_rank")?;
        setting("alpha", alpha, alpha.is_finite() && alpha != 0.0, "a finite number other than 0")?;
        setting("dropout", self.dropout, (0.0..1.0).contains(&self.dropout), "from 0 to below 1")?;
        setting("interval", self.interval as f64, self.interval > 0, "at least 1")?;
        setting("beta1", self.beta1, unit(self.beta1), "between 0 and 1")?;
        setting("beta2", self.beta2, unit(self.beta2), "between 0 and 1")?;
        let penalty = self.orthogonality;
        setting("orthogonality", penalty, penalty.is_finite() && penalty >= 0.0, "0 or a positive number")?;
        match self.total_steps {
            Some(total) if self.warmup_steps.saturating_add(self.final_steps) >= total => Err(AdapterError::Setting {
                field: "total_steps",
                found: total as f64,
                expected: "more than the sum of warmup_steps and final_steps, so that the ranks can decrease",
            }),
            _ => Ok(()),
        }
    }

    fn check(&self, site: &Site) -> Result<(), AdapterError> {
        site.check_linear(self.name())?;
        site.check_dropout(self.dropout)?;
        match self.rank_pattern.get(&site.module) {
            Some(kept) if kept.len() != self.initial_rank => Err(AdapterError::RankPattern {
                module: site.module.clone(),
                found: kept.len(),
                expected: self.initial_rank,
            }),
            _ => site.check_rank(self.initial_rank),
        }
    }

    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError> {
        let rank = self.rank_at(&site.module);
        if rank == 0 {
            return Ok(None);
        }
        let factor = |field: &str, shape: Shape| {
            let count = shape.dims().iter().product();
            let values: Vec<f32> = match (draw.seed, Normal::new(0.0f32, 0.02)) {
                (Some(seed), Ok(normal)) => {
                    let rng = stream(seed, &format!("{}.{field}", site.module));
                    normal.sample_iter(rng).take(count).collect()
                }
                _ => vec![0.0; count],
            };
            Param::from_tensor(Tensor::from_data(TensorData::new(values, shape.dims()), &draw.device))
        };
        Ok(Some(Adapter::AdaLoraPair(AdaLoraPair {
            a: factor("lora_A", Shape::A { d_input: site.d_input, rank }),
            e: draw.vector(rank, 0.0),
            b: factor("lora_B", Shape::B { rank, d_output: site.d_output }),
            scale: self.alpha_or_default() / (self.initial_rank as f64 + DIVISOR_EPSILON),
            dropout: DropoutConfig::new(self.dropout).init(),
        })))
    }

    fn write(&self) -> Result<Map<String, Value>, serde_json::Error> {
        let pattern: Map<String, Value> =
            self.rank_pattern.iter().map(|(module, kept)| (format!("{module}.lora_E"), json!(kept))).collect();
        let fields = json!({
            "peft_type": "ADALORA",
            "init_r": self.initial_rank,
            "target_r": self.target_rank,
            // PEFT's class inherits this field from LoRA and does not use it.
            "r": 8,
            "lora_alpha": self.alpha_or_default(),
            "lora_dropout": self.dropout,
            "tinit": self.warmup_steps,
            "tfinal": self.final_steps,
            "deltaT": self.interval,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "orth_reg_weight": self.orthogonality,
            // PEFT rejects a configuration without this field, even if the adapter is not trained further.
            "total_step": self.total_steps.unwrap_or_else(|| {
                self.warmup_steps.saturating_add(self.final_steps).saturating_add(1)
            }),
            "rank_pattern": if pattern.is_empty() { Value::Null } else { Value::Object(pattern) },
            "init_lora_weights": true,
        });
        Ok(fields.as_object().cloned().unwrap_or_default())
    }

    fn emptied(&self) -> Vec<&str> {
        let dropped = self.rank_pattern.iter().filter(|(_, kept)| !kept.contains(&true));
        dropped.map(|(module, _)| module).collect()
    }

    fn prune(&self, module: &str, tensor: &str, shape: &[usize], values: Vec<f32>) -> (Vec<usize>, Vec<f32>) {
        let (Some(kept), &[rows, columns]) = (self.rank_pattern.get(module), shape) else {
            return (shape.to_vec(), values);
        };
        let by_row = tensor != "lora_B";
        // An adapter that was loaded from a folder has no values for the dropped triplets.
        if kept.len() != if by_row { rows } else { columns } {
            return (shape.to_vec(), values);
        }
        let stays = |index: usize| kept[if by_row { index / columns } else { index % columns }];
        let values =
            values.into_iter().enumerate().filter(|(index, _)| stays(*index)).map(|(_, value)| value).collect();
        let rank = self.rank_at(module);
        (if by_row { vec![rank, columns] } else { vec![rows, rank] }, values)
    }
}

/// The triplets of one weight.
#[derive(Module, Debug)]
pub struct AdaLoraPair {
    /// Aᵀ: `[d_input, r]`, trained.
    pub a: Param<Tensor<2>>,
    /// E: `[r]`, trained. A triplet whose value is zero has no effect.
    pub e: Param<Tensor<1>>,
    /// Bᵀ: `[r, d_output]`, trained.
    pub b: Param<Tensor<2>>,
    /// α / r₀.
    pub scale: f64,
    /// Dropout on the adapter's input.
    pub dropout: Dropout,
}

impl AdaLoraPair {
    /// The number of triplets, including dropped ones.
    pub fn rank(&self) -> usize {
        self.a.shape()[1]
    }

    /// The adapter's contribution to the layer's output.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let hidden = linear(dropout(&self.dropout, input), self.a.val(), None);
        let scaled = hidden * self.e.val().mul_scalar(self.scale).unsqueeze();
        linear(scaled, self.b.val(), None)
    }

    /// The update that merging adds to the weight, `[d_input, d_output]`.
    pub fn delta(&self) -> Tensor<2> {
        (self.a.val() * self.e.val().mul_scalar(self.scale).unsqueeze::<2>()).matmul(self.b.val())
    }
}

impl Weight for AdaLoraPair {
    fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
        base.forward(input.clone()) + self.forward(input)
    }

    fn compose<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        add(base, self.delta())
    }

    fn describe(&self) -> String {
        format!("AdaLoRA r={}", self.rank())
    }

    fn peft_tensor(field: &str, dims: &[usize], _owner: &Owner) -> Option<PeftTensor> {
        Some(match (field, dims) {
            ("a", &[rows, columns]) => PeftTensor::new("lora_A", [columns, rows]),
            ("b", &[rows, columns]) => PeftTensor::new("lora_B", [columns, rows]),
            ("e", &[rank]) => PeftTensor::new("lora_E", [rank, 1]),
            _ => return None,
        })
    }
}
