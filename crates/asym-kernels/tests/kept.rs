//! Tests of rounded activations: the outputs are the same, and the errors of the gradients are as small as the rounding errors.
#![allow(clippy::unwrap_used, missing_docs)]

use asym_kernels::{
    Heads, Kept, Sequences, attention, gated_silu, gelu, layer_norm, packed_attention, residual_norm, rms_norm,
};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LENGTH: usize = 37;
const WIDTH: usize = 48;

fn random(seed: u64) -> Tensor<3> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..2 * LENGTH * WIDTH).map(|_| rng.random_range(-3.0f32..3.0)).collect();
    Tensor::from_data(TensorData::new(values, [2, LENGTH, WIDTH]), &Device::flex().autodiff())
}

fn values(tensor: Tensor<3>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The output, and the gradients of the inputs for a weighted sum of the output.
fn pass(operation: &dyn Fn([Tensor<3>; 3], Kept) -> Tensor<3>, kept: Kept) -> (Vec<f32>, Vec<Vec<f32>>) {
    let inputs = [1, 2, 3].map(|seed| random(seed).require_grad());
    let output = operation(inputs.clone(), kept);
    let weights = random(4).reshape(output.dims());
    let gradients = (output.clone() * weights).sum().backward();
    (values(output), inputs.iter().filter_map(|input| input.grad(&gradients)).map(values).collect())
}

#[test]
fn rounding_changes_only_gradients_and_only_slightly() {
    let device = Device::flex().autodiff();
    let none: Dropout = DropoutConfig::new(0.0).init();
    let tenth: Dropout = DropoutConfig::new(0.1).init();
    let norm: LayerNorm = LayerNormConfig::new(WIDTH).init(&device);
    let gamma = Tensor::<1>::ones([WIDTH], &device);
    let sequences = Sequences::new([30, 2 * LENGTH - 30]);
    let packed = |tensor: Tensor<3>| tensor.reshape([1, 2 * LENGTH, WIDTH]);
    let heads = Heads::new(3);
    type Operation<'a> = Box<dyn Fn([Tensor<3>; 3], Kept) -> Tensor<3> + 'a>;
    let operations: Vec<(&str, Operation<'_>)> = vec![
        ("attention", Box::new(|[q, k, v], kept| attention(q, k, v, None, heads, &none, kept))),
        (
            "packed attention",
            Box::new(|inputs, kept| {
                let [q, k, v] = inputs.map(packed);
                packed_attention(q, k, v, &sequences, heads, &none, kept)
            }),
        ),
        ("residual norm", Box::new(|[x, r, _], kept| residual_norm(&norm, 1e-5, &none, x, r, kept))),
        ("layer norm", Box::new(|[x, ..], kept| layer_norm(&norm, 1e-5, x, kept))),
        ("RMS norm", Box::new(|[x, ..], kept| rms_norm(gamma.clone(), 1e-5, x, kept))),
        ("GELU", Box::new(|[x, ..], kept| gelu(x, kept))),
        ("gated SiLU", Box::new(|[gate, up, _], kept| gated_silu(gate, up, kept))),
        ("gated SiLU without a tracked gate", Box::new(|[gate, up, _], kept| gated_silu(gate.detach(), up, kept))),
        // The next operation changes GELU's output in place and computes its gradient.
        ("two in a row", Box::new(|[x, r, _], kept| residual_norm(&norm, 1e-5, &none, gelu(x, kept), r, kept))),
    ];
    for (name, operation) in &operations {
        let ((output, exact), (same, rounded)) = (pass(operation, Kept::Exact), pass(operation, Kept::Rounded));
        assert_eq!(output, same, "{name}: outputs");
        assert!(!exact.is_empty() && exact.len() == rounded.len());
        assert_ne!(exact, rounded, "{name}: nothing was rounded");
        for (exact, rounded) in exact.iter().zip(&rounded) {
            let largest = exact.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            let worst = exact.iter().zip(rounded).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst <= 1e-2 * largest, "{name}: a gradient differs by {worst}, the largest is {largest}");
        }
    }
    // With dropout, the backward pass has the same mask as the forward pass, so the share of zeros in the gradient is about 0.1.
    let x = random(1).require_grad();
    let zeros = Tensor::<3>::zeros([2, LENGTH, WIDTH], &device);
    let dropped = residual_norm(&norm, 1e-5, &tenth, x.clone(), zeros, Kept::Rounded);
    let gradient = values(x.grad(&(dropped * random(4)).sum().backward()).unwrap());
    let share = gradient.iter().filter(|value| **value == 0.0).count() as f32 / gradient.len() as f32;
    assert!((0.07..0.13).contains(&share), "{share} of the gradient is zero");
}

#[test]
fn the_8_bit_gelu_derivative_is_exact_for_large_inputs() {
    let x = Tensor::<3>::from_floats([[[-40.0f32, -8.0, 8.0, 40.0]]], &Device::flex().autodiff()).require_grad();
    let gradients = gelu(x.clone(), Kept::Rounded).sum().backward();
    assert_eq!(values(x.grad(&gradients).unwrap()), [0.0, 0.0, 1.0, 1.0]);
}
