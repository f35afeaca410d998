//! Each operation against its composed form: values and gradients, over shapes, strides, masks and dtypes.
#![allow(clippy::unwrap_used, missing_docs)]

use asym_kernels::{Heads, LowRank, add_low_rank, attention, composed, dropout, gelu, layer_norm, linear, residual_norm};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn device() -> Device {
    Device::flex().autodiff()
}

fn none() -> Dropout {
    DropoutConfig::new(0.0).init()
}

fn random<const D: usize>(shape: [usize; D], rng: &mut impl Rng) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The largest difference, over the largest value of the reference.
fn error(values: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(values.len(), reference.len());
    let largest = reference.iter().fold(1e-30f64, |largest, value| largest.max(value.abs()));
    values.iter().zip(reference).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
}

/// An output's values and the gradients of what was tracked, for a loss that weighs every output differently.
struct Pass {
    output: Vec<f64>,
    gradients: Vec<Vec<f64>>,
}

/// `matrices` and `rows` are the inputs of rank 2 and 3, in the order in which `apply` takes them.
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

/// f32 within 1e-5 of the largest reference value; where an exact zero is the reference, within 1e-5 of zero.
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

/// Half precision: within twice the composed form's own error against f64.
fn half(name: &str, ours: &Pass, composed: &Pass, exact: &Pass, unit: f64) {
    let triples = ours.gradients.iter().zip(&composed.gradients).zip(&exact.gradients);
    let output = ((&ours.output, &composed.output), &exact.output);
    for (index, ((ours, composed), exact)) in triples.chain([output]).enumerate() {
        // The result itself is rounded: no one can be nearer than half a unit of its dtype.
        let allowed = 2.0 * error(composed, exact).max(unit / 2.0);
        assert!(error(ours, exact) <= allowed, "{name}, {index}: {:e} and {allowed:e}", error(ours, exact));
    }
}

/// Half precisions, and the distance of 1 to the next number of each.
const HALVES: [(FloatDType, f64); 2] = [(FloatDType::F16, 1.0 / 1024.0), (FloatDType::BF16, 1.0 / 128.0)];

/// Both forms of an operation, over f32 and the half precisions.
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
        // All three start from the same rounded numbers.
        let rounded: Vec<_> = rows.iter().map(|rows| rows.clone().cast(*dtype).cast(FloatDType::F32)).collect();
        let exact = pass(&rounded, matrices, FloatDType::F64, oracle);
        let (ours, composed) = (pass(&rounded, matrices, *dtype, ours), pass(&rounded, matrices, *dtype, oracle));
        half(&format!("{name}, {dtype:?}"), &ours, &composed, &exact, *unit);
    }
}

#[test]
fn attention_is_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // (batch, queries, keys, heads, heads of keys, width, causal): odd lengths, one token, one head, widths that are no
    // multiple of a vector register, more rows than a block, groups, cross-attention, and a cache's queries at the end.
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
        // Padded at the end; of the last sequence, no key counts at all.
        let hidden = |i: usize| (i % keys > 2 && i % keys > keys / 2) || (batch > 1 && i / keys == batch - 1);
        let padded: Vec<f32> = (0..batch * keys).map(|i| if hidden(i) { -30000.0 } else { 0.0 }).collect();
        let padded = Tensor::<4>::from_data(TensorData::new(padded, [batch, 1, 1, keys]), &device());
        for bias in [None, Some(&padded)] {
            let cast = |like: &Tensor<3>| bias.map(|bias| bias.clone().cast(like.dtype()));
            let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                let bias = cast(&rows[0]);
                attention(rows[0].clone(), rows[1].clone(), rows[2].clone(), bias.as_ref(), heads, &none())
            };
            let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
                let bias = cast(&rows[0]);
                composed::attention(rows[0].clone(), rows[1].clone(), rows[2].clone(), bias.as_ref(), heads, &none())
            };
            let name = format!("{batch}, {queries} x {keys}, {heads:?}, mask {}", bias.is_some());
            both(&name, &rows, &[], &ours, &oracle, keys > 2);
        }
        // Without a graph, and where only one of the three is tracked, the values are the same.
        let [q, k, v] = rows;
        let tracked = attention(q.clone().require_grad(), k.clone(), v.clone(), None, heads, &none());
        let plain = attention(q.inner(), k.inner(), v.inner(), None, heads, &none());
        assert_eq!(values(tracked), values(plain));
    }
}

#[test]
fn linear_and_low_rank_are_their_composed_forms() {
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
        // A weight that lies the other way round, as a tied embedding does, and no bias.
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
        // The output that it adds to is not changed where someone else still reads it.
        let before = values(rows[0].clone());
        let update = LowRank { a: matrices[0].clone(), b: matrices[1].clone(), scale: 1.0 };
        let _ = add_low_rank(rows[0].clone(), rows[1].clone(), update);
        assert_eq!(values(rows[0].clone()), before);
    }
}

#[test]
fn gelu_is_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for shape in [[1, 1, 1], [3, 5, 7], [2, 33, 300]] {
        let rows = [random(shape, &mut rng) * 3.0];
        let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| gelu(rows[0].clone());
        let oracle = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| composed::gelu(rows[0].clone());
        both(&format!("{shape:?}"), &rows, &[], &ours, &oracle, true);
        assert_eq!(values(gelu(rows[0].clone().inner())), values(gelu(rows[0].clone().require_grad())));
    }
}

fn norm(width: usize, rng: &mut impl Rng) -> LayerNorm {
    let mut norm = LayerNormConfig::new(width).with_epsilon(1e-5).init(&device());
    norm.gamma = Param::from_tensor(random([width], rng));
    norm.beta = Some(Param::from_tensor(random([width], rng)));
    norm
}

#[test]
fn residual_norm_is_its_composed_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for shape in [[2, 7, 15], [1, 1, 2], [3, 33, 32], [2, 20, 130]] {
        let rows = [random(shape, &mut rng), random(shape, &mut rng)];
        let fixed = norm(shape[2], &mut rng);
        // In the dtype of the rows, as a model's parameters are.
        let cast = |like: &Tensor<3>| {
            let dtype = like.dtype();
            let mut norm = fixed.clone();
            norm.gamma = Param::from_tensor(fixed.gamma.val().cast(dtype).detach());
            norm.beta = fixed.beta.as_ref().map(|beta| Param::from_tensor(beta.val().cast(dtype).detach()));
            norm
        };
        let ours_fixed = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
            residual_norm(&cast(&rows[0]), 1e-5, &none(), rows[0].clone(), rows[1].clone())
        };
        let oracle_fixed = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
            composed::residual_norm(&cast(&rows[0]), 1e-5, &none(), rows[0].clone(), rows[1].clone())
        };
        // Two features always become -1 and 1: the gradient is 0 but for ε, and has no relative error in half precision.
        both(&format!("{shape:?}"), &rows, &[], &ours_fixed, &oracle_fixed, shape[2] > 2);

        // Scale and shift, and that a frozen norm gives its inputs the same gradients.
        let gradients = |norm: &LayerNorm, form: &dyn Fn(&LayerNorm) -> Tensor<3>| {
            let gradients = (form(norm) * random(shape, &mut ChaCha8Rng::seed_from_u64(99))).sum().backward();
            [&norm.gamma, norm.beta.as_ref().unwrap()].map(|param| param.val().grad(&gradients).map(values))
        };
        let [x, r] = &rows;
        let ours = gradients(&fixed, &|norm| residual_norm(norm, 1e-5, &none(), x.clone(), r.clone()));
        let oracle = gradients(&fixed, &|norm| composed::residual_norm(norm, 1e-5, &none(), x.clone(), r.clone()));
        for (ours, oracle) in ours.into_iter().zip(oracle) {
            assert!(error(&ours.unwrap(), &oracle.unwrap()) < 1e-5, "{shape:?}");
        }
        let frozen = fixed.clone().freeze();
        let apply = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| {
            residual_norm(&frozen, 1e-5, &none(), rows[0].clone(), rows[1].clone())
        };
        let (ours, oracle) =
            (pass(&rows, &[], FloatDType::F32, &apply), pass(&rows, &[], FloatDType::F32, &ours_fixed));
        assert_eq!(ours.gradients, oracle.gradients);
        let plain = residual_norm(&frozen, 1e-5, &none(), x.clone().inner(), r.clone().inner());
        assert_eq!(values(plain), ours.output);

        // Without a residual.
        let ours = |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| layer_norm(&cast(&rows[0]), 1e-5, rows[0].clone());
        let oracle =
            |rows: Vec<Tensor<3>>, _: Vec<Tensor<2>>| composed::layer_norm(&cast(&rows[0]), 1e-5, rows[0].clone());
        both(&format!("layer norm, {shape:?}"), &rows[..1], &[], &ours, &oracle, shape[2] > 2);
        let ours = gradients(&fixed, &|norm| layer_norm(norm, 1e-5, x.clone()));
        let oracle = gradients(&fixed, &|norm| composed::layer_norm(norm, 1e-5, x.clone()));
        for (ours, oracle) in ours.into_iter().zip(oracle) {
            assert!(error(&ours.unwrap(), &oracle.unwrap()) < 1e-5, "layer norm, {shape:?}");
        }
    }
}

#[test]
fn what_is_not_contiguous_is_read_in_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let wide = random([2, 9, 3 * 12], &mut rng);
    let parts = wide.clone().split(12, 2);
    let [q, k, v] = [0, 1, 2].map(|i| parts[i].clone());
    let ours = values(attention(q.clone(), k.clone(), v.clone(), None, Heads::new(3), &none()));
    assert!(error(&ours, &values(composed::attention(q.clone(), k, v, None, Heads::new(3), &none()))) < 1e-5);
    assert!(error(&values(gelu(q.clone())), &values(composed::gelu(q.clone()))) < 1e-5);
    let weight = random([12, 7], &mut rng);
    let ours = values(linear(q.clone(), weight.clone(), None));
    assert!(error(&ours, &values(composed::linear(q, weight, None))) < 1e-5);
}

/// With dropout the masks differ from the composed form's, so that the gradient is held to finite differences, which need
/// the same mask twice: the device's seed gives it. In one test, since the generator is one for the whole process.
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
    let of_query = |q: Tensor<3>| attention(q, second.clone(), third.clone(), None, heads, &dropping);
    let of_key = |k: Tensor<3>| attention(first.clone(), k, third.clone(), None, heads, &dropping);
    let of_value = |v: Tensor<3>| attention(first.clone(), second.clone(), v, None, heads, &dropping);
    let of_norm = |x: Tensor<3>| residual_norm(&norm, 1e-5, &dropping, x, second.clone());
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
        assert_ne!(values(apply(first.clone())), other, "{name}: another seed, another mask");
    }
}
