//! Element-wise work on the host, where the device is the host.
//!
//! On flex, GELU calls a scalar `erff` per element and dropout draws each number by itself, both on one thread; in a
//! fine-tuning step of MiniLM (16 × 60 tokens, two cores) they took more time than all matrix products. Here they run on all
//! threads. Values do not depend on how many there are.

use std::f64::consts::PI;
use std::sync::OnceLock;

use asym_core::random::derive_seed;
use burn::nn::Dropout;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Elements that one task works on: enough to be worth a task, few enough to stay in the first cache levels.
const CHUNK: usize = 4096;

/// Whether tensors on `device` lie in the host's memory.
///
/// Burn tells backends apart by cargo features alone, which are the program's and not this crate's, so the name of the
/// device has to do. A name that is not known costs speed, nothing else.
pub(crate) fn is_host(device: &Device) -> bool {
    format!("{device:?}").contains("Flex")
}

/// Dropout with its layer's probability and training flag.
///
/// Reproducible from `Device::seed`, as Burn's own, but with other numbers.
pub(crate) fn dropout<const D: usize>(layer: &Dropout, input: Tensor<D>) -> Tensor<D> {
    let device = input.device();
    let acts = layer.training.is_enabled() && device.is_autodiff() && layer.prob > 0.0;
    if !acts || !is_host(&device) {
        return layer.forward(input);
    }
    let seed = Tensor::<1, Int>::random([2], Distribution::Uniform(0.0, f64::from(i32::MAX)), &device);
    let seed = seed.into_data().iter::<i64>().fold(0u64, |seed, word| (seed << 32) | (word as u64 & 0xffff_ffff));
    let mask = keep_mask(input.shape().num_elements(), 1.0 - layer.prob, seed);
    let dtype = input.dtype();
    let mask = Tensor::<D>::from_data(TensorData::new(mask, input.shape()), &device).cast(dtype);
    input * mask
}

/// 1/`keep` with probability `keep`, else 0.
fn keep_mask(count: usize, keep: f64, seed: u64) -> Vec<f32> {
    let threshold = (keep * f64::from(u32::MAX)) as u32;
    let scale = (1.0 / keep) as f32;
    let mut mask = vec![0.0f32; count];
    mask.par_chunks_mut(CHUNK).enumerate().for_each(|(index, chunk)| {
        // A seed per chunk: whichever thread takes it, it draws the same.
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, "mask", index as u64));
        for value in chunk {
            *value = if rng.next_u32() <= threshold { scale } else { 0.0 };
        }
    });
    mask
}

/// The normal distribution's Φ and φ, tabulated for cubic interpolation.
///
/// Between nodes 1/64 apart, the error of cubic Hermite interpolation is below 1e-9, less than f32 can hold near 1.
struct Normal {
    /// Φ, φ and φ' at each node from −[`LIMIT`] to [`LIMIT`].
    nodes: Vec<[f32; 3]>,
}

/// Beyond it, Φ is 0 or 1 in f32.
const LIMIT: f64 = 6.0;
const NODES_PER_UNIT: f64 = 64.0;

impl Normal {
    fn get() -> &'static Self {
        static TABLE: OnceLock<Normal> = OnceLock::new();
        TABLE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        let step = 1.0 / NODES_PER_UNIT;
        let count = (2.0 * LIMIT * NODES_PER_UNIT) as usize + 1;
        let mut nodes = Vec::with_capacity(count);
        // Φ by Simpson's rule from the left, whose error a step is about step⁵/3000. What lies left of the limit, 1e-9, is
        // the part that symmetry leaves: Φ(−x) = 1 − Φ(x).
        let mut sum = 0.0;
        for index in 0..count {
            let x = index as f64 * step - LIMIT;
            nodes.push([sum as f32, density(x) as f32, (-x * density(x)) as f32]);
            sum += step / 6.0 * (density(x) + 4.0 * density(x + step / 2.0) + density(x + step));
        }
        Self { nodes }
    }

    /// Φ(x) and φ(x).
    fn at(&self, x: f32) -> (f32, f32) {
        const STEP: f32 = 1.0 / NODES_PER_UNIT as f32;
        let place = (x + LIMIT as f32) * NODES_PER_UNIT as f32;
        if !(place >= 0.0 && place < (self.nodes.len() - 1) as f32) {
            let cdf = if x.is_nan() { x } else { f32::from(u8::from(x > 0.0)) };
            return (cdf, 0.0);
        }
        let index = place as usize;
        let t = place - index as f32;
        let ([c0, d0, e0], [c1, d1, e1]) = (self.nodes[index], self.nodes[index + 1]);
        let hermite = |p0: f32, m0: f32, p1: f32, m1: f32| {
            let (s, r) = (t * t, 1.0 - t);
            let (h00, h10) = ((1.0 + 2.0 * t) * r * r, t * r * r);
            let (h01, h11) = (s * (3.0 - 2.0 * t), s * (t - 1.0));
            h00 * p0 + h10 * STEP * m0 + h01 * p1 + h11 * STEP * m1
        };
        (hermite(c0, d0, c1, d1), hermite(d0, e0, d1, e1))
    }
}

/// GELU of each element.
pub(crate) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let (shape, device) = (x.shape(), x.device());
    let table = Normal::get();
    let mut values = host_values(x);
    values.par_chunks_mut(CHUNK).for_each(|chunk| {
        for value in chunk {
            *value *= table.at(*value).0;
        }
    });
    Tensor::from_data(TensorData::new(values, shape), &device)
}

/// GELU's derivative g at each element, and what the tangent y = g·x + c has for c.
pub(crate) fn gelu_tangent<const D: usize>(x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let (shape, device) = (x.shape(), x.device());
    let table = Normal::get();
    let mut slope = host_values(x);
    let mut offset = vec![0.0f32; slope.len()];
    slope.par_chunks_mut(CHUNK).zip(offset.par_chunks_mut(CHUNK)).for_each(|(slope, offset)| {
        for (slope, offset) in slope.iter_mut().zip(offset) {
            let x = *slope;
            let (cdf, density) = table.at(x);
            *slope = cdf + x * density;
            *offset = -x * x * density;
        }
    });
    let tensor = |values| Tensor::from_data(TensorData::new(values, shape.clone()), &device);
    (tensor(slope), tensor(offset))
}

fn host_values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    // Without a copy where the tensor's memory is not shared.
    match x.into_data().try_into_vec_as::<f32>() {
        Ok(values) => values,
        Err(error) => panic!("an activation holds floats: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_the_share_it_should_and_the_mean() {
        let mask = keep_mask(1_000_000, 0.9, 7);
        let kept = mask.iter().filter(|value| **value > 0.0).count() as f64 / 1e6;
        // Three standard deviations of a binomial share.
        assert!((kept - 0.9).abs() < 3.0 * (0.09f64 / 1e6).sqrt(), "{kept}");
        assert!(mask.iter().all(|value| *value == 0.0 || (*value - 1.0 / 0.9).abs() < 1e-6));
        assert_eq!(mask, keep_mask(1_000_000, 0.9, 7));
        assert_ne!(mask, keep_mask(1_000_000, 0.9, 8));
    }

    #[test]
    fn beyond_the_table_phi_is_flat_and_nan_stays_nan() {
        let table = Normal::get();
        assert_eq!(table.at(6.5), (1.0, 0.0));
        assert_eq!(table.at(-1e30), (0.0, 0.0));
        assert_eq!(table.at(f32::INFINITY), (1.0, 0.0));
        assert!(table.at(f32::NAN).0.is_nan());
    }
}
