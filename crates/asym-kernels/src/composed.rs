//! The same operations, composed of Burn's own operations, for other backends and dtypes. They are the reference in the tests.

use std::f64::consts::{FRAC_1_SQRT_2, PI};
use std::ops::Range;

use burn::nn::{self, LayerNorm};
use burn::tensor::activation::{self, log_softmax, softmax};
use burn::tensor::{Bool, DType, Int, Tensor, module};

use crate::{Heads, LowRank, Rotation, Sequences};

/// The same result as [`attention`](crate::attention()).
pub fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    bias: Option<&Tensor<4>>,
    heads: Heads,
    dropout: &nn::Dropout,
) -> Tensor<3> {
    let ([batch, queries, features], [_, keys, _]) = (query.dims(), key.dims());
    let width = features / heads.query;
    let group = heads.query / heads.key_value;
    let split = |projected: Tensor<3>, length, heads| {
        projected
            .reshape([batch, length, heads, width]) // [batch, length, heads, width]
            .swap_dims(1, 2) // [batch, heads, length, width]
    };
    let shared = |projected: Tensor<3>| {
        let split = split(projected, keys, heads.key_value);
        if group == 1 {
            split
        } else {
            split.unsqueeze_dim::<5>(2).repeat_dim(2, group).reshape([batch, heads.query, keys, width])
        }
    };
    // The query is scaled instead of the scores, because there are more scores if length > width.
    let query = split(query * (width as f64).powf(-0.5), queries, heads.query);
    let (key, value) = (shared(key), shared(value));

    let scores = query.matmul(key.swap_dims(2, 3)); // [batch, heads, queries, keys]
    let scores = match bias {
        Some(bias) => scores + bias.clone(),
        None => scores,
    };
    let scores = match heads.causal {
        true => {
            let later = later_keys(queries, keys, &scores);
            scores.mask_fill(later, f64::NEG_INFINITY)
        }
        false => scores,
    };
    let dtype = scores.dtype();
    let probabilities = match dtype {
        // Half precision is not enough for the sum of many small numbers.
        DType::F16 | DType::BF16 => softmax(scores.cast(DType::F32), 3).cast(dtype),
        _ => softmax(scores, 3),
    };
    dropout
        .forward(probabilities)
        .matmul(value) // [batch, heads, queries, width]
        .swap_dims(1, 2) // [batch, queries, heads, width]
        .reshape([batch, queries, features]) // [batch, queries, features]
}

/// The same result as [`packed_attention`](crate::packed_attention()), sequence by sequence.
pub fn packed_attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    sequences: &Sequences,
    heads: Heads,
    dropout: &nn::Dropout,
) -> Tensor<3> {
    let part = |tensor: &Tensor<3>, rows: Range<usize>| tensor.clone().narrow(1, rows.start, rows.len());
    let each = sequences.rows().map(|(queries, keys)| {
        let [query, key, value] = [part(&query, queries), part(&key, keys.clone()), part(&value, keys)];
        attention(query, key, value, None, heads, dropout)
    });
    Tensor::cat(each.collect(), 1)
}

/// Whether the position of a key is after that of the query: `[1, 1, queries, keys]`.
fn later_keys(queries: usize, keys: usize, like: &Tensor<4>) -> Tensor<4, Bool> {
    let device = like.device();
    let place = |end: usize| Tensor::<1, Int>::arange(0..end as i64, &device);
    let of_query = place(queries).add_scalar((keys - queries) as i64).reshape([1, 1, queries, 1]);
    place(keys).reshape([1, 1, 1, keys]).greater(of_query)
}

/// The same result as [`cross_entropy`](crate::cross_entropy()).
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let logits = match logits.dtype() {
        DType::F16 | DType::BF16 => logits.cast(DType::F32),
        _ => logits,
    };
    let log_probabilities = log_softmax(logits, 1);
    let of_labels = log_probabilities.clone().gather(1, labels.unsqueeze_dim(1)).mean().neg();
    if smoothing == 0.0 {
        return of_labels;
    }
    // The means of the rows are computed first, because a sum over all elements would lose precision.
    let of_all = log_probabilities.mean_dim(1).mean().neg();
    of_labels * (1.0 - smoothing) + of_all * smoothing
}

/// The same result as [`residual_norm`](crate::residual_norm()).
pub fn residual_norm<const D: usize>(
    norm: &LayerNorm,
    epsilon: f64,
    dropout: &nn::Dropout,
    input: Tensor<D>,
    residual: Tensor<D>,
) -> Tensor<D> {
    layer_norm(norm, epsilon, dropout.forward(input) + residual)
}

/// The same result as [`layer_norm`](crate::layer_norm()). Burn's own layer norm computes mean and variance in the input's dtype.
pub fn layer_norm<const D: usize>(norm: &LayerNorm, epsilon: f64, input: Tensor<D>) -> Tensor<D> {
    let dtype = input.dtype();
    if !matches!(dtype, DType::F16 | DType::BF16) {
        return norm.forward(input);
    }
    let rows = input.cast(DType::F32);
    let centered = rows.clone() - rows.mean_dim(D - 1);
    let variance = (centered.clone() * centered.clone()).mean_dim(D - 1);
    let normalized = centered / (variance + epsilon).sqrt() * norm.gamma.val().cast(DType::F32).unsqueeze();
    match &norm.beta {
        Some(beta) => normalized + beta.val().cast(DType::F32).unsqueeze(),
        None => normalized,
    }
    .cast(dtype)
}

/// The same result as [`rms_norm`](crate::rms_norm()).
pub fn rms_norm<const D: usize>(gamma: Tensor<1>, epsilon: f64, input: Tensor<D>) -> Tensor<D> {
    let dtype = input.dtype();
    // In half precision, squares can overflow and ε can be rounded to zero.
    let rows = input.cast(full(dtype));
    let mean = (rows.clone() * rows.clone()).mean_dim(D - 1);
    (rows / (mean + epsilon).sqrt()).cast(dtype) * gamma.cast(dtype).unsqueeze()
}

/// The same result as [`rotary`](crate::rotary()).
pub fn rotary(input: Tensor<3>, heads: usize, rotation: &Rotation) -> Tensor<3> {
    let (dtype, [batch, length, features]) = (input.dtype(), input.dims());
    let [_, _, half] = rotation.cos.dims();
    let rows = input.cast(full(dtype)).reshape([batch, length, heads, 2 * half]);
    let (first, second) = (rows.clone().narrow(3, 0, half), rows.narrow(3, half, half));
    // The angles are the same for every head: [batch or 1, length, 1, width / 2].
    let [cos, sin] =
        [&rotation.cos, &rotation.sin].map(|angles| angles.clone().cast(full(dtype)).unsqueeze_dim::<4>(2));
    let turned = [
        first.clone() * cos.clone() - second.clone() * sin.clone(), // [batch, length, heads, width / 2]
        second * cos + first * sin,
    ];
    Tensor::cat(turned.into(), 3).reshape([batch, length, features]).cast(dtype)
}

/// The dtype in which tensors of `dtype` are computed: f32 for half precision, and `dtype` otherwise.
fn full(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) { DType::F32 } else { dtype }
}

/// Like [`dropout`](crate::dropout()), with Burn's mask, which is kept for the backward pass.
pub fn dropout<const D: usize>(layer: &nn::Dropout, input: Tensor<D>) -> Tensor<D> {
    layer.forward(input)
}

/// The same result as [`linear`](crate::linear()).
pub fn linear<const D: usize>(input: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    module::linear(input, weight, bias)
}

/// Like [`rounded_linear`](crate::rounded_linear()), with the backend's own product in the dtype of the weight.
pub fn rounded_linear<const D: usize>(input: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let dtype = input.dtype();
    let product = module::linear(input.cast(weight.dtype()), weight, None).cast(dtype);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// The same result as [`add_low_rank`](crate::add_low_rank()).
pub fn add_low_rank<const D: usize>(output: Tensor<D>, input: Tensor<D>, update: LowRank) -> Tensor<D> {
    let LowRank { a, b, scale } = update;
    // The scale is applied here because this tensor has only r features.
    output + module::linear(module::linear(input, a, None).mul_scalar(scale), b, None)
}

/// The same result as [`gated_silu`](crate::gated_silu()).
pub fn gated_silu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    activation::silu(gate) * up
}

/// The same result as [`gelu`](crate::gelu()). It is computed as y = x·g − x₀·(x₀·φ(x₀)), where x₀ is a detached copy of x and
/// g = Φ(x₀) + x₀·φ(x₀) is the derivative at x₀. Autodiff treats both as constants.
///
/// The value x·Φ(x) and the gradient g are both exact, and autodiff keeps only g. The plain composition
/// x·(1 + erf(x/√2))/2 keeps three tensors of this size. Only first derivatives are correct, as in all of Burn's autodiff.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !x.device().is_autodiff() {
        return activation::gelu(x);
    }
    let point = x.clone().detach();
    let cdf = (point.clone() * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    let density = (point.clone() * point.clone() * -0.5).exp() * (1.0 / (2.0 * PI).sqrt());
    let weighted = point.clone() * density; // x·φ(x)
    let derivative = cdf + weighted.clone();
    x * derivative - point * weighted
}
