//! The linear layer that an adapter extends.

use asym_kernels::{PackedWeight, linear, rounded_linear};
use burn::tensor::{DType, Tensor};

/// A linear layer without its adapter.
///
/// If the weight is in bf16 and the input in f32, the product is that of [`rounded_linear`], with sums in f32. Otherwise, all
/// tensors must have the same dtype.
#[derive(Debug, Clone)]
pub struct BaseLinear {
    /// W0, `[d_input, d_output]`.
    pub weight: Tensor<2>,
    /// The bias, `[d_output]`.
    pub bias: Option<Tensor<1>>,
    /// The copies of a weight in bf16. The layer owns them.
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
