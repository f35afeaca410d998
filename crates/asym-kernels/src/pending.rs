//! placeholder
use burn::tensor::{DType, Tensor, activation};
/// x
#[derive(Debug, Clone)]
pub struct Rotation {
    /// x
    pub cos: Tensor<3>,
    /// x
    pub sin: Tensor<3>,
}
/// x
pub fn rms_norm<const D: usize>(gamma: Tensor<1>, epsilon: f64, input: Tensor<D>) -> Tensor<D> {
    let dtype = input.dtype();
    let x = input.cast(DType::F32);
    let mean = x.clone().powi_scalar(2).mean_dim(D - 1);
    let y = x / (mean + epsilon).sqrt();
    y.cast(dtype) * gamma.unsqueeze()
}
/// x
pub fn rotary(input: Tensor<3>, heads: usize, rotation: &Rotation) -> Tensor<3> {
    let dtype = input.dtype();
    let [b, l, f] = input.dims();
    let h = f / heads / 2;
    let x = input.cast(DType::F32).reshape([b, l, heads, 2 * h]);
    let first = x.clone().slice([0..b, 0..l, 0..heads, 0..h]);
    let second = x.slice([0..b, 0..l, 0..heads, h..2 * h]);
    let cos = rotation.cos.clone().unsqueeze_dim::<4>(2);
    let sin = rotation.sin.clone().unsqueeze_dim::<4>(2);
    let a = first.clone() * cos.clone() - second.clone() * sin.clone();
    let c = second * cos + first * sin;
    Tensor::cat(vec![a, c], 3).reshape([b, l, f]).cast(dtype)
}
/// x
pub fn gated_silu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    activation::silu(gate) * up
}
