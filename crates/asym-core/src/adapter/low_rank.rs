//! ΔW = s·B·A: LoRA, in which each factor is trained or frozen. The scale s is α/r or, for rsLoRA, α/√r.

use asym_kernels::{LowRank as Update, add_low_rank, dropout, linear};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::module::{conv2d, embedding};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Adapter, Draw, Owner, PeftTensor, Settings, Site, Weight, add, is_type};
use crate::config::setting;
use crate::init::Shape;
use crate::layout::Layer;
use crate::pattern::Pattern;
use crate::{AdapterError, BaseLinear, Init, Patterns};

/// One factor of a low-rank update: its initialization, and whether it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Its values before the first step.
    pub init: Init,
    /// Whether the optimizer updates it. A frozen factor is outside the autodiff graph.
    pub train: bool,
}

impl Factor {
    /// A factor that the optimizer updates.
    pub const fn trained(init: Init) -> Self {
        Self { init, train: true }
    }

    /// A factor that keeps its initial values.
    pub const fn frozen(init: Init) -> Self {
        Self { init, train: false }
    }
}

/// LoRA's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// The rank r of the update, from 1 to min(d_in, d_out) of each target.
    pub rank: usize,
    /// α: the update is scaled by α / r. Default: 2r, as in the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Probability with which an element of the adapter's input is dropped in training. Default: 0.
    ///
    /// On the CPU, the mask is generated again for the backward pass. On other devices, a mask as wide as the input is kept. In a
    /// layer with frozen A, this mask takes the memory that freezing A saves. Dropout does not apply to the ids of an embedding.
    #[serde(default)]
    pub dropout: f64,
    /// Scale by α / √r (rsLoRA; Kalajdzievski, 2023), so the update does not shrink as the rank grows.
    #[serde(default)]
    pub rank_stabilized: bool,
    /// The factor A. Default: Kaiming, trained.
    #[serde(default = "default_a")]
    pub a: Factor,
    /// The factor B. Default: zero, trained.
    #[serde(default = "default_b")]
    pub b: Factor,
    /// Ranks of some modules, by regular expressions. An expression must match the whole name of a module, or the end of the
    /// name after any of its dots. The first expression that matches is used.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub rank_pattern: Patterns<usize>,
    /// Values of α of some modules, by regular expressions as in [`rank_pattern`](Self::rank_pattern).
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub alpha_pattern: Patterns<f64>,
}

const fn default_a() -> Factor {
    Factor::trained(Init::Kaiming)
}

const fn default_b() -> Factor {
    Factor::trained(Init::Zero)
}

impl Lora {
    /// LoRA with the initialization of Hu et al. (2021): A Kaiming, B zero, both trained, α = 2r, no dropout.
    pub fn new(rank: usize) -> Self {
        Self {
            rank,
            alpha: None,
            dropout: 0.0,
            rank_stabilized: false,
            a: default_a(),
            b: default_b(),
            rank_pattern: Patterns::new(),
            alpha_pattern: Patterns::new(),
        }
    }

    /// The paper's B̂₀A_rand: A random orthonormal and frozen, B zero and trained.
    pub fn b_only(rank: usize) -> Self {
        Self::new(rank).a(Factor::frozen(Init::Orthonormal))
    }

    /// The paper's B_randÂ₀: B random orthonormal and frozen, A zero and trained.
    pub fn a_only(rank: usize) -> Self {
        Self::new(rank).a(Factor::trained(Init::Zero)).b(Factor::frozen(Init::Orthonormal))
    }

    /// With this factor A.
    pub fn a(mut self, factor: Factor) -> Self {
        self.a = factor;
        self
    }

    /// With this factor B.
    pub fn b(mut self, factor: Factor) -> Self {
        self.b = factor;
        self
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

    /// Scaled by α / √r.
    pub fn rank_stabilized(mut self) -> Self {
        self.rank_stabilized = true;
        self
    }

    /// With this rank where `pattern` matches.
    pub fn rank_of(mut self, pattern: &str, rank: usize) -> Self {
        self.rank_pattern.insert(pattern, rank);
        self
    }

    /// With this α where `pattern` matches.
    pub fn alpha_of(mut self, pattern: &str, alpha: f64) -> Self {
        self.alpha_pattern.insert(pattern, alpha);
        self
    }

    /// α, or 2r if α is not set.
    pub fn alpha_or_default(&self) -> f64 {
        self.alpha.unwrap_or(2.0 * self.rank as f64)
    }

    /// The rank of `module`'s update.
    pub fn rank_at(&self, module: &str) -> usize {
        first_match(&self.rank_pattern, module).copied().unwrap_or(self.rank)
    }

    /// The factor s of `module`'s update.
    pub fn scale_at(&self, module: &str) -> f64 {
        let alpha = first_match(&self.alpha_pattern, module).copied().unwrap_or_else(|| self.alpha_or_default());
        let rank = self.rank_at(module) as f64;
        alpha / if self.rank_stabilized { rank.sqrt() } else { rank }
    }

    pub(super) fn pair(&self, site: &Site, draw: &Draw<'_>) -> Result<LowRank, AdapterError> {
        let rank = self.rank_at(&site.module);
        Ok(LowRank {
            a: draw.factor(site, self.a, "lora_A", Shape::A { d_input: site.d_input, rank })?,
            b: draw.factor(site, self.b, "lora_B", Shape::B { rank, d_output: site.d_output })?,
            scale: self.scale_at(&site.module),
            dropout: DropoutConfig::new(self.dropout).init(),
        })
    }

    pub(super) fn is_described(fields: &Map<String, Value>) -> bool {
        is_type(fields, "LORA")
    }

    pub(super) fn read(fields: Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Fields {
            r: usize,
            lora_alpha: f64,
            #[serde(default)]
            lora_dropout: f64,
            #[serde(default)]
            use_rslora: bool,
            rank_pattern: Option<Patterns<usize>>,
            alpha_pattern: Option<Patterns<f64>>,
        }
        let fields: Fields = serde_json::from_value(fields)?;
        Ok(Self {
            alpha: Some(fields.lora_alpha),
            dropout: fields.lora_dropout,
            rank_stabilized: fields.use_rslora,
            rank_pattern: fields.rank_pattern.unwrap_or_default(),
            alpha_pattern: fields.alpha_pattern.unwrap_or_default(),
            ..Self::new(fields.r)
        })
    }

    pub(super) fn write(&self, use_dora: bool) -> Map<String, Value> {
        let fields = json!({
            "peft_type": "LORA",
            "r": self.rank,
            "lora_alpha": self.alpha_or_default(),
            "lora_dropout": self.dropout,
            "use_rslora": self.rank_stabilized,
            "use_dora": use_dora,
            "init_lora_weights": true,
            "rank_pattern": self.rank_pattern,
            "alpha_pattern": self.alpha_pattern,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

impl Settings for Lora {
    fn name(&self) -> &'static str {
        if self.rank_stabilized { "rsLoRA" } else { "LoRA" }
    }

    fn label(&self) -> String {
        let default = Self::new(self.rank);
        if (self.a, self.b) == (default.a, default.b) {
            return format!("{} r={}", self.name(), self.rank);
        }
        // In the paper's notation, a trained factor has a hat.
        let factor = |letter: char, factor: Factor| {
            let hat = if factor.train { "\u{302}" } else { "" };
            format!("{letter}{hat}_{}", factor.init.symbol())
        };
        let scaling = if self.rank_stabilized { " rs" } else { "" };
        format!("{} {} r={}{scaling}", factor('B', self.b), factor('A', self.a), self.rank)
    }

    fn scale(&self) -> Option<String> {
        let (alpha, rank) = (self.alpha_or_default(), self.rank);
        let root = if self.rank_stabilized { "√" } else { "" };
        // No module has an empty name, so no pattern applies.
        let scale = self.scale_at("");
        Some(format!("α/{root}r = {alpha}/{root}{rank} = {}", (scale * 1e4).round() / 1e4))
    }

    fn validate(&self) -> Result<(), AdapterError> {
        setting("rank", self.rank as f64, self.rank > 0, "at least 1")?;
        for alpha in self.alpha_pattern.values().copied().chain([self.alpha_or_default()]) {
            setting("alpha", alpha, alpha.is_finite() && alpha != 0.0, "a finite number other than 0")?;
        }
        setting("dropout", self.dropout, (0.0..1.0).contains(&self.dropout), "from 0 to below 1")?;
        if self.b.init == Init::InputSvd {
            return Err(AdapterError::Conflict {
                field: "b",
                reason: "`input-svd` uses the inputs of a layer, so it is only for A; choose another init for b",
            });
        }
        self.rank_pattern
            .keys()
            .chain(self.alpha_pattern.keys())
            .try_for_each(|pattern| Pattern::ending(pattern).map(drop))
    }

    fn check(&self, site: &Site) -> Result<(), AdapterError> {
        // As in PEFT, dropout has no effect on an embedding, whose inputs are ids.
        if site.layer != Layer::Embedding {
            site.check_dropout(self.dropout)?;
        }
        site.check_rank(self.rank_at(&site.module))
    }

    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError> {
        Ok(Some(Adapter::LowRank(self.pair(site, draw)?)))
    }

    fn write(&self) -> Result<Map<String, Value>, serde_json::Error> {
        Ok(self.write(false))
    }

    fn factors(&self) -> Option<(Factor, Factor)> {
        Some((self.a, self.b))
    }

    fn unmatched(&self, modules: &[&str]) -> Option<(&'static str, String)> {
        let idle = |pattern: &&str| {
            !Pattern::ending(pattern).is_ok_and(|regex| modules.iter().any(|module| regex.is_match(module)))
        };
        let rank = self.rank_pattern.keys().find(idle).map(|pattern| ("rank_pattern", pattern.to_string()));
        rank.or_else(|| self.alpha_pattern.keys().find(idle).map(|pattern| ("alpha_pattern", pattern.to_string())))
    }

    fn set_factors(&mut self, a: Factor, b: Factor) {
        (self.a, self.b) = (a, b);
    }
}

fn first_match<'a, T>(patterns: &'a Patterns<T>, module: &str) -> Option<&'a T> {
    patterns
        .iter()
        .find(|(pattern, _)| Pattern::ending(pattern).is_ok_and(|regex| regex.is_match(module)))
        .map(|(_, value)| value)
}

/// The factor pair of one weight.
///
/// Burn stores a linear weight as `[d_input, d_output]`, so both factors are the transposes of those in the paper and in PEFT.
/// For an embedding, d_input is the number of rows. For a convolution, it is channels_in / groups · kernel_height · kernel_width.
#[derive(Module, Debug)]
pub struct LowRank {
    /// Aᵀ: `[d_input, r]`.
    pub a: Param<Tensor<2>>,
    /// Bᵀ: `[r, d_output]`.
    pub b: Param<Tensor<2>>,
    /// The factor s of the update.
    pub scale: f64,
    /// Dropout on the adapter's input.
    pub dropout: Dropout,
}

impl LowRank {
    /// The rank r.
    pub fn rank(&self) -> usize {
        self.a.shape()[1]
    }

    /// s·B(A(dropout(x))), which the adapter adds to a linear layer's output.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.undropped(dropout(&self.dropout, input))
    }

    /// Like [`forward`](Self::forward), without dropout.
    pub(super) fn undropped<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let hidden = linear(input, self.a.val(), None);
        // The scale is applied here because this tensor is only r wide.
        linear(hidden.mul_scalar(self.scale), self.b.val(), None)
    }

    /// s·A·B, `[d_input, d_output]`, which merging adds to the weight.
    pub fn delta(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()).mul_scalar(self.scale)
    }
}

impl Weight for LowRank {
    fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
        let output = base.forward(input.clone());
        let update = Update { a: self.a.val(), b: self.b.val(), scale: self.scale };
        add_low_rank(output, dropout(&self.dropout, input), update)
    }

    fn compose<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        add(base, self.delta())
    }

    /// The ids are looked up in A, and the resulting rows are multiplied by B.
    fn embedding(&self, ids: Tensor<2, Int>, weight: Tensor<2>) -> Tensor<3> {
        let hidden = embedding(self.a.val(), ids.clone()); // [batch, length, r]
        let update = linear(hidden.mul_scalar(self.scale), self.b.val(), None);
        embedding(weight, ids).cast(update.dtype()) + update
    }

    /// The update is a convolution with r output channels, followed by a convolution with a kernel of size 1.
    fn conv2d(
        &self,
        input: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions<2>,
    ) -> Tensor<4> {
        let output = conv2d(input.clone(), weight.clone(), bias, options.clone());
        let input = dropout(&self.dropout, input);
        // With groups, the two convolutions do not compute the update ΔW, because the first one reads all input channels.
        if options.groups > 1 {
            return output + conv2d(input, add(weight.zeros_like(), self.delta()), None, options);
        }
        let [channels_out, channels_in, height, width] = weight.dims();
        let a = self.a.val().swap_dims(0, 1).reshape([self.rank(), channels_in, height, width]);
        let b = self.b.val().swap_dims(0, 1).reshape([channels_out, self.rank(), 1, 1]);
        let hidden = conv2d(input, a, None, options); // [batch, r, height_out, width_out]
        output + conv2d(hidden.mul_scalar(self.scale), b, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    }

    fn describe(&self) -> String {
        format!("low-rank r={}", self.rank())
    }

    fn peft_tensor(field: &str, dims: &[usize], owner: &Owner) -> Option<PeftTensor> {
        let &[rows, columns] = dims else { return None };
        Some(match (owner.layer, field) {
            (Layer::Linear, "a") => PeftTensor::new("lora_A.weight", [columns, rows]),
            (Layer::Linear, "b") => PeftTensor::new("lora_B.weight", [columns, rows]),
            (Layer::Embedding, "a") => PeftTensor::new("lora_embedding_A", [columns, rows]),
            (Layer::Embedding, "b") => PeftTensor::new("lora_embedding_B", [columns, rows]),
            (Layer::Conv2d, "a") => {
                let kernel = owner.shape.iter().skip(1).copied();
                PeftTensor::new("lora_A.weight", [columns].into_iter().chain(kernel).collect::<Vec<_>>())
            }
            (Layer::Conv2d, "b") => PeftTensor::new("lora_B.weight", [columns, rows, 1, 1]),
            _ => return None,
        })
    }
}
