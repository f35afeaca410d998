//! The product inside SwiGLU: silu(gate) · up, with silu(x) = x·σ(x).
//!
//! Source: Shazeer, 2020 (arXiv:2002.05202). The backward pass computes σ again from the gate.

use std::mem::MaybeUninit;

use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::Kept;
use crate::host::extension::{HostOperation, run};
use crate::host::math::{exp, vectorized, written};
use crate::host::{HostTensor, floats, owned, tensor};

/// The number of values per task.
const CHUNK: usize = 8192;

/// See [`gated_silu`](crate::gated_silu()).
pub(crate) fn gated_silu<const D: usize>(gate: Tensor<D>, up: Tensor<D>, kept: Kept) -> Tensor<D> {
    run(GatedSilu { kept }, vec![gate.into_dispatch(), up.into_dispatch()])
}

#[derive(Debug)]
struct GatedSilu {
    kept: Kept,
}

impl HostOperation for GatedSilu {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let Ok([gate, up]) = <[_; 2]>::try_from(inputs) else { unreachable!("two inputs") };
        if !tracked[0] {
            let output = weighed(up, &gate);
            return (output, if tracked[1] { vec![self.kept.keep(gate)] } else { Vec::new() });
        }
        let values = {
            let (gates, ups) = (floats(&gate), floats(&up));
            let write = |output: &mut [MaybeUninit<f32>]| {
                let each = output.par_chunks_mut(CHUNK).zip(ups.par_chunks(CHUNK)).zip(gates.par_chunks(CHUNK));
                each.for_each(|((output, up), gate)| weigh(output.write_copy_of_slice(up), gate));
            };
            // SAFETY: gate and up have the same shape, so all `ups.len()` values are copied into the output.
            unsafe { written(ups.len(), write) }
        };
        (tensor(values, gate.layout().shape().clone(), gate.dtype()), vec![self.kept.keep(gate), self.kept.keep(up)])
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let mut kept = kept.into_iter();
        let (Some(gate), up) = (kept.next(), kept.next()) else { unreachable!("the gate is kept") };
        let Some(up) = up else { return vec![None, Some(weighed(gradient, &gate))] };
        let (shape, dtype) = (gate.layout().shape().clone(), gradient.dtype());
        let (mut gates, mut ups, gradient) = (owned(gate), owned(up), floats(&gradient));
        // Gate and up are replaced by their gradients.
        let each = gates.par_chunks_mut(CHUNK).zip(ups.par_chunks_mut(CHUNK)).zip(gradient.par_chunks(CHUNK));
        each.for_each(|((gates, ups), gradient)| {
            vectorized!(|| {
                for ((gate, up), gradient) in gates.iter_mut().zip(ups).zip(gradient) {
                    let share = sigmoid(*gate);
                    let silu = *gate * share;
                    // silu′ = σ + x·σ·(1 − σ).
                    *gate = gradient * *up * (share + silu * (1.0 - share));
                    *up = gradient * silu;
                }
            });
        });
        let of_up = tracked[1].then(|| tensor(ups, shape.clone(), dtype));
        vec![Some(tensor(gates, shape, dtype)), of_up]
    }
}

/// `values` · silu(gate), in place if `values` is not shared. This is the output for `up`, and the gradient of `up`.
fn weighed(values: HostTensor, gate: &HostTensor) -> HostTensor {
    let (shape, dtype) = (values.layout().shape().clone(), values.dtype());
    let (mut values, gates) = (owned(values), floats(gate));
    values.par_chunks_mut(CHUNK).zip(gates.par_chunks(CHUNK)).for_each(|(values, gates)| weigh(values, gates));
    tensor(values, shape, dtype)
}

/// Multiply each value by silu(gate).
fn weigh(values: &mut [f32], gates: &[f32]) {
    vectorized!(|| {
        for (value, gate) in values.iter_mut().zip(gates) {
            *value *= gate * sigmoid(*gate);
        }
    });
}

/// σ(x) = 1/(1 + e⁻ˣ). It is computed from the exponential of −|x|, which cannot overflow.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let tail = exp(-x.abs());
    let smaller = tail / (1.0 + tail);
    if x > 0.0 { 1.0 - smaller } else { smaller }
}
