//! Compares the mathematics with asym-core's layer: the gradients with Burn's autodiff, and the losses with training.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::common::{matrix, posed, to_mat};
use asym_analysis::descent::descend;
use asym_analysis::nonlinear::{Downstream, GeneralizedLinear, LogPartition};
use asym_analysis::similarity::Side;
use asym_analysis::{AnalysisError, Matrix};
use asym_core::layout::{self, Kind};
use asym_core::linalg::{gaussian, orthonormal};
use asym_core::random::stream;
use asym_core::{AdaptedLinear, Adapter, AdapterConfig, Factor, Init, Lora, Naming};
use burn::module::Param;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use faer::Mat;

fn device() -> Device {
    Device::flex().autodiff()
}

/// Σ with `varying` nonzero eigenvalues, from 1 down to `smallest`.
fn sigma(d: usize, varying: usize, smallest: f64, seed: u64) -> Mat<f64> {
    let basis = to_mat(&orthonormal(d, varying, &mut stream(seed, "basis")));
    let value = |i: usize| smallest.powf(i as f64 / (varying.max(2) - 1) as f64);
    let scaled = Mat::from_fn(d, varying, |i, j| basis[(i, j)] * value(j));
    scaled * basis.transpose()
}

/// Gradient descent on the factored layer reaches the lemmas' losses, for a Σ of full rank and one of low rank, and for wide,
/// tall and square weights.
#[test]
fn gradient_descent_reaches_the_losses_of_the_lemmas() {
    for (d_in, d_out, rank, varying, smallest) in
        [(12, 9, 3, 12, 0.2), (8, 14, 2, 8, 0.3), (16, 10, 4, 3, 0.5), (6, 6, 6, 6, 0.4)]
    {
        let delta = to_mat(&gaussian(d_out, d_in, &mut stream(1, "delta")));
        let problem = posed(delta, sigma(d_in, varying, smallest, 2), 0.05).unwrap();
        let q = orthonormal(d_in, rank, &mut stream(3, "q")).transposed();
        let u = orthonormal(d_out, rank, &mut stream(4, "u"));
        let closed = [problem.freeze_a(&q).unwrap().loss, problem.freeze_b(&u).unwrap().loss];
        for (side, value, closed) in [(Side::A, &q, closed[0]), (Side::B, &u, closed[1])] {
            let descent = descend(&problem, side, value, 20_000, &device()).unwrap();
            assert!((descent.losses[0] - problem.untrained_loss()).abs() < 1e-9 * problem.untrained_loss());
            let error = (descent.loss() - closed).abs() / problem.untrained_loss();
            let steps = descent.losses.len() - 1;
            assert!(
                error < 1e-8,
                "{d_in} -> {d_out}, {side} frozen: {} is not {closed} ({steps} steps)",
                descent.loss()
            );
            // Each step lowers the loss.
            assert!(descent.losses.windows(2).all(|pair| pair[1] <= pair[0] * (1.0 + 1e-14)));
        }
    }
}

#[test]
fn invalid_devices_shapes_and_ranks_are_rejected() {
    let identity = |rows, columns| matrix(&Mat::identity(rows, columns));
    let problem = posed(Mat::identity(3, 4), Mat::identity(4, 4), 0.0).unwrap();
    let refused = |value: Matrix, device: &Device| descend(&problem, Side::A, &value, 5, device).unwrap_err();
    assert!(matches!(refused(identity(2, 4), &Device::flex()), AnalysisError::NoF64 { .. }));
    assert!(matches!(refused(identity(4, 2), &device()), AnalysisError::Shape { .. }));
    assert!(matches!(refused(identity(4, 4), &device()), AnalysisError::Rank { rank: 4, d_in: 4, d_out: 3 }));
}

/// The values row by row, in the order in which Burn stores them.
fn values(matrix: &Matrix) -> Vec<f32> {
    (0..matrix.rows()).flat_map(|i| matrix.row(i)).map(|value| value as f32).collect()
}

fn tensor(matrix: &Matrix, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values(matrix), [matrix.rows(), matrix.columns()]), device)
}

fn assert_close(name: &str, found: Tensor<2>, expected: &Matrix) {
    assert_eq!(found.dims(), [expected.rows(), expected.columns()], "{name}");
    let columns = expected.columns();
    let largest = to_mat(expected).norm_max();
    for (at, found) in found.into_data().iter::<f64>().enumerate() {
        let expected = expected[(at / columns, at % columns)];
        // The layer computes in f32.
        assert!((found - expected).abs() < 1e-5 * largest, "{name}[{at}]: {found} is not {expected}");
    }
}

/// Compares the gradients of appendix B.1.2, with the signs of a loss to be minimized, with autodiff of an adapted layer: for
/// least squares, logistic regression and Poisson regression, each with the layer alone and within a network.
#[test]
fn gradients_match_autodiff() {
    let (n, d_in, d_out, rank, classes) = (7, 6, 5, 2, 4);
    let mut rng = stream(5, "nonlinear");
    let mut draw = |rows, columns| {
        let drawn = gaussian(rows, columns, &mut rng);
        Matrix::from_fn(rows, columns, |i, j| 0.5 * drawn[(i, j)])
    };
    let (x, v) = (draw(n, d_in), draw(classes, d_out));
    let layers = [(Downstream::Identity, d_out), (Downstream::Tanh { v: v.clone() }, classes)];
    for h in [LogPartition::LeastSquares, LogPartition::Logistic, LogPartition::Poisson] {
        for (f, outputs) in layers.clone() {
            let one_hot = Matrix::from_fn(n, outputs, |i, k| f64::from(u8::from((i * i + 1) % outputs == k)));
            let (w0, b, a) = (draw(d_out, d_in), draw(d_out, rank), draw(rank, d_in));
            let tanh = matches!(f, Downstream::Tanh { .. });
            let model = GeneralizedLinear::new(h, &f, &x, &one_hot).unwrap();
            let expected = model.gradients(&w0, &b, &a).unwrap();

            let device = device();
            let layer = AdaptedLinear::new(Param::from_tensor(tensor(&w0.transposed(), &device)), None);
            let factor = Factor::trained(Init::Zero);
            let config = AdapterConfig::new(Lora::new(rank).alpha(rank as f64).a(factor).b(factor)).targets("");
            let layer = config.attach(layer, 0).unwrap();
            let layer = layout::replace_as(
                layer,
                &Naming::BURN,
                |_| FloatDType::F32,
                |entry| {
                    Ok::<_, AnalysisError>(match (entry.kind, entry.field()) {
                        (Kind::Adapter, field) if field.contains('A') => Some(values(&a)),
                        (Kind::Adapter, _) => Some(values(&b)),
                        _ => None,
                    })
                },
            )
            .unwrap();
            let z = layer.forward(tensor(&x, &device));
            let z = if tanh { z.tanh().matmul(tensor(&v.transposed(), &device)) } else { z };
            let y = tensor(&one_hot, &device);
            let loss = match h {
                LogPartition::LeastSquares => z.clone().powi_scalar(2).sum().mul_scalar(0.5) - (z * y).sum(),
                // The negative log-likelihood. The minus is missing in the paper's equation (7).
                LogPartition::Logistic => -(log_softmax(z, 1) * y).sum(),
                _ => z.clone().exp().sum() - (z * y).sum(),
            };
            let name = format!("{h:?}, tanh {tanh}");
            let value = loss.clone().into_scalar::<f64>();
            assert!((value - expected.loss).abs() < 1e-5 * expected.loss.abs().max(1.0), "{name}: {value}");
            let gradients = loss.backward();
            let Some(Adapter::LowRank(pair)) = layer.weight.reparameterization::<Adapter>() else { panic!("a pair") };
            // Burn stores the transposes.
            let of = |param: &Param<Tensor<2>>| param.val().grad(&gradients).unwrap().transpose();
            assert_close(&format!("{name}, A"), of(&pair.a), &expected.a);
            assert_close(&format!("{name}, B"), of(&pair.b), &expected.b);
        }
    }
}
