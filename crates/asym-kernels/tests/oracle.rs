//! Comparison of each operation with its composed form: values and gradients for several shapes, strides, masks and dtypes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::slice;

use asym_kernels::{
    Heads, Kept, LowRank, Rotation, Sequences, add_low_rank, attention, composed, cross_entropy, dropout, gated_silu,
    gelu, layer_norm, linear, packed_attention, residual_norm, rms_norm, rotary,
};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn device() -> Device {
    Device::flex().autodiff()
}

fn none() -> Dropout {
    DropoutConfig::new(0.0).init()
}

fn exact_rms_norm(gamma: Tensor<1>, epsilon: f64, input: Tensor<3>) -> Tensor<3> {
    rms_norm(gamma, epsilon, input, Kept::Exact)
}

fn random<const D: usize>(shape: [usize; D], rng: &mut impl Rng) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The largest difference, relative to the largest value of the reference.
fn error(values: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(values.len(), reference.len());
    let largest = reference.iter().fold(1e-30f64, |largest, value| largest.max(value.abs()));
    values.iter().zip(reference).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
}

/// The values of the output and the gradients of the tracked inputs. The loss has a different weight for each output.
struct Pass {
    output: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

/// An operation on tracked inputs of rank 3 and of rank 2.
type Apply<'a> = &'a dyn Fn(Vec<Tensor<3>>, Vec<Tensor<2>>) -> Tensor<3>;

/// Run `apply` with inputs of this dtype. `rows` are its inputs of rank 3, and `matrices` its inputs of rank 2.
fn pass(
    rows: &[Tensor<3>],
    matrices: &[Tensor<2>],
    dtype: FloatDType,
    apply: &dyn Fn(Vec<Tensor<3>>, Vec<Tensor<2>>) -> Tensor<3>,
) -> Pass {
    let rows: Vec<_> = rows.iter().map(|leaf| leaf.clone().detach().cast(dtype).require_grad()).collect();
    let matrices: Vec<_> = matrices.iter().map(|leaf| leaf.clone().detach().cast(dtype).require_grad()).collect();
    let output = apply(rows.clone(), matrices.clone());
    let weights = random(output.dims(), &mut ChaCha8Rng::seed_from_u64(99)).cast(dtype);
    let gradients = (output.clone() * weights).sum().backward();
    let of_rows = rows.iter().map(|leaf| values(leaf.grad(&gradients).unwrap()));
    let of_matrices = matrices.iter().map(|leaf| values(leaf.grad(&gradients).unwrap()));
    Pass { gradients: of_rows.chain(of_matrices).collect(), output: values(output) }
}

/// Check that f32 values differ by at most 1e-5, either relative to the largest reference value or as an absolute error.
fn agree(name: &str, ours: &Pass, oracle: &Pass) {
    let each = ours.gradients.iter().zip(&oracle.gradients).chain([(&ours.output, &oracle.output)]);
    for (index, (ours, oracle)) in each.enumerate() {
        let difference = ours.iter().zip(oracle).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error(ours, oracle) < 1e-5 || difference < 1e-5, "{name}, {index}: {:e}", error(ours, oracle));
        assert!(
            ours.iter().any(|value| *value != 0.0) || oracle.iter().all(|value| value.abs() < 1e-5),
            "{name}: zeros"
        );
    }
}

/// Check that the error against f64 in half precision is at most twice that of the composed form.
fn half(name: &str, ours: &Pass, composed: &Pass, exact: &Pass, unit: f64) {
    let triples = ours.gradients.iter().zip(&composed.gradients).zip(&exact.gradients);
    let output = ((&ours.output, &composed.output), &exact.output);
    for (index, ((ours, composed), exact)) in triples.chain([output]).enumerate() {
        // Rounding the result to its dtype alone can cause an error of half a unit.
        let allowed = 2.0 * error(composed, exact).max(unit / 2.0);
        assert!(error(ours, exact) <= allowed, "{name}, {index}: {:e} and {allowed:e}", error(ours, exact));
    }
}

/// The half-precision dtypes, each with the distance from 1 to the next larger number.
const HALVES: [(FloatDType, f64); 2] = [(FloatDType::F16, 1.0 / 1024.0), (FloatDType::BF16, 1.0 / 128.0)];

/// Compare both forms of an operation in f32 and, if `halves` is true, in half precision.
fn both(
    name: &str,
    rows: &[Tensor<3>],
    matrices: &[Tensor<2>],
    ours: &dyn Fn(Vec<Tensor<3>>, Vec<Tensor<2>>) -> Tensor<3>,
    oracle: &dyn Fn(Vec<Tensor<3>>, Vec<Tensor<2>>) -> Tensor<3>,
    halves: bool,
) {
    agree(name, &pass(rows, matrices, FloatDType::F32, ours), &pass(rows, matrices, FloatDType::F32, oracle));
    for (dtype, unit) in HALVES.iter().filter(|_| halves) {
        // All three computations have the same rounded inputs.
        let rounded: Vec<_> = rows.iter().map(|rows| rows.clone().cast(*dtype).cast(FloatDType::F32)).collect();
        let exact = pass(&rounded, matrices, FloatDType::F64, oracle);
        let (ours, composed) = (pass(&rounded, matrices, *dtype, ours), pass(&rounded, matrices, *dtype, oracle));
        half(&format!("{name}, {dtype:?}"), &ours, &composed, &exact, *unit);
    }
}

#[test]
fn attention_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // (batch, queries, keys, heads, heads of keys, width, causal). The cases are odd lengths, one token, one head, widths that
    // are not a multiple of a vector register, more rows than a block, groups, cross-attention, and queries after a cache.
    for (batch, queries, keys, query, key_value, width, causal) in [
        (2, 7, 7, 3, 3, 5, false),
        (1, 1, 1, 1, 1, 1, false),
        (3, 33, 33, 2, 2, 16, false),
        (1, 130, 130, 2, 2, 24, true),
        (2, 5, 140, 4, 2, 8, false),
        (2, 9, 9, 6, 2, 4, true),
        (2, 3, 11, 4, 1, 8, true),
        (1, 300, 300, 1, 1, 40, false),
    ] {
        let heads = Heads { query, key_value, causal };
        let rows = [
            random([batch, queries, query * width], &mut rng),
            random([batch, keys, key_value * width], &mut rng),
            random([batch, keys, key_value * width], &mut rng),
        ];
        // The end of each sequence is masked. In the last sequence of a larger batch, all keys are masked.
        let hidden = |i: usize| (i % keys > 2 && i % keys > keys / 2) || (batch > 1 && i / keys == batch - 1);
        let padded: Vec<f32> = (0..batch * keys).map(|i| if hidden(i) { -30000.0 } else { 0.0 }).collect();
        let padded = Tensor::<4>::from_data(TensorData::new(padded, [batch, 1, 1, keys]), &device());
        for bias in [None, Some(&padded)] {
            let cast = |like: &Tensor<3>| bias.map(|bias| bias.clone().cast(like.dtype()));
            let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                let bias = cast(&rows[0]);
                attention(rows[0].clone(), rows[1].clone(), rows[2].clone(), bias.as_ref(), heads, &none(), Kept::Exact)
            };
            let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                let bias = cast(&rows[0]);
                composed::attention(rows[0].clone(), rows[1].clone(), rows[2].clone(), bias.as_ref(), heads, &none())
            };
            let name = format!("{batch}, {queries} x {keys}, {heads:?}, mask {}", bias.is_some());
            both(&name, &rows, &[], &ours, &oracle, keys > 2);
        }
        // The values are the same without a graph and if only one of the inputs is tracked.
        let [q, k, v] = rows;
        let tracked = attention(q.clone().require_grad(), k.clone(), v.clone(), None, heads, &none(), Kept::Exact);
        let plain = attention(q.inner(), k.inner(), v.inner(), None, heads, &none(), Kept::Exact);
        assert_eq!(values(tracked), values(plain));
    }
}

#[test]
fn packed_attention_attends_within_each_sequence() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for (lengths, query, key_value, width, causal) in [
        (&[5usize, 1, 9][..], 2, 2, 4, false),
        (&[140, 3], 4, 2, 8, false),
        (&[7, 7, 7], 3, 3, 5, true),
        (&[1], 1, 1, 1, true),
    ] {
        let heads = Heads { query, key_value, causal };
        let sequences = Sequences::new(lengths.iter().copied());
        let total: usize = lengths.iter().sum();
        let starts: Vec<usize> = sequences.starts().collect();
        assert_eq!(starts[0], 0);
        for sequences in [sequences.clone(), sequences.first_queries()] {
            let first_alone = sequences != Sequences::new(lengths.iter().copied());
            if causal && first_alone {
                continue;
            }
            let queries = if first_alone { lengths.len() } else { total };
            let rows = [
                random([1, queries, query * width], &mut rng),
                random([1, total, key_value * width], &mut rng),
                random([1, total, key_value * width], &mut rng),
            ];
            let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                let [query, key, value] = <[_; 3]>::try_from(rows).unwrap();
                packed_attention(query, key, value, &sequences, heads, &none(), Kept::Exact)
            };
            let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                let [query, key, value] = <[_; 3]>::try_from(rows).unwrap();
                composed::packed_attention(query, key, value, &sequences, heads, &none())
            };
            both(&format!("{lengths:?}, {heads:?}, first {first_alone}"), &rows, &[], &ours, &oracle, total > 2);
        }
    }
}

#[test]
fn linear_and_low_rank_match_their_composed_forms() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (shape, d_output, rank) in [([2, 7, 5], 3, 2), ([1, 1, 1], 1, 1), ([8, 128, 96], 200, 8), ([3, 64, 130], 33, 4)]
    {
        let rows = [random(shape, &mut rng)];
        let matrices = [random([shape[2], d_output], &mut rng), random([1, d_output], &mut rng)];
        type Form = fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>) -> Tensor<3>;
        let apply = |form: Form| {
            move |rows: Vec<Tensor<3>>, matrices: Vec<Tensor<2>>| {
                form(rows[0].clone(), matrices[0].clone(), Some(matrices[1].clone().reshape([d_output])))
            }
        };
        both(&format!("linear {shape:?}"), &rows, &matrices, &apply(linear), &apply(composed::linear), false);
        // The weight is transposed, as that of a tied embedding, and there is no bias.
        let turned = [random([d_output, shape[2]], &mut rng)];
        let apply = |form: Form| {
            move |rows: Vec<Tensor<3>>, matrices: Vec<Tensor<2>>| {
                form(rows[0].clone(), matrices[0].clone().swap_dims(0, 1), None)
            }
        };
        both(&format!("turned {shape:?}"), &rows, &turned, &apply(linear), &apply(composed::linear), false);

        let rows = [random([shape[0], shape[1], d_output], &mut rng), random(shape, &mut rng)];
        let matrices = [random([shape[2], rank], &mut rng), random([rank, d_output], &mut rng)];
        type Added = fn(Tensor<3>, Tensor<3>, LowRank) -> Tensor<3>;
        let apply = |form: Added| {
            move |rows: Vec<Tensor<3>>, matrices: Vec<Tensor<2>>| {
                let update = LowRank { a: matrices[0].clone(), b: matrices[1].clone(), scale: 1.5 };
                form(rows[0].clone(), rows[1].clone(), update)
            }
        };
        both(
            &format!("low rank {shape:?}"),
            &rows,
            &matrices,
            &apply(add_low_rank),
            &apply(composed::add_low_rank),
            false,
        );
        // The tensor to which the update is added does not change if it is still used elsewhere.
        let before = values(rows[0].clone());
        let update = LowRank { a: matrices[0].clone(), b: matrices[1].clone(), scale: 1.0 };
        let _ = add_low_rank(rows[0].clone(), rows[1].clone(), update);
        assert_eq!(values(rows[0].clone()), before);
    }
}

#[test]
fn gelu_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for shape in [[1, 1, 1], [3, 5, 7], [2, 33, 300]] {
        let rows = [random(shape, &mut rng) * 3.0];
        let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| gelu(rows[0].clone(), Kept::Exact);
        let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| composed::gelu(rows[0].clone());
        both(&format!("{shape:?}"), &rows, &[], &ours, &oracle, true);
        assert_eq!(
            values(gelu(rows[0].clone().inner(), Kept::Exact)),
            values(gelu(rows[0].clone().require_grad(), Kept::Exact))
        );
    }
}

fn norm(width: usize, rng: &mut impl Rng) -> LayerNorm {
    let mut norm = LayerNormConfig::new(width).with_epsilon(1e-5).init(&device());
    norm.gamma = Param::from_tensor(random([width], rng));
    norm.beta = Some(Param::from_tensor(random([width], rng)));
    norm
}

#[test]
fn residual_norm_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for shape in [[2, 7, 15], [1, 1, 2], [3, 33, 32], [2, 20, 130]] {
        let rows = [random(shape, &mut rng), random(shape, &mut rng)];
        let fixed = norm(shape[2], &mut rng);
        // The parameters of the norm have the dtype of the rows, as in a model.
        let cast = |like: &Tensor<3>| {
            let dtype = like.dtype();
            let mut norm = fixed.clone();
            norm.gamma = Param::from_tensor(fixed.gamma.val().cast(dtype).detach());
            norm.beta = fixed.beta.as_ref().map(|beta| Param::from_tensor(beta.val().cast(dtype).detach()));
            norm
        };
        let ours_fixed = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
            residual_norm(&cast(&rows[0]), 1e-5, &none(), rows[0].clone(), rows[1].clone(), Kept::Exact)
        };
        let oracle_fixed = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
            composed::residual_norm(&cast(&rows[0]), 1e-5, &none(), rows[0].clone(), rows[1].clone())
        };
        // Two features always become -1 and 1. The gradient is 0 except for ε, so it has no relative error in half precision.
        both(&format!("{shape:?}"), &rows, &[], &ours_fixed, &oracle_fixed, shape[2] > 2);

        // The gradients of scale and shift are correct, and those of the inputs are the same with a frozen norm.
        let gradients = |norm: &LayerNorm, form: &dyn Fn(&LayerNorm) -> Tensor<3>| {
            let gradients = (form(norm) * random(shape, &mut ChaCha8Rng::seed_from_u64(99))).sum().backward();
            [&norm.gamma, norm.beta.as_ref().unwrap()].map(|param| param.val().grad(&gradients).map(values))
        };
        let [x, r] = &rows;
        let ours = gradients(&fixed, &|norm| residual_norm(norm, 1e-5, &none(), x.clone(), r.clone(), Kept::Exact));
        let oracle = gradients(&fixed, &|norm| composed::residual_norm(norm, 1e-5, &none(), x.clone(), r.clone()));
        for (ours, oracle) in ours.into_iter().zip(oracle) {
            assert!(error(&ours.unwrap(), &oracle.unwrap()) < 1e-5, "{shape:?}");
        }
        let frozen = fixed.clone().freeze();
        let apply = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
            residual_norm(&frozen, 1e-5, &none(), rows[0].clone(), rows[1].clone(), Kept::Exact)
        };
        let (ours, oracle) =
            (pass(&rows, &[], FloatDType::F32, &apply), pass(&rows, &[], FloatDType::F32, &ours_fixed));
        assert_eq!(ours.gradients, oracle.gradients);
        let plain = residual_norm(&frozen, 1e-5, &none(), x.clone().inner(), r.clone().inner(), Kept::Exact);
        assert_eq!(values(plain), ours.output);

        // Without a residual.
        let ours =
            |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| layer_norm(&cast(&rows[0]), 1e-5, rows[0].clone(), Kept::Exact);
        let oracle =
            |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| composed::layer_norm(&cast(&rows[0]), 1e-5, rows[0].clone());
        both(&format!("layer norm, {shape:?}"), &rows[..1], &[], &ours, &oracle, shape[2] > 2);
        let ours = gradients(&fixed, &|norm| layer_norm(norm, 1e-5, x.clone(), Kept::Exact));
        let oracle = gradients(&fixed, &|norm| composed::layer_norm(norm, 1e-5, x.clone()));
        for (ours, oracle) in ours.into_iter().zip(oracle) {
            assert!(error(&ours.unwrap(), &oracle.unwrap()) < 1e-5, "layer norm, {shape:?}");
        }
    }
}

#[test]
fn rms_norm_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // The gradient of a single feature is 0 except for ε, so it has no relative error in half precision.
    for shape in [[2, 7, 15], [1, 1, 1], [3, 33, 32], [2, 20, 130]] {
        let (rows, gamma) = ([random(shape, &mut rng)], [random([1, shape[2]], &mut rng)]);
        type Form = fn(Tensor<1>, f64, Tensor<3>) -> Tensor<3>;
        let width = shape[2];
        let apply = |form: Form, epsilon: f64| {
            move |rows: Vec<Tensor<3>>, matrices: Vec<Tensor<2>>| {
                form(matrices[0].clone().reshape([width]), epsilon, rows[0].clone())
            }
        };
        // A usual ε, and one that is as large as the squares, so that it has an effect.
        for epsilon in [1e-5, 1.0] {
            let (ours, oracle) = (apply(exact_rms_norm, epsilon), apply(composed::rms_norm, epsilon));
            both(&format!("{shape:?}, {epsilon}"), &rows, &gamma, &ours, &oracle, width > 1);
        }

        // The scale, the rows or both are frozen.
        let all = pass(&rows, &gamma, FloatDType::F32, &apply(exact_rms_norm, 1e-5));
        let ([x], [gamma]) = (rows, gamma);
        let gamma = gamma.reshape([width]);
        let frozen =
            |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| rms_norm(gamma.clone(), 1e-5, rows[0].clone(), Kept::Exact);
        assert_eq!(pass(slice::from_ref(&x), &[], FloatDType::F32, &frozen).gradients[0], all.gradients[0]);
        let scaled = |_: Vec<Tensor<3>>, matrices: Vec<Tensor<2>>| {
            rms_norm(matrices[0].clone().reshape([width]), 1e-5, x.clone(), Kept::Exact)
        };
        let of_gamma = pass(&[], &[gamma.clone().reshape([1, width])], FloatDType::F32, &scaled);
        assert_eq!(of_gamma.gradients[0], all.gradients[1]);
        assert_eq!(values(rms_norm(gamma.clone().inner(), 1e-5, x.clone().inner(), Kept::Exact)), all.output);

        // In half precision, both forms round at the same points as transformers. Squares that overflow in f16 cause no error.
        for (dtype, unit) in HALVES {
            let large = (x.clone() * 1000.0).cast(dtype);
            let exact = values(composed::rms_norm(
                gamma.clone().cast(dtype).cast(FloatDType::F64),
                1e-5,
                large.clone().cast(FloatDType::F64),
            ));
            let composed = values(composed::rms_norm(gamma.clone().cast(dtype), 1e-5, large.clone()));
            assert!(error(&composed, &exact) < 1.1 * unit, "{shape:?}, {dtype:?}: {:e}", error(&composed, &exact));
            let ours = values(rms_norm(gamma.clone().cast(dtype), 1e-5, large, Kept::Exact));
            let other = ours.iter().zip(&composed).filter(|(ours, composed)| ours != composed).count();
            assert!(other * 100 <= ours.len(), "{shape:?}, {dtype:?}: {other} of {} differ", ours.len());
        }
    }
}

/// Random angles of this shape.
fn rotation(shape: [usize; 3], rng: &mut impl Rng) -> Rotation {
    let angles = random(shape, rng) * 3.0;
    Rotation { cos: angles.clone().cos(), sin: angles.sin() }
}

#[test]
fn rotary_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    // (batch, length, heads, half the width, sequences of angles)
    for (batch, length, heads, half, sequences) in
        [(2, 7, 3, 5, 1), (1, 1, 1, 1, 1), (3, 33, 2, 16, 3), (2, 130, 1, 33, 1), (4, 5, 6, 8, 4)]
    {
        let rows = [random([batch, length, heads * 2 * half], &mut rng)];
        let rotation = rotation([sequences, length, half], &mut rng);
        let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| rotary(rows[0].clone(), heads, &rotation);
        let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| composed::rotary(rows[0].clone(), heads, &rotation);
        let name = format!("{batch}, {length}, {heads}, {half}, {sequences}");
        both(&name, &rows, &[], &ours, &oracle, true);

        // The input does not change if it is still used elsewhere, and the values are the same without a graph.
        let [x] = rows;
        let before = values(x.clone());
        let plain = Rotation { cos: rotation.cos.clone().inner(), sin: rotation.sin.clone().inner() };
        let turned = rotary(x.clone().inner(), heads, &plain);
        assert_eq!(values(turned.clone()), values(rotary(x.clone().require_grad(), heads, &rotation)));
        assert_eq!(values(x), before);
        // The inverse rotation restores the input.
        let back = Rotation { cos: plain.cos, sin: -plain.sin };
        assert!(error(&values(rotary(turned, heads, &back)), &before) < 1e-5, "{name}");
    }
}

#[test]
fn gated_silu_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for shape in [[1, 1, 1], [3, 5, 7], [2, 33, 300]] {
        // Large gates, for which σ is 0 or 1, are also tested.
        let rows = [random(shape, &mut rng) * 4.0, random(shape, &mut rng)];
        let far = [rows[0].clone() * 25.0, rows[1].clone()];
        let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| gated_silu(rows[0].clone(), rows[1].clone(), Kept::Exact);
        let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| composed::gated_silu(rows[0].clone(), rows[1].clone());
        both(&format!("{shape:?}"), &rows, &[], &ours, &oracle, true);
        both(&format!("{shape:?}, far"), &far, &[], &ours, &oracle, true);

        // The gradient of an input is the same if only this input is tracked. The values are the same without a graph.
        let all = pass(&rows, &[], FloatDType::F32, &ours);
        let [gate, up] = rows;
        let of_gate = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| gated_silu(rows[0].clone(), up.clone(), Kept::Exact);
        let of_up = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| gated_silu(gate.clone(), rows[0].clone(), Kept::Exact);
        let [of_gate, of_up] = [(&gate, &of_gate as Apply<'_>), (&up, &of_up)]
            .map(|(leaf, apply)| pass(slice::from_ref(leaf), &[], FloatDType::F32, apply).gradients.remove(0));
        assert_eq!(of_gate, all.gradients[0]);
        assert!(error(&of_up, &all.gradients[1]) < 1e-6, "{shape:?}");
        let before = values(up.clone());
        assert_eq!(values(gated_silu(gate.inner(), up.clone().inner(), Kept::Exact)), all.output);
        assert_eq!(values(up), before);
    }
}

type Loss = fn(Tensor<2>, Tensor<1, Int>, f64) -> Tensor<1>;

#[test]
fn cross_entropy_matches_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for (count, classes, smoothing) in [(1, 1, 0.1), (3, 5, 0.0), (4, 1024, 0.1), (70, 2500, 0.0), (33, 2500, 0.1)] {
        let rows = [random([1, count, classes], &mut rng)];
        let labels: Vec<i64> = (0..count).map(|_| rng.random_range(0..classes as i64)).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [count]), &device());
        // The kernel replaces the logits by their gradient, or copies them if the caller also uses them.
        for (name, scale, is_shared) in [("one handle", 2.0, false), ("two handles", 2.0, true), ("far", 100.0, false)]
        {
            let of = |form: Loss| {
                let labels = labels.clone();
                move |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                    let logits = (rows[0].clone() * scale).reshape([count, classes]);
                    let again = is_shared.then(|| logits.clone().mean());
                    let loss = form(logits, labels.clone(), smoothing).cast(rows[0].dtype());
                    again.map_or(loss.clone(), |mean| loss + mean).reshape([1, 1, 1])
                }
            };
            let (ours, oracle) = (of(cross_entropy), of(composed::cross_entropy));
            both(&format!("{count} × {classes}, {name}"), &rows, &[], &ours, &oracle, scale < 10.0);
        }
        let logits = || rows[0].clone().reshape([count, classes]) * 2.0;
        let tracked = values(cross_entropy(logits().require_grad(), labels.clone(), smoothing));
        assert_eq!(values(cross_entropy(logits().inner(), labels.clone().inner(), smoothing)), tracked);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let logits = logits().require_grad();
                let loss = cross_entropy(logits.clone(), labels.clone(), smoothing);
                (values(loss.clone()), values(logits.grad(&loss.backward()).unwrap()))
            })
        };
        assert!(on(1) == on(3), "{count} × {classes}");
    }
}

#[test]
#[should_panic(expected = "the label 3 is not one of 3 classes")]
fn cross_entropy_rejects_labels_that_are_not_classes() {
    cross_entropy(Tensor::zeros([1, 3], &device()), Tensor::from_data([3], &device()), 0.0);
}

/// Values that were computed by hand or by transformers, because the composed forms have the same formulas as the kernels.
#[test]
fn both_forms_match_known_values() {
    // The losses are from `LabelSmoother` of transformers.
    for form in [cross_entropy, composed::cross_entropy] as [Loss; 2] {
        for (smoothing, expected) in [(0.0, 2.630_987_2), (0.1, 2.580_987_2)] {
            let logits = Tensor::from_data([[0.5f32, -1.5, 2.0, 3.0], [0.0, -2.0, 1.0, 1.0]], &device());
            let found = values(form(logits, Tensor::from_data([2, 1], &device()), smoothing))[0];
            assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
        }
    }
    let row = |row: [f32; 2]| Tensor::<3>::from_data([[row]], &device());
    type Norm = fn(Tensor<1>, f64, Tensor<3>) -> Tensor<3>;
    for form in [exact_rms_norm, composed::rms_norm] as [Norm; 2] {
        // The mean of the squares is 25/2. With ε, it is 16.
        let gamma = Tensor::<1>::from_data([1.0f32, -2.0], &device());
        assert_eq!(values(form(gamma, 3.5, row([3.0, 4.0]))), [0.75, -2.0]);
    }
    type Turn = fn(Tensor<3>, usize, &Rotation) -> Tensor<3>;
    for form in [rotary, composed::rotary] as [Turn; 2] {
        // The rotations are a quarter turn, and one by an angle of the 3-4-5 triangle.
        let one = |value: f32| Tensor::<3>::from_data([[[value]]], &device());
        assert_eq!(values(form(row([3.0, 4.0]), 1, &Rotation { cos: one(0.0), sin: one(1.0) })), [-4.0, 3.0]);
        let turned = form(row([5.0, 10.0]), 1, &Rotation { cos: one(0.6), sin: one(0.8) });
        assert!(error(&values(turned), &[-5.0, 10.0]) < 1e-6);
    }
    type Gate = fn(Tensor<3>, Tensor<3>) -> Tensor<3>;
    for form in [|gate, up| gated_silu(gate, up, Kept::Exact), composed::gated_silu] as [Gate; 2] {
        // σ(ln 3) = 3/4 and σ(−ln 3) = 1/4.
        let ln3 = 3.0f32.ln();
        let exact = [0.75 * 3.0f64.ln() * 2.0, -0.25 * 3.0f64.ln() * -4.0];
        assert!(error(&values(form(row([ln3, -ln3]), row([2.0, -4.0]))), &exact) < 1e-6);
    }
}

#[test]
fn the_number_of_threads_does_not_change_results() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let shape = [3, 70, 258];
    let rows = [random(shape, &mut rng), random(shape, &mut rng)];
    let gamma = [random([1, 258], &mut rng)];
    let rotation = rotation([1, 70, 43], &mut rng);
    let all = |rows: Vec<Tensor<3>>, matrices: Vec<Tensor<2>>| {
        let normalized = rms_norm(matrices[0].clone().reshape([258]), 1e-5, rows[0].clone(), Kept::Exact);
        gated_silu(rotary(normalized, 3, &rotation), rows[1].clone(), Kept::Exact)
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| pass(&rows, &gamma, FloatDType::F32, &all))
    };
    let (one, three) = (on(1), on(3));
    assert_eq!(one.output, three.output);
    assert_eq!(one.gradients, three.gradients);
}

#[test]
fn non_contiguous_tensors_are_read_in_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let wide = random([2, 9, 3 * 12], &mut rng);
    let parts = wide.clone().split(12, 2);
    let [q, k, v] = [0, 1, 2].map(|i| parts[i].clone());
    let ours = values(attention(q.clone(), k.clone(), v.clone(), None, Heads::new(3), &none(), Kept::Exact));
    assert!(error(&ours, &values(composed::attention(q.clone(), k, v, None, Heads::new(3), &none()))) < 1e-5);
    assert!(error(&values(gelu(q.clone(), Kept::Exact)), &values(composed::gelu(q.clone()))) < 1e-5);
    let gamma = random([12], &mut rng);
    let ours = values(rms_norm(gamma.clone(), 1e-5, q.clone(), Kept::Exact));
    assert!(error(&ours, &values(composed::rms_norm(gamma, 1e-5, q.clone()))) < 1e-5);
    let angles = rotation([2, 9, 3], &mut rng);
    let ours = values(rotary(q.clone(), 2, &angles));
    assert!(error(&ours, &values(composed::rotary(q.clone(), 2, &angles))) < 1e-5);
    let ours = values(gated_silu(q.clone(), parts[1].clone(), Kept::Exact));
    assert!(error(&ours, &values(composed::gated_silu(q.clone(), parts[1].clone()))) < 1e-5);
    let weight = random([12, 7], &mut rng);
    let ours = values(linear(q.clone(), weight.clone(), None));
    assert!(error(&ours, &values(composed::linear(q, weight, None))) < 1e-5);
}

/// The masks of dropout differ from those of the composed form, so the gradient is compared with finite differences. These need
/// the same mask twice, for which the device's seed is set. This is one test, because the process has only one generator.
#[test]
fn dropout_draws_the_same_mask_forward_and_backward() {
    let device = device();
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let dropping = DropoutConfig::new(0.4).init();
    let norm = norm(6, &mut rng);
    let shape = [2, 5, 6];
    let [first, second, third] = [0; 3].map(|_| random(shape, &mut rng));
    let (direction, weights) = (random(shape, &mut rng), random(shape, &mut rng));
    let heads = Heads::new(2);
    let of_query = |q: Tensor<3>| attention(q, second.clone(), third.clone(), None, heads, &dropping, Kept::Exact);
    let of_key = |k: Tensor<3>| attention(first.clone(), k, third.clone(), None, heads, &dropping, Kept::Exact);
    let of_value = |v: Tensor<3>| attention(first.clone(), second.clone(), v, None, heads, &dropping, Kept::Exact);
    let of_norm = |x: Tensor<3>| residual_norm(&norm, 1e-5, &dropping, x, second.clone(), Kept::Exact);
    let plain = |x: Tensor<3>| dropout(&dropping, x);
    type Case<'a> = (&'a str, &'a dyn Fn(Tensor<3>) -> Tensor<3>);
    let cases: [Case<'_>; 5] =
        [("query", &of_query), ("key", &of_key), ("value", &of_value), ("norm", &of_norm), ("dropout", &plain)];
    for (name, apply) in cases {
        let loss = |step: f64| {
            device.seed(7);
            let input = first.clone() + direction.clone() * step;
            f64::from((apply(input) * weights.clone()).sum().into_scalar::<f32>())
        };
        let numeric = (loss(1e-2) - loss(-1e-2)) / 2e-2;
        let leaf = first.clone().detach().require_grad();
        device.seed(7);
        let gradients = (apply(leaf.clone()) * weights.clone()).sum().backward();
        let gradient = leaf.grad(&gradients).unwrap();
        let analytic = f64::from((gradient * direction.clone().inner()).sum().into_scalar::<f32>());
        assert!((numeric - analytic).abs() < 2e-2 * analytic.abs().max(1.0), "{name}: {numeric} and {analytic}");
        assert!(analytic.abs() > 1e-3, "{name} has a gradient");
        device.seed(8);
        let other = values(apply(first.clone()));
        device.seed(7);
        assert_ne!(values(apply(first.clone())), other, "{name}: another seed must give another mask");
    }
}
