//! ΔW = (λ_b ⊙ B)·(λ_d ⊙ A): VeRA, with one frozen random factor pair for all layers and two trained vectors per layer.
//!
//! Kopiczko et al., 2024 (arXiv:2310.11454).

use asym_kernels::{dropout, linear};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Adapter, Draw, Factor, Owner, PeftTensor, Settings, Site, Weight, add, is_type};
use crate::config::setting;
use crate::init::Shape;
use crate::{AdapterError, BaseLinear, Init};

/// VeRA's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vera {
    /// The rank r of the shared pair, from 1 to 65536. It is not limited by the layers' sizes, because the pair is not trained.
    pub rank: usize,
    /// The initial value of λ_d. Default: 0.1.
    #[serde(default = "default_d_initial")]
    pub d_initial: f64,
    /// Probability with which an element of the adapter's input is dropped in training. Default: 0.
    ///
    /// The mask takes the same memory as that of [`Lora`](crate::Lora).
    #[serde(default)]
    pub dropout: f64,
}

/// The largest accepted rank. It is larger than any rank in use, and it limits the memory that is allocated before the shapes
/// of a file are compared.
const MAX_RANK: usize = 1 << 16;

const fn default_d_initial() -> f64 {
    0.1
}

impl Vera {
    /// VeRA as published: λ_d at 0.1, λ_b at 0, no dropout.
    pub fn new(rank: usize) -> Self {
        Self { rank, d_initial: default_d_initial(), dropout: 0.0 }
    }

    /// With this initial value of λ_d.
    pub fn d_initial(mut self, value: f64) -> Self {
        self.d_initial = value;
        self
    }

    /// With this dropout on the adapter's input.
    pub fn dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    pub(super) fn is_described(fields: &Map<String, Value>) -> bool {
        is_type(fields, "VERA")
    }

    pub(super) fn read(fields: Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Fields {
            r: usize,
            #[serde(default = "default_d_initial")]
            d_initial: f64,
            #[serde(default)]
            vera_dropout: f64,
        }
        let Fields { r: rank, d_initial, vera_dropout: dropout } = serde_json::from_value(fields)?;
        Ok(Self { rank, d_initial, dropout })
    }
}

impl Settings for Vera {
    fn name(&self) -> &'static str {
        "VeRA"
    }

    fn label(&self) -> String {
        format!("VeRA r={}", self.rank)
    }

    fn validate(&self) -> Result<(), AdapterError> {
        setting("rank", self.rank as f64, (1..=MAX_RANK).contains(&self.rank), "from 1 to 65536")?;
        setting("d_initial", self.d_initial, self.d_initial.is_finite(), "a number")?;
        setting("dropout", self.dropout, (0.0..1.0).contains(&self.dropout), "from 0 to below 1")
    }

    fn check(&self, site: &Site) -> Result<(), AdapterError> {
        site.check_linear(self.name())?;
        site.check_dropout(self.dropout)
    }

    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError> {
        let (a, b) = match draw.shared.projections.clone() {
            Some(pair) => pair,
            None => {
                let (rank, frozen) = (self.rank, Factor::frozen(Init::Kaiming));
                let a = Shape::A { d_input: draw.shared.max_input, rank };
                let b = Shape::B { rank, d_output: draw.shared.max_output };
                let pair = (draw.values(site, frozen, "vera_A", a)?, draw.values(site, frozen, "vera_B", b)?);
                draw.shared.projections.insert(pair).clone()
            }
        };
        let frozen = |tensor| Param::from_tensor(tensor).set_require_grad(false);
        Ok(Some(Adapter::VeraScales(VeraScales {
            a: frozen(a),
            b: frozen(b),
            lambda_d: draw.vector(self.rank, self.d_initial),
            lambda_b: draw.vector(site.d_output, 0.0),
            d_input: site.d_input,
            dropout: DropoutConfig::new(self.dropout).init(),
        })))
    }

    fn write(&self) -> Result<Map<String, Value>, serde_json::Error> {
        let fields = json!({
            "peft_type": "VERA",
            "r": self.rank,
            "d_initial": self.d_initial,
            "vera_dropout": self.dropout,
            "init_weights": true,
            "save_projection": true,
            // PEFT initializes the projections from this key before it reads them. asym initializes them from the run's seed.
            "projection_prng_key": 0,
        });
        Ok(fields.as_object().cloned().unwrap_or_default())
    }
}

/// The vectors of one weight, and the factor pair that all layers share.
///
/// After attaching or loading, all layers of a model share the memory of the pair. Each layer uses the part that fits its
/// size. Moving a model to another device makes a copy for each layer, so attach the adapter on the training device.
#[derive(Module, Debug)]
pub struct VeraScales {
    /// Aᵀ: `[max_input, r]`, frozen.
    pub a: Param<Tensor<2>>,
    /// Bᵀ: `[r, max_output]`, frozen.
    pub b: Param<Tensor<2>>,
    /// λ_d: `[r]`, trained.
    pub lambda_d: Param<Tensor<1>>,
    /// λ_b: `[d_output]`, trained.
    pub lambda_b: Param<Tensor<1>>,
    /// d_in of this layer.
    pub d_input: usize,
    /// Dropout on the adapter's input.
    pub dropout: Dropout,
}

impl VeraScales {
    /// The rank r.
    pub fn rank(&self) -> usize {
        self.a.shape()[1]
    }

    /// (λ_d ⊙ A)ᵀ `[d_input, r]` and (λ_b ⊙ B)ᵀ `[r, d_output]`.
    fn factors(&self) -> (Tensor<2>, Tensor<2>) {
        let (a, b) = self.slices();
        (a * self.lambda_d.val().unsqueeze::<2>(), b * self.lambda_b.val().unsqueeze::<2>())
    }

    /// The parts of A and B that this layer uses.
    fn slices(&self) -> (Tensor<2>, Tensor<2>) {
        let [d_output] = self.lambda_b.dims();
        (self.a.val().narrow(0, 0, self.d_input), self.b.val().narrow(1, 0, d_output))
    }

    /// The adapter's contribution to the layer's output.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (a, b) = self.slices();
        // The vectors scale the results of the products, so autodiff keeps the input of neither product.
        let hidden = linear(dropout(&self.dropout, input), a, None);
        let hidden = hidden * self.lambda_d.val().unsqueeze();
        linear(hidden, b, None) * self.lambda_b.val().unsqueeze()
    }

    /// The update that merging adds to the weight, `[d_input, d_output]`.
    pub fn delta(&self) -> Tensor<2> {
        let (a, b) = self.factors();
        a.matmul(b)
    }
}

impl Weight for VeraScales {
    fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
        base.forward(input.clone()) + self.forward(input)
    }

    fn compose<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        add(base, self.delta())
    }

    fn describe(&self) -> String {
        format!("VeRA r={}", self.rank())
    }

    fn peft_tensor(field: &str, dims: &[usize], _owner: &Owner) -> Option<PeftTensor> {
        let shared = |name| match *dims {
            [rows, columns] => Some(PeftTensor { name, shape: vec![columns, rows], shared: true }),
            _ => None,
        };
        match field {
            "a" => shared("vera_A"),
            "b" => shared("vera_B"),
            "lambda_b" => Some(PeftTensor::new("vera_lambda_b", dims)),
            "lambda_d" => Some(PeftTensor::new("vera_lambda_d", dims)),
            _ => None,
        }
    }
}
