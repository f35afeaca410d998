//! ΔW = (α/r)·B·A: LoRA, with either factor trained or frozen.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::module::linear;
use burn::tensor::{Tensor, TensorData};

use crate::init::{NoSvd, Shape};
use crate::random::stream;
use crate::{AdapterConfig, Factor};

/// The factor pair of one weight.
///
/// Burn stores a weight as `[d_input, d_output]`, so both factors are the transposes of the paper's and of PEFT's.
#[derive(Module, Debug)]
pub struct LowRank {
    /// Aᵀ: `[d_input, r]`.
    pub a: Param<Tensor<2>>,
    /// Bᵀ: `[r, d_output]`.
    pub b: Param<Tensor<2>>,
    /// s = α / r.
    pub scale: f64,
    /// Dropout on the adapter's input.
    pub dropout: Dropout,
}

impl LowRank {
    /// Draw the pair for the weight `name`, on the host, from the run's seed and the name.
    ///
    /// `weight` is W0 as Burn stores it, `[d_input, d_output]`; it is read only by the inits that start from it.
    pub(crate) fn init(config: &AdapterConfig, name: &str, weight: &Tensor<2>, seed: u64) -> Result<Self, NoSvd> {
        let device = &weight.device();
        let [d_input, d_output] = weight.dims();
        let rank = config.rank;
        let draw = |factor: Factor, field: &str, shape: Shape| {
            let mut rng = stream(seed, &format!("{name}.{field}"));
            let values = factor.init.draw(shape, weight, &mut rng)?;
            let tensor = Tensor::from_data(TensorData::new(values, shape.dims()), device);
            Ok(Param::from_tensor(tensor).set_require_grad(factor.train))
        };
        Ok(Self {
            a: draw(config.a, "lora_A", Shape::A { d_input, rank })?,
            b: draw(config.b, "lora_B", Shape::B { rank, d_output })?,
            scale: config.scale(),
            dropout: DropoutConfig::new(config.dropout).init(),
        })
    }

    /// The rank r.
    pub fn rank(&self) -> usize {
        self.a.shape()[1]
    }

    /// s·B(A(dropout(x))), what the adapter adds to the layer's output.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let hidden = linear(self.dropout.forward(input), self.a.val(), None);
        // Scaled while it is r wide.
        linear(hidden.mul_scalar(self.scale), self.b.val(), None)
    }

    /// s·A·B, `[d_input, d_output]`: what merging adds to the weight.
    pub fn delta(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()).mul_scalar(self.scale)
    }

    pub(super) fn peft_suffix(field: &str) -> Option<&'static str> {
        match field {
            "a" => Some("lora_A.weight"),
            "b" => Some("lora_B.weight"),
            _ => None,
        }
    }
}
