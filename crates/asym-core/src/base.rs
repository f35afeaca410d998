//! A linear layer as an adapter sees it.

use asym_kernels::{PackedWeight, linear, rounded_linear};
use burn::tensor::{DType, Tensor};

/// A linear layer without its adapter.
///
/// A weight in bf16 under an input in f32 is multiplied as [`rounded_linear`] says, with sums in f32. Otherwise all tensors have
/// one dtype.
#[derive(Debug, Clone)]
pub struct BaseLinear {
    /// W0, `[d_input, d_output]`.
    pub weight: Tensor<2>,
    /// The bias, `[d_output]`.
    pub bias: Option<Tensor<1>>,
    /// The copies of a weight in bf16, which the layer keeps.
    pub packed: PackedWeight,
}

impl BaseLinear {
    /// x·W0 + bias.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        let Self { weight, bias, packed } = self;
        if (input.dtype(), weight.dtype()) == (DType::F32, DType::BF16) {
            rounded_linear(input, weight, bias, &packed)
        } else {
            linear(input, weight, bias)
        }
    }
}
