//! Each init has the distribution that its documentation states.
#![allow(clippy::unwrap_used, missing_docs)]

use asym_core::{AdaptedLinear, AdaptedLinearConfig, Adapter, AdapterConfig, Factor, Init, Lora};
use burn::module::Param;
use burn::tensor::{Device, Tensor, Tolerance};

const D_INPUT: usize = 300;
const D_OUTPUT: usize = 200;

fn pair(rank: usize, init: Init, seed: u64) -> (AdaptedLinear, Tensor<2>, Tensor<2>) {
    let device = Device::default();
    let layer = AdaptedLinearConfig::new(D_INPUT, D_OUTPUT).init(&device);
    // The spectrum decays, as in pre-trained weights.
    let decay: Vec<f32> = (0..D_OUTPUT).map(|column| 0.95f32.powi(column as i32)).collect();
    let decay = Tensor::<1>::from_floats(decay.as_slice(), &device).unsqueeze::<2>();
    let layer = AdaptedLinear::new(Param::from_tensor(layer.weight.val() * decay), layer.bias);
    // The model is a single layer, so the weight has the path `weight`, and the name of its module is empty.
    let config = AdapterConfig::new(Lora::new(rank).a(Factor::trained(init)).b(Factor::trained(init))).targets("");
    let layer = config.attach(layer, seed).unwrap();
    let Some(Adapter::LowRank(adapter)) = layer.weight.reparameterization::<Adapter>() else { panic!("a pair") };
    let (a, b) = (adapter.a.val(), adapter.b.val());
    (layer, a, b)
}

fn values(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn assert_identity(product: Tensor<2>) {
    let [rank, _] = product.dims();
    let eye = Tensor::<2>::eye(rank, &product.device());
    product.into_data().assert_approx_eq::<f32>(&eye.into_data(), Tolerance::absolute(1e-5));
}

/// Mean, standard deviation and largest magnitude.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt(), values.iter().fold(0.0, |most, value| most.max(value.abs())))
}

#[test]
fn orthonormal_factors_are_orthonormal_and_centered() {
    let (_, a, b) = pair(16, Init::Orthonormal, 1);
    // The factors are stored as transposes, so A·Aᵀ = aᵀ·a and Bᵀ·B = b·bᵀ.
    assert_identity(a.clone().transpose().matmul(a.clone()));
    assert_identity(b.clone().matmul(b.transpose()));

    // On the Stiefel manifold, every component of a uniform matrix has mean 0, and E[aᵢⱼ²] = 1/d. Without the correction for
    // the diagonal of R, the first component would always have the same sign.
    let first: Vec<f64> = (0..400).map(|seed| values(pair(1, Init::Orthonormal, seed).1)[0]).collect();
    let (mean, deviation, _) = moments(&first);
    let expected = 1.0 / (D_INPUT as f64).sqrt();
    assert!(mean.abs() < 4.0 * expected / 20.0, "mean {mean}");
    assert!((deviation / expected - 1.0).abs() < 0.15, "deviation {deviation}, expected {expected}");
}

#[test]
fn kaiming_is_uniform_within_its_bound() {
    let rank = 16;
    let (_, a, b) = pair(rank, Init::Kaiming, 1);
    for (factor, fan_in) in [(a, D_INPUT), (b, rank)] {
        let bound = 1.0 / (fan_in as f64).sqrt();
        let (mean, deviation, most) = moments(&values(factor));
        assert!(most <= bound && most > 0.99 * bound);
        assert!(mean.abs() < 0.05 * bound);
        assert!((deviation / (bound / 3f64.sqrt()) - 1.0).abs() < 0.03);
    }
}

#[test]
fn gaussian_has_deviation_one_over_r() {
    let (_, a, b) = pair(16, Init::Gaussian, 1);
    for factor in [a, b] {
        let (mean, deviation, most) = moments(&values(factor));
        assert!(mean.abs() < 0.005 && (deviation * 16.0 - 1.0).abs() < 0.05 && most > 3.0 / 16.0);
    }
}

#[test]
fn zero_factors_contain_only_zeros() {
    let (_, a, b) = pair(16, Init::Zero, 1);
    assert!(values(a).into_iter().chain(values(b)).all(|value| value == 0.0));
}

#[test]
fn svd_factors_are_the_top_singular_vectors_of_the_weight() {
    // Rank 4 uses the randomized algorithm, and rank 100 uses the exact decomposition.
    for rank in [4, 100] {
        let (layer, a, b) = pair(rank, Init::SvdV, 1);
        assert_identity(a.clone().transpose().matmul(a.clone()));
        assert_identity(b.clone().matmul(b.clone().transpose()));

        // Uᵀ·W·V is diagonal. Its values are the singular values, which are not negative and do not increase.
        let core = a.transpose().matmul(layer.weight.base()).matmul(b.transpose());
        let core = values(core);
        let diagonal: Vec<f64> = (0..rank).map(|i| core[i * rank + i].abs()).collect();
        assert!(diagonal.windows(2).all(|pair| pair[0] >= pair[1] - 1e-4), "{diagonal:?}");
        for i in 0..rank {
            for j in 0..rank {
                assert!(i == j || core[i * rank + j].abs() < 1e-4 * diagonal[0], "({i}, {j}): {}", core[i * rank + j]);
            }
        }
        // The first singular value is the largest one, which power iteration from a fixed start also finds.
        let weight = layer.weight.base();
        let mut vector = Tensor::<2>::ones([D_OUTPUT, 1], &weight.device());
        let mut norm = 0.0;
        for _ in 0..300 {
            let image = weight.clone().transpose().matmul(weight.clone().matmul(vector));
            let length: f32 = image.clone().powf_scalar(2.0).sum().sqrt().into_scalar();
            norm = f64::from(length).sqrt();
            vector = image.div_scalar(length);
        }
        assert!((diagonal[0] / norm - 1.0).abs() < 1e-3, "{} and {norm}", diagonal[0]);
    }
}
