//! Rotary position embedding, in place: each pair of features is rotated by an angle that depends on the position.
//!
//! Source: Su et al., 2021 (arXiv:2104.09864). Features i and i + width/2 of a head are a pair, as in transformers. In the
//! paper, neighboring features are a pair. The backward pass rotates the gradient back and needs only the angles.

use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::Rotation;
use crate::host::extension::{HostOperation, run};
use crate::host::math::vectorized;
use crate::host::{HostTensor, floats, owned, tensor};

/// The number of rows per task.
const ROWS: usize = 16;

/// See [`rotary`](crate::rotary()).
pub(crate) fn rotary(input: Tensor<3>, rotation: &Rotation) -> Tensor<3> {
    let ([_, _, features], [_, _, half]) = (input.dims(), rotation.cos.dims());
    let inputs = [input, rotation.cos.clone(), rotation.sin.clone()].map(Tensor::into_dispatch);
    run(Rotary { features, half }, inputs.into())
}

#[derive(Debug, Clone, Copy)]
struct Rotary {
    /// The number of features per row, over all heads.
    features: usize,
    /// The number of pairs of features per head.
    half: usize,
}

impl HostOperation for Rotary {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let Ok([input, cos, sin]) = <[_; 3]>::try_from(inputs) else { unreachable!("three inputs") };
        let output = self.turn(input, [&cos, &sin], 1.0);
        (output, if tracked[0] { vec![cos, sin] } else { Vec::new() })
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        if !tracked[0] {
            return vec![None; 3];
        }
        let Ok([cos, sin]) = <[_; 2]>::try_from(kept) else { unreachable!("two are kept") };
        vec![Some(self.turn(gradient, [&cos, &sin], -1.0)), None, None]
    }
}

impl Rotary {
    /// `rows`, rotated by the angles times `direction`, which is 1 or −1.
    fn turn(&self, rows: HostTensor, angles: [&HostTensor; 2], direction: f32) -> HostTensor {
        let Self { features, half } = *self;
        let (shape, dtype) = (rows.layout().shape().clone(), rows.dtype());
        let [cos, sin] = angles.map(floats);
        let mut values = owned(rows);
        values.par_chunks_mut(ROWS * features).enumerate().for_each(|(task, rows)| {
            vectorized!(|| {
                for (index, row) in rows.chunks_exact_mut(features).enumerate() {
                    // If there are angles for only one sequence, they are used for every sequence.
                    let start = (task * ROWS + index) * half % cos.len();
                    let (cos, sin) = (&cos[start..][..half], &sin[start..][..half]);
                    for head in row.chunks_exact_mut(2 * half) {
                        let (first, second) = head.split_at_mut(half);
                        for (((first, second), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                            let sin = direction * sin;
                            (*first, *second) = (*first * cos - *second * sin, *second * cos + *first * sin);
                        }
                    }
                }
            });
        });
        tensor(values, shape, dtype)
    }
}
