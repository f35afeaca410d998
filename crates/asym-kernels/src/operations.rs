//! The operations. On the host, with the feature `host`, each is a kernel. On other devices, it is its composed form.

#![cfg_attr(
    not(feature = "host"),
    allow(unused_variables, reason = "only the kernels choose what to keep and where a layer's epsilon is")
)]

use burn::nn::{self, LayerNorm};
#[cfg(feature = "host")]
use burn::tensor::DType;
use burn::tensor::{Device, Int, Tensor};

#[cfg(feature = "host")]
use crate::host;
use crate::{Heads, PackedWeight, Sequences, composed};

/// Whether tensors on `device` are in the host's memory and this crate has kernels for them.
///
/// Burn distinguishes backends only by cargo features, which the program chooses and not this crate, so this function checks
/// the name of the device. An unknown name only makes operations slower.
pub fn is_host(device: &Device) -> bool {
    cfg!(feature = "host") && format!("{device:?}").contains("Flex")
}

/// How an operation on the host keeps f32 activations for its backward pass.
///
/// This affects neither the outputs nor operations on other devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// Without rounding.
    #[default]
    Exact,
    /// Rounded to bf16, which takes half the memory. Gradients then have relative errors of about 2⁻⁹, the precision of bf16.
    Rounded,
}

/// softmax(Q·Kᵀ/√width + bias)·V for each head, with dropout of the probabilities.
///
/// On the host, autodiff keeps Q, K and V in the form of `kept`, and no tensor of size queries · keys.
///
/// # Shapes
///
/// - query, output: `[batch, queries, heads · width]`
/// - key, value: `[batch, keys, key-value heads · width]`
/// - bias: `[batch, 1, 1, keys]`, added to the scores of each key, without a gradient
///
/// # Panics
///
/// Panics if the number of heads does not divide the number of features, or if causal attention has more queries than keys.
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
    assert!(!heads.causal || queries <= keys, "causal attention of {queries} queries to {keys} keys");
    #[cfg(feature = "host")]
    if host::takes(&query) && batch * queries * keys * width > 0 {
        let sequences = Sequences::uniform(batch, queries, keys);
        return host::attention([query, key, value], bias, sequences, heads, dropout, kept);
    }
    composed::attention(query, key, value, bias, heads, dropout)
}

/// [`attention`] within each of `sequences`, which are stored without padding between them.
///
/// # Shapes
///
/// - query, output: `[1, rows of queries, heads · width]`
/// - key, value: `[1, rows of keys, key-value heads · width]`
///
/// # Panics
///
/// Panics if the number of heads does not divide the number of features, if sequences exceed the rows, if a sequence is empty, or
/// if causal attention has more queries than keys.
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
        assert!(!heads.causal || of_query.len() <= of_key.len(), "causal attention of {of_query:?} to {of_key:?}");
    }
    #[cfg(feature = "host")]
    if host::takes(&query) {
        return host::attention([query, key, value], None, sequences.clone(), heads, dropout, kept);
    }
    composed::packed_attention(query, key, value, sequences, heads, dropout)
}

/// LayerNorm(dropout(x) + residual).
///
/// `epsilon` must be that of `norm`, where it is private. On the host, autodiff keeps the normalized rows in the form of `kept`.
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
    assert_eq!(input.dims(), residual.dims(), "the shapes of input and residual");
    #[cfg(feature = "host")]
    if let Some(beta) = norm.beta.as_ref().filter(|_| host::takes(&input)) {
        return host::residual_norm((norm, beta, epsilon), dropout, input, residual, kept);
    }
    composed::residual_norm(norm, epsilon, dropout, input, residual)
}

/// LayerNorm(x). In half precision, mean and variance are computed in f32.
///
/// `epsilon` must be that of `norm`, where it is private. On the host, autodiff keeps the normalized rows in the form of `kept`.
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

/// γ · x / √(mean of x² + ε). In half precision, the mean is computed in f32.
///
/// In half precision, the normalized rows are rounded before they are multiplied by γ, as in transformers for Llama. On the
/// host, autodiff keeps the input in the form of `kept`.
///
/// # Shapes
///
/// - gamma: `[features]`
/// - input, output: `[..., features]`, of one dtype
///
/// # Panics
///
/// Panics if the length of γ differs from the number of features of the input.
pub fn rms_norm<const D: usize>(gamma: Tensor<1>, epsilon: f64, input: Tensor<D>, kept: Kept) -> Tensor<D> {
    assert_eq!(gamma.dims(), [input.dims()[D - 1]], "the shape of γ");
    #[cfg(feature = "host")]
    if host::takes(&input) && !input.dims().contains(&0) {
        return host::rms_norm(gamma, epsilon, input, kept);
    }
    composed::rms_norm(gamma, epsilon, input)
}

/// The angles by which the pairs of a head's features are rotated. They are not trained.
///
/// Both tensors are `[batch or 1, length, width / 2]`. They are in f32, even if the input is in half precision.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The cosine of each angle.
    pub cos: Tensor<3>,
    /// The sine of each angle.
    pub sin: Tensor<3>,
}

/// Rotary position embedding: the halves x₁ and x₂ of each head become x₁·cos − x₂·sin and x₂·cos + x₁·sin.
///
/// On the host, autodiff keeps the cosines and sines, which all layers share.
///
/// # Shapes
///
/// - input, output: `[batch, length, heads · width]`
///
/// # Panics
///
/// Panics if the shape of the angles does not match the sequences, positions and features of the input.
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
/// The output of Burn's own `gelu` is exact on every backend, but its gradient is exact only on flex. On other backends, it is
/// the gradient of the tanh approximation. On the host, autodiff keeps the input or, with [`Kept::Rounded`], the derivative in 8
/// bits with an error of at most 0.0025.
pub fn gelu<const D: usize>(input: Tensor<D>, kept: Kept) -> Tensor<D> {
    #[cfg(feature = "host")]
    if host::takes(&input) {
        return host::gelu(input, kept);
    }
    composed::gelu(input)
}

/// silu(gate) · up.
///
/// On the host, autodiff keeps gate and up if the gate is tracked, and only the gate if only `up` is tracked, in the form of
/// `kept`.
///
/// # Shapes
///
/// - gate, up, output: any shape, the same for all
///
/// # Panics
///
/// Panics if shapes differ.
pub fn gated_silu<const D: usize>(gate: Tensor<D>, up: Tensor<D>, kept: Kept) -> Tensor<D> {
    assert_eq!(gate.dims(), up.dims(), "the shapes of gate and up");
    #[cfg(feature = "host")]
    if host::takes(&gate) && gate.dtype() == up.dtype() {
        return host::gated_silu(gate, up, kept);
    }
    composed::gated_silu(gate, up)
}

/// Cross-entropy with label smoothing, averaged over the rows: (1 − ε) times −log p of the label, plus ε times the mean of −log p
/// over all classes, with p = softmax(logits) and ε = `smoothing`.
///
/// In half precision, the loss is computed in f32. On the host, autodiff keeps the logits. They are not copied unless the caller
/// has another handle to them.
///
/// Source: Szegedy et al., 2016 (arXiv:1512.00567), as in `LabelSmoother` of transformers.
///
/// # Shapes
///
/// - logits: `[rows, classes]`
/// - labels: `[rows]`, each in 0..classes
/// - output: `[1]`, f32 for logits in f32 or in half precision
///
/// # Panics
///
/// Panics if the numbers of rows differ, or if a label is not a class. Not every backend notices such a label.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    assert_eq!(logits.dims()[0], labels.dims()[0], "the numbers of rows of logits and labels");
    #[cfg(feature = "host")]
    if host::takes(&logits) && !logits.dims().contains(&0) {
        return host::cross_entropy(logits, labels, smoothing);
    }
    composed::cross_entropy(logits, labels, smoothing)
}

/// Dropout with `layer`'s probability. It is active only in training, on a device with autodiff.
///
/// The mask is reproducible with `Device::seed`, but it differs from that of Burn's own dropout. On the host, no tensor is kept
/// for the backward pass.
pub fn dropout<const D: usize>(layer: &nn::Dropout, input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "host")]
    if host::takes(&input) {
        return host::dropout(layer, input);
    }
    composed::dropout(layer, input)
}

/// x·W + bias.
///
/// Burn's own linear layer multiplies sequence by sequence if the length of a sequence is a multiple of the tile size. This is
/// fast on a GPU, but on the host the layout of the weight is changed again for each sequence. This function instead multiplies
/// all rows in one product on the host, and adds the product to rows that contain the bias.
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

/// x·W + bias for x in f32 and a frozen W in bf16. x is rounded to bf16 if this makes the product faster. Sums are in f32.
///
/// Only the weight is kept for the backward pass, and the layer has it in any case. On devices other than the host, x is always
/// rounded to bf16, and the product is computed and rounded in bf16 by the device.
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
    /// The scale s.
    pub scale: f64,
}

/// `output` + s·(x·A)·B.
///
/// On the host, s·x·A, which has r features, is kept for the backward pass if B is tracked, and `input` if A is tracked.
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
