//! GELU, x·Φ(x), with its exact gradient.

use std::mem::MaybeUninit;

use burn::tensor::{DType, Tensor, TensorData};
use rayon::prelude::*;

use crate::Kept;
use crate::host::extension::{HostOperation, run};
use crate::host::math::{vectorized, written};
use crate::host::normal::normal;
use crate::host::{HostTensor, floats, owned, tensor};

/// The number of values per task.
const CHUNK: usize = 8192;

/// See [`gelu`](crate::gelu()).
pub(crate) fn gelu<const D: usize>(input: Tensor<D>, kept: Kept) -> Tensor<D> {
    run(Gelu { kept }, vec![input.into_dispatch()])
}

#[derive(Debug)]
struct Gelu {
    kept: Kept,
}

/// The derivative is between -0.129 and 1.129. In 8 bits, it is [`ZERO`] plus the derivative times 200, rounded, so that the
/// derivatives 0 and 1 are exact.
const STEPS: f32 = 200.0;

/// The 8-bit value for a derivative of 0.
const ZERO: f32 = 26.0;

impl HostOperation for Gelu {
    fn forward(&self, mut inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let Some(input) = inputs.pop() else { unreachable!("GELU has one input") };
        let (shape, dtype) = (input.layout().shape().clone(), input.dtype());
        if !tracked[0] {
            let mut values = owned(input);
            values.par_chunks_mut(CHUNK).for_each(|chunk| {
                vectorized!(|| {
                    for value in chunk {
                        *value *= normal(*value).0;
                    }
                });
            });
            return (tensor(values, shape, dtype), Vec::new());
        }
        if self.kept == Kept::Rounded && dtype == DType::F32 {
            let mut values = owned(input);
            let mut derivative = vec![0u8; values.len()];
            values.par_chunks_mut(CHUNK).zip(derivative.par_chunks_mut(CHUNK)).for_each(|(values, derivative)| {
                vectorized!(|| {
                    for (value, derivative) in values.iter_mut().zip(derivative) {
                        let (cumulative, density) = normal(*value);
                        *derivative = ((cumulative + *value * density) * STEPS + (ZERO + 0.5)) as u8;
                        *value *= cumulative;
                    }
                });
            });
            let kept = HostTensor::from_data(TensorData::new(derivative, shape.clone()));
            return (tensor(values, shape, dtype), vec![kept]);
        }
        let read = floats(&input);
        let write = |output: &mut [MaybeUninit<f32>]| {
            output.par_chunks_mut(CHUNK).zip(read.par_chunks(CHUNK)).for_each(|(output, input)| {
                vectorized!(|| {
                    for (output, input) in output.iter_mut().zip(input) {
                        output.write(input * normal(*input).0);
                    }
                });
            });
        };
        // SAFETY: the input has `read.len()` values, and an output is written for each of them.
        let values = unsafe { written(read.len(), write) };
        drop(read);
        (tensor(values, shape, dtype), vec![input])
    }

    fn backward(&self, mut kept: Vec<HostTensor>, gradient: HostTensor, _: &[bool]) -> Vec<Option<HostTensor>> {
        let Some(input) = kept.pop() else { unreachable!("GELU keeps its input or its derivative") };
        let (shape, dtype) = (input.layout().shape().clone(), gradient.dtype());
        if input.dtype() == DType::U8 {
            let mut values = owned(gradient);
            let derivative = input.storage::<u8>();
            values.par_chunks_mut(CHUNK).zip(derivative.par_chunks(CHUNK)).for_each(|(values, derivative)| {
                vectorized!(|| {
                    for (value, derivative) in values.iter_mut().zip(derivative) {
                        *value *= (f32::from(*derivative) - ZERO) * (1.0 / STEPS);
                    }
                });
            });
            return vec![Some(tensor(values, shape, dtype))];
        }
        let mut values = owned(input);
        let gradient = floats(&gradient);
        values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK)).for_each(|(values, gradient)| {
            vectorized!(|| {
                for (value, gradient) in values.iter_mut().zip(gradient) {
                    let (cumulative, density) = normal(*value);
                    *value = gradient * (cumulative + *value * density);
                }
            });
        });
        vec![Some(tensor(values, shape, dtype))]
    }
}
