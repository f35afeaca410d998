//! The operations. Each is a kernel on the host, with the feature `host`, and its composed form elsewhere.

#![cfg_attr(
    not(feature = "host"),
    allow(unused_variables, reason = "only the kernels choose what to keep and where a layer's epsilon is")
)]

use burn::nn::{self, LayerNorm};
#[cfg(feature = "host")]
use burn::tensor::DType;
use burn::tensor::{Device, Tensor};

#[cfg(feature = "host")]
use crate::host;
use crate::{Heads, PackedWeight, Sequences, composed};

/// Whether tensors on `device` lie in the host's memory and this crate has its kernels for them.
///
/// Burn distinguishes backends only by cargo features, which belong to the program and not to this crate, so the name
/// of the device has to do. A name that is not known costs speed, nothing else.
pub fn is_host(device: &Device) -> bool {
    cfg!(feature = "host") && format!("{device:?}").contains("Flex")
}

/// How an operation keeps activations of f32 for its backward pass on the host.
///
/// It changes neither outputs nor what operations of other devices keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// Without rounding.
    #[default]
    Exact,
    /// Rounded to bf16, in half the memory. Gradients then have relative errors of about 2⁻⁹, the precision of bf16.
    Rounded,
}

/// softmax(Q·Kᵀ/√width + bias)·V for each head, with dropout of the probabilities.
///
/// On the host, autodiff keeps Q, K and V, as `kept` says, and nothing of size queries · keys.
///
/// # Shapes
///
/// - query, output: `[batch, queries, heads · width]`
/// - key, value: `[batch, keys, key-value heads · width]`
/// - bias: `[batch, 1, 1, keys]`, added to the scores of each key; not learned
///
/// # Panics
///
/// Panics if heads do not divide the features, or causal attention has more queries than keys.
pub fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    bias: Option<&Tensor<4>>,
    heads: Heads,
    dropout: &nn::Dropout,
    kept: Kept,
) -> Tensor<3> {
    let ([batch, queries, _], [_, keys, _]) = (query.dims(), key.dims());
    let width = heads.width(&query, &key);
    assert!(!heads.causal || queries <= keys, "{queries} queries stand at the end of {keys} keys");
    #[cfg(feature = "host")]
    if host::takes(&query) && batch * queries * keys * width > 0 {
        let sequences = Sequences::uniform(batch, queries, keys);
        return host::attention([query, key, value], bias, sequences, heads, dropout, kept);
    }
    composed::attention(query, key, value, bias, heads, dropout)
}

/// [`attention`] within each of `sequences`, whose rows follow each other directly: no work is done on padding.
///
/// # Shapes
///
/// - query, output: `[1, rows of queries, heads · width]`
/// - key, value: `[1, rows of keys, key-value heads · width]`
///
/// # Panics
///
/// Panics if heads do not divide the features, if sequences do not fit the rows, if one is empty, or if causal attention has more
/// queries than keys.
pub fn packed_attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    sequences: &Sequences,
    heads: Heads,
    dropout: &nn::Dropout,
    kept: Kept,
) -> Tensor<3> {
    let ([_, queries, _], [_, keys, _]) = (query.dims(), key.dims());
    heads.width(&query, &key);
    for (of_query, of_key) in sequences.rows() {
        let fits = of_query.end <= queries && of_key.end <= keys && !of_query.is_empty() && !of_key.is_empty();
        assert!(fits, "queries {of_query:?} and keys {of_key:?} in {queries} and {keys} rows");
        assert!(!heads.causal || of_query.len() <= of_key.len(), "{of_query:?} stand at the end of {of_key:?}");
    }
    #[cfg(feature = "host")]
    if host::takes(&query) {
        return host::attention([query, key, value], None, sequences.clone(), heads, dropout, kept);
    }
    composed::packed_attention(query, key, value, sequences, heads, dropout)
}

/// LayerNorm(dropout(x) + residual).
///
/// `epsilon` is that of `norm`, which keeps it to itself. On the host, autodiff keeps the normalized rows, as `kept` says.
///
/// # Shapes
///
/// - both inputs, output: `[..., features]`
///
/// # Panics
///
/// Panics if shapes differ.
pub fn residual_norm<const D: usize>(
    norm: &LayerNorm,
    epsilon: f64,
    dropout: &nn::Dropout,
    input: Tensor<D>,
    residual: Tensor<D>,
    kept: Kept,
) -> Tensor<D> {
    assert_eq!(input.dims(), residual.dims(), "the two terms of a residual connection");
    #[cfg(feature = "host")]
    if let Some(beta) = norm.beta.as_ref().filter(|_| host::takes(&input)) {
        return host::residual_norm((norm, beta, epsilon), dropout, input, residual, kept);
    }
    composed::residual_norm(norm, epsilon, dropout, input, residual)
}

/// LayerNorm(x), with statistics in f32 regardless of the dtype.
///
/// `epsilon` is that of `norm`, which keeps it to itself. On the host, autodiff keeps the normalized rows, as `kept` says.
///
/// # Shapes
///
/// - input, output: `[..., features]`
pub fn layer_norm<const D: usize>(norm: &LayerNorm, epsilon: f64, input: Tensor<D>, kept: Kept) -> Tensor<D> {
    #[cfg(feature = "host")]
    if let Some(beta) = norm.beta.as_ref().filter(|_| host::takes(&input)) {
        return host::layer_norm((norm, beta, epsilon), input, kept);
    }
    composed::layer_norm(norm, epsilon, input)
}

/// γ · x / √(mean of x² + ε), with statistics in f32 regardless of the dtype.
///
/// In half precision the normalized rows are rounded before γ multiplies them, as Llama's are in transformers. On the
/// host, autodiff keeps the input, as `kept` says.
///
/// # Shapes
///
/// - gamma: `[features]`
/// - input, output: `[..., features]`, of one dtype
///
/// # Panics
///
/// Panics if γ has not as many features as the input.
pub fn rms_norm<const D: usize>(gamma: Tensor<1>, epsilon: f64, input: Tensor<D>, kept: Kept) -> Tensor<D> {
    assert_eq!(gamma.dims(), [input.dims()[D - 1]], "the scale of a norm");
    #[cfg(feature = "host")]
    if host::takes(&input) && !input.dims().contains(&0) {
        return host::rms_norm(gamma, epsilon, input, kept);
    }
    composed::rms_norm(gamma, epsilon, input)
}

/// The angles by which the pairs of a head's features are turned; not learned.
///
/// Both are `[batch or 1, length, width / 2]`, in f32 also where the rows that they turn are not.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Cosine of each angle.
    pub cos: Tensor<3>,
    /// Sine of each angle.
    pub sin: Tensor<3>,
}

/// Every head of `input`, turned: x₁·cos − x₂·sin and x₂·cos + x₁·sin, of its first and its second half.
///
/// On the host, autodiff keeps the cosines and sines, which all layers share.
///
/// # Shapes
///
/// - input, output: `[batch, length, heads · width]`
///
/// # Panics
///
/// Panics if the angles are not those of as many sequences, positions and pairs.
pub fn rotary(input: Tensor<3>, heads: usize, rotation: &Rotation) -> Tensor<3> {
    let [batch, length, features] = input.dims();
    let angles @ [sequences, positions, half] = rotation.cos.dims();
    assert!(
        angles == rotation.sin.dims()
            && (sequences == 1 || sequences == batch)
            && positions == length
            && features == heads * 2 * half,
        "cosines of {angles:?} and sines of {:?} for {:?} in {heads} heads",
        rotation.sin.dims(),
        input.dims()
    );
    #[cfg(feature = "host")]
    if host::takes(&input) && !input.dims().contains(&0) {
        return host::rotary(input, rotation);
    }
    composed::rotary(input, heads, rotation)
}

/// x·Φ(x), with its exact gradient Φ(x) + x·φ(x).
///
/// Burn's own `gelu` is exact forward everywhere, but backward only on flex: elsewhere its gradient is that of the tanh
/// approximation. On the host, autodiff keeps the input, or with [`Kept::Rounded`] the derivative in 8 bits, which is off by
/// 0.0025 at the most.
pub fn gelu<const D: usize>(input: Tensor<D>, kept: Kept) -> Tensor<D> {
    #[cfg(feature = "host")]
    if host::takes(&input) {
        return host::gelu(input, kept);
    }
    composed::gelu(input)
}

/// silu(gate) · up.
///
/// On the host, autodiff keeps both where the gate is tracked, and the gate alone where only `up` is, as `kept` says.
///
/// # Shapes
///
/// - gate, up, output: the same
///
/// # Panics
///
/// Panics if shapes differ.
pub fn gated_silu<const D: usize>(gate: Tensor<D>, up: Tensor<D>, kept: Kept) -> Tensor<D> {
    assert_eq!(gate.dims(), up.dims(), "a gate and what passes it");
    #[cfg(feature = "host")]
    if host::takes(&gate) && gate.dtype() == up.dtype() {
        return host::gated_silu(gate, up, kept);
    }
    composed::gated_silu(gate, up)
}

/// Dropout with `layer`'s probability. It is active only in training, on a device with autodiff.
///
/// Reproducible from `Device::seed`, as Burn's own, but with other numbers. On the host nothing is kept for backward.
pub fn dropout<const D: usize>(layer: &nn::Dropout, input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "host")]
    if host::takes(&input) {
        return host::dropout(layer, input);
    }
    composed::dropout(layer, input)
}

/// x·W + bias.
///
/// Burn's own multiplies sequence by sequence wherever a sequence is a whole number of tiles long, which suits a GPU; on the
/// host it copies the weight into a new layout for each of them. Here all rows are one product, which adds to rows that hold
/// the bias.
///
/// # Shapes
///
/// - input: `[..., d_input]`
/// - weight: `[d_input, d_output]`
/// - bias: `[d_output]`
/// - output: `[..., d_output]`
pub fn linear<const D: usize>(input: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    #[cfg(feature = "host")]
    {
        let dtype = input.dtype();
        let one_dtype = weight.dtype() == dtype && bias.as_ref().is_none_or(|bias| bias.dtype() == dtype);
        if one_dtype && host::takes(&input) && D >= 2 && !input.dims().contains(&0) {
            return host::linear(input, weight, bias);
        }
    }
    composed::linear(input, weight, bias)
}

/// x·W + bias for x in f32 and a frozen W in bf16: the product rounds x to bf16 where that is faster, and sums in f32.
///
/// Only the weight is kept for backward, which the layer has in any case. On a device that is not the host's memory, x is
/// rounded, and the product is rounded once more, as that device gives it.
///
/// # Shapes
///
/// - input: `[..., d_input]`, f32
/// - weight: `[d_input, d_output]`, bf16
/// - bias: `[d_output]`, f32
/// - output: `[..., d_output]`, f32
pub fn rounded_linear<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    packed: &PackedWeight,
) -> Tensor<D> {
    #[cfg(feature = "host")]
    {
        let dtypes = input.dtype() == DType::F32
            && weight.dtype() == DType::BF16
            && bias.as_ref().is_none_or(|bias| bias.dtype() == DType::F32);
        if dtypes && host::takes(&input) && D >= 2 && !input.dims().contains(&0) && !weight.dims().contains(&0) {
            return host::rounded_linear(input, weight, bias, packed);
        }
    }
    composed::rounded_linear(input, weight, bias)
}

/// The factors of an update of rank r.
#[derive(Debug, Clone)]
pub struct LowRank {
    /// Aᵀ: `[d_input, r]`.
    pub a: Tensor<2>,
    /// Bᵀ: `[r, d_output]`.
    pub b: Tensor<2>,
    /// The factor s.
    pub scale: f64,
}

/// `output` + s·(x·A)·B.
///
/// On the host, s·x·A, which is r wide, is kept for backward where B is tracked, and `input` where A is.
///
/// # Shapes
///
/// - output: `[..., d_output]`
/// - input: `[..., d_input]`
pub fn add_low_rank<const D: usize>(output: Tensor<D>, input: Tensor<D>, update: LowRank) -> Tensor<D> {
    #[cfg(feature = "host")]
    {
        let dtypes = [output.dtype(), input.dtype(), update.a.dtype(), update.b.dtype()];
        if dtypes == [DType::F32; 4] && host::takes(&output) && D >= 2 && !input.dims().contains(&0) {
            return host::add_low_rank(output, input, update);
        }
    }
    composed::add_low_rank(output, input, update)
}
