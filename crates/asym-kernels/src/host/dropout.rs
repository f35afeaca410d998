//! Dropout whose mask is a function of a seed. It is generated again for the backward pass instead of being kept.

use burn::nn;
use burn::tensor::{Device, Distribution, Int, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::host::extension::{HostOperation, run};
use crate::host::{HostTensor, owned, tensor};

/// The number of values per task. It is large enough for the cost of a task, and small enough for the first cache levels.
const CHUNK: usize = 4096;

/// See [`dropout`](crate::dropout()).
pub(crate) fn dropout<const D: usize>(layer: &nn::Dropout, input: Tensor<D>) -> Tensor<D> {
    match Mask::of(layer, &input.device()) {
        Some(mask) => run(mask, vec![input.into_dispatch()]),
        None => input,
    }
}

/// A dropout mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mask {
    /// The probability with which a value is kept.
    pub(crate) keep: f64,
    /// The random seed, which differs between applications of dropout.
    pub(crate) seed: u64,
}

impl Mask {
    /// The mask of `layer` on `device`; `None` outside training. The seed is drawn from the device's random number generator.
    pub(crate) fn of(layer: &nn::Dropout, device: &Device) -> Option<Self> {
        let acts = layer.training.is_enabled() && device.is_autodiff() && layer.prob > 0.0;
        acts.then(|| Self { keep: 1.0 - layer.prob, seed: seed(device) })
    }

    /// Scale the values that are kept and set the others to zero. The dropped values depend only on the seed and on `task`.
    pub(crate) fn apply(self, task: usize, values: &mut [f32]) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(task as u64);
        let threshold = (self.keep * f64::from(u32::MAX)) as u32;
        let scale = (1.0 / self.keep) as f32;
        for value in values {
            *value *= if rng.next_u32() <= threshold { scale } else { 0.0 };
        }
    }

    fn apply_all(self, values: &mut [f32]) {
        // Each chunk has its own random stream, so the result does not depend on the thread that processes the chunk.
        values.par_chunks_mut(CHUNK).enumerate().for_each(|(task, chunk)| self.apply(task, chunk));
    }
}

/// A seed from the device's random number generator, which `Device::seed` makes reproducible.
fn seed(device: &Device) -> u64 {
    let words = Tensor::<1, Int>::random([2], Distribution::Uniform(0.0, f64::from(i32::MAX)), device);
    words.into_data().iter::<i64>().fold(0u64, |seed, word| (seed << 32) | (word as u64 & 0xffff_ffff))
}

impl HostOperation for Mask {
    fn forward(&self, inputs: Vec<HostTensor>, _: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        (self.masked(inputs), Vec::new())
    }

    fn backward(&self, _: Vec<HostTensor>, gradient: HostTensor, _: &[bool]) -> Vec<Option<HostTensor>> {
        vec![Some(self.masked(vec![gradient]))]
    }
}

impl Mask {
    fn masked(self, inputs: Vec<HostTensor>) -> HostTensor {
        let Ok([input]) = <[_; 1]>::try_from(inputs) else { unreachable!("dropout has one input") };
        let (shape, dtype) = (input.layout().shape().clone(), input.dtype());
        let mut values = owned(input);
        self.apply_all(&mut values);
        tensor(values, shape, dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_the_expected_share_of_values() {
        let dropout = Mask { keep: 0.9, seed: 5 };
        let mut values = vec![1.0f32; 100_000];
        dropout.apply(3, &mut values);
        let kept = values.iter().filter(|value| **value > 0.0).count() as f64 / 1e5;
        // The tolerance is three standard deviations of a binomial share.
        assert!((kept - 0.9).abs() < 3.0 * (0.09f64 / 1e5).sqrt(), "{kept}");
        assert!(values.iter().all(|value| *value == 0.0 || (value - 1.0 / 0.9).abs() < 1e-6));
        let mut again = vec![1.0f32; 100_000];
        dropout.apply(3, &mut again);
        assert_eq!(values, again);
        let mut other = vec![1.0f32; 100_000];
        dropout.apply(4, &mut other);
        assert_ne!(values, other);
    }
}
