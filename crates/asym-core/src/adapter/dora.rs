//! W' = m · (W0 + s·B·A) / ‖W0 + s·B·A‖: DoRA, which trains a magnitude per output in addition to LoRA's factors.
//!
//! Liu et al., 2024 (arXiv:2402.09353). The norm is treated as a constant in the backward pass (section 4.3 of the paper).

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Adapter, Draw, Factor, Lora, LowRank, Owner, PeftTensor, Settings, Site, Weight, is_type};
use crate::{AdapterError, BaseLinear};

/// DoRA's settings: those of LoRA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dora(pub Lora);

impl Dora {
    pub(super) fn is_described(fields: &Map<String, Value>) -> bool {
        is_type(fields, "LORA") && fields.get("use_dora") == Some(&Value::Bool(true))
    }

    pub(super) fn read(fields: Value) -> Result<Self, serde_json::Error> {
        Lora::read(fields).map(Self)
    }
}

impl Settings for Dora {
    fn name(&self) -> &'static str {
        "DoRA"
    }

    fn scale(&self) -> Option<String> {
        self.0.scale()
    }

    fn label(&self) -> String {
        let direction = self.0.label();
        // The factors of LoRA are the default. The label contains any other factors.
        match direction.strip_prefix("LoRA ") {
            Some(rank) => format!("DoRA {rank}"),
            None => format!("DoRA {direction}"),
        }
    }

    fn validate(&self) -> Result<(), AdapterError> {
        self.0.validate()
    }

    fn check(&self, site: &Site) -> Result<(), AdapterError> {
        site.check_linear(self.name())?;
        self.0.check(site)
    }

    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError> {
        let pair = self.0.pair(site, draw)?;
        // The norm is detached, because only a leaf of the graph can be trained.
        let magnitude = match draw.seed {
            Some(_) => norm(&(draw.known.weight)(), &pair).detach(),
            // The values are set from a file later, or they are never read.
            None => Tensor::zeros([site.d_output], &draw.device),
        };
        Ok(Some(Adapter::DoraPair(DoraPair { pair, magnitude: Param::from_tensor(magnitude) })))
    }

    fn write(&self) -> Result<Map<String, Value>, serde_json::Error> {
        Ok(self.0.write(true))
    }

    fn factors(&self) -> Option<(Factor, Factor)> {
        self.0.factors()
    }

    fn unmatched(&self, modules: &[&str]) -> Option<(&'static str, String)> {
        self.0.unmatched(modules)
    }

    fn set_factors(&mut self, a: Factor, b: Factor) {
        self.0.set_factors(a, b);
    }
}

/// A factor pair and the magnitudes of the adapted weight.
#[derive(Module, Debug)]
pub struct DoraPair {
    /// The factor pair that changes the direction of the weight.
    pub pair: LowRank,
    /// m, the norm of each output's weights: `[d_output]`, trained.
    pub magnitude: Param<Tensor<1>>,
}

impl DoraPair {
    /// The output of the adapted layer. The dense update is never formed.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
        let gain = wide::<D>(self.gain(&base.weight));
        // The gain depends only on the weights.
        let (layer, bias) = (BaseLinear { bias: None, ..base.clone() }, base.bias);
        let base = layer.clone().forward(input.clone());
        let dropout = &self.pair.dropout;
        let dropping = dropout.training.is_enabled() && input.device().is_autodiff() && dropout.prob > 0.0;
        let output = if dropping {
            // Dropout applies only to the adapter's contribution, which is the difference from the frozen layer.
            let dropped = asym_kernels::dropout(dropout, input);
            let turned = layer.forward(dropped.clone());
            base + turned * (gain.clone() - 1.0) + self.pair.undropped(dropped) * gain
        } else {
            (base + self.pair.forward(input)) * gain
        };
        match bias {
            Some(bias) => output + wide::<D>(bias),
            None => output,
        }
    }

    /// m / ‖W0 + s·B·A‖ of each output.
    fn gain(&self, weight: &Tensor<2>) -> Tensor<1> {
        self.magnitude.val() / norm(weight, &self.pair)
    }
}

impl Weight for DoraPair {
    fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
        self.forward(input, base)
    }

    fn compose<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let (dtype, delta) = (base.dtype(), self.pair.delta());
        let weight: Tensor<2> = matrix(base.clone()).cast(delta.dtype());
        let gain = self.gain(&weight).unsqueeze::<2>();
        ((weight + delta) * gain).reshape(base.shape()).cast(dtype)
    }

    fn describe(&self) -> String {
        format!("DoRA r={}", self.pair.rank())
    }

    fn peft_tensor(field: &str, dims: &[usize], owner: &Owner) -> Option<PeftTensor> {
        match field {
            "magnitude" => Some(PeftTensor::new("lora_magnitude_vector", dims)),
            _ => LowRank::peft_tensor(field.strip_prefix("pair.")?, dims, owner),
        }
    }
}

/// ‖W0 + s·B·A‖ of each output, outside the autodiff graph.
///
/// The norm is computed from ‖W0‖², ⟨W0, s·B·A⟩ and ‖s·B·A‖² with matrices of r rows. The only temporary tensor of W0's size is
/// its square, which is freed immediately.
fn norm(weight: &Tensor<2>, pair: &LowRank) -> Tensor<1> {
    let weight = weight.clone().detach().cast(pair.a.val().dtype());
    let a = pair.a.val().detach().mul_scalar(pair.scale); // [d_input, r]
    let b = pair.b.val().detach(); // [r, d_output]
    let crossed = a.clone().transpose().matmul(weight.clone()) * 2.0; // [r, d_output]
    let squared = a.clone().transpose().matmul(a).matmul(b.clone()); // [r, d_output]
    let square = weight.powi_scalar(2).sum_dim(0) + (b * (crossed + squared)).sum_dim(0);
    // A weight of zeros has no direction. Clamping makes its output 0 instead of 0/0.
    square.squeeze_dim::<1>(0).clamp_min(1e-24).sqrt()
}

/// The vector as a tensor of D axes, along the last axis.
fn wide<const D: usize>(vector: Tensor<1>) -> Tensor<D> {
    let [length] = vector.dims();
    let mut shape = [1; D];
    shape[D - 1] = length;
    vector.reshape(shape)
}

fn matrix<const D: usize>(weight: Tensor<D>) -> Tensor<2> {
    let dims = weight.dims();
    weight.reshape([dims[0], dims[1..].iter().product()])
}
