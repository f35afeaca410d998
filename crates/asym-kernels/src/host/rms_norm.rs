//! RMSNorm, γ · x / √(mean of x² + ε). The output and the gradient of the input take one pass over memory each.
//!
//! Source: Zhang and Sennrich, 2019 (arXiv:1910.07467). The backward pass needs the input and one number per row. The input is
//! not copied unless it is rounded. The normalized rows would take as much memory and another pass to write them.

use std::mem::MaybeUninit;

use burn::tensor::{DType, Shape, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::Kept;
use crate::host::extension::{HostOperation, run};
use crate::host::linear::column_sums;
use crate::host::math::{dot, vectorized, written};
use crate::host::{HostTensor, floats, owned, tensor};

/// The number of rows per task.
const ROWS: usize = 16;

/// See [`rms_norm`](crate::rms_norm()).
pub(crate) fn rms_norm<const D: usize>(gamma: Tensor<1>, epsilon: f64, input: Tensor<D>, kept: Kept) -> Tensor<D> {
    let operation = RmsNorm { width: input.dims()[D - 1], epsilon: epsilon as f32, dtype: input.dtype(), kept };
    run(operation, vec![input.into_dispatch(), gamma.into_dispatch()])
}

#[derive(Debug, Clone, Copy)]
struct RmsNorm {
    /// The number of features per row.
    width: usize,
    /// The constant that is added to the mean of the squares.
    epsilon: f32,
    /// The dtype of the input, of the output and of the input's gradient.
    dtype: DType,
    kept: Kept,
}

impl HostOperation for RmsNorm {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let Ok([input, gamma]) = <[_; 2]>::try_from(inputs) else { unreachable!("two inputs") };
        let shape = input.layout().shape().clone();
        let scale = floats(&gamma);
        let (width, chunk) = (self.width, ROWS * self.width);
        if !tracked.contains(&true) {
            let mut rows = owned(input);
            rows.par_chunks_mut(chunk).for_each(|rows| {
                vectorized!(|| {
                    for row in rows.chunks_exact_mut(width) {
                        self.normalize(row, &scale);
                    }
                });
            });
            return (tensor(rows, shape, self.dtype), Vec::new());
        }
        let read = floats(&input);
        let mut inverse = vec![0.0f32; read.len() / width];
        let write = |output: &mut [MaybeUninit<f32>]| {
            let each = output.par_chunks_mut(chunk).zip(read.par_chunks(chunk)).zip(inverse.par_chunks_mut(ROWS));
            each.for_each(|((output, rows), inverse)| {
                let output = output.write_copy_of_slice(rows);
                vectorized!(|| {
                    for (row, inverse) in output.chunks_exact_mut(width).zip(inverse) {
                        *inverse = self.normalize(row, &scale);
                    }
                });
            });
        };
        // SAFETY: the input has `read.len()` values, and all of them are copied into the output.
        let values = unsafe { written(read.len(), write) };
        drop((read, scale));
        let rows = inverse.len();
        let kept = vec![self.kept.keep(input), tensor(inverse, Shape::from([rows]), DType::F32), gamma];
        (tensor(values, shape, self.dtype), kept)
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let Ok([input, inverse, gamma]) = <[_; 3]>::try_from(kept) else { unreachable!("three are kept") };
        let shape = input.layout().shape().clone();
        let (gradient, inverse) = (floats(&gradient), floats(&inverse));
        let of_gamma = tracked[1].then(|| {
            let sums = self.of_gamma(&floats(&input), &gradient, &inverse);
            tensor(sums, Shape::from([self.width]), gamma.dtype())
        });
        let of_input = tracked[0].then(|| {
            let mut rows = owned(input);
            self.of_input(&mut rows, &gradient, &inverse, &floats(&gamma));
            tensor(rows, shape, self.dtype)
        });
        vec![of_input, of_gamma]
    }
}

impl RmsNorm {
    /// Replace `row` by its norm. Returns 1/√(mean of the squares of `row` + ε).
    #[inline(always)]
    fn normalize(&self, row: &mut [f32], scale: &[f32]) -> f32 {
        let inverse = (dot(row, row) / self.width as f32 + self.epsilon).sqrt().recip();
        for value in row.iter_mut() {
            *value *= inverse;
        }
        match self.dtype {
            DType::F16 => row.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32()),
            DType::BF16 => row.iter_mut().for_each(|value| *value = bf16::from_f32(*value).to_f32()),
            _ => {}
        }
        for (value, scale) in row.iter_mut().zip(scale) {
            *value *= scale;
        }
        inverse
    }

    /// Replace `rows` by their gradient, (g∘γ − x̂ · mean of g∘γ∘x̂) / √(mean of x² + ε), where x̂ is the normalized row.
    fn of_input(&self, rows: &mut [f32], gradient: &[f32], inverse: &[f32], scale: &[f32]) {
        let (width, chunk) = (self.width, ROWS * self.width);
        let each = rows.par_chunks_mut(chunk).zip(gradient.par_chunks(chunk)).zip(inverse.par_chunks(ROWS));
        each.for_each_init(
            || vec![0.0f32; width],
            |scaled, ((rows, gradient), inverse)| {
                vectorized!(|| {
                    let each = rows.chunks_exact_mut(width).zip(gradient.chunks_exact(width)).zip(inverse);
                    for ((row, gradient), inverse) in each {
                        for ((scaled, gradient), scale) in scaled.iter_mut().zip(gradient).zip(scale) {
                            *scaled = gradient * scale;
                        }
                        // The normalized row is the row times `inverse`, here and in the loop.
                        let slope = dot(scaled, row) * inverse / width as f32;
                        for (value, scaled) in row.iter_mut().zip(&*scaled) {
                            *value = (scaled - *value * inverse * slope) * inverse;
                        }
                    }
                });
            },
        );
    }

    /// The sum of g∘x̂ over all rows. It is computed in tasks, and their results are added in a fixed order.
    fn of_gamma(&self, rows: &[f32], gradient: &[f32], inverse: &[f32]) -> Vec<f32> {
        let (width, chunk) = (self.width, ROWS * self.width);
        let each = rows.par_chunks(chunk).zip(gradient.par_chunks(chunk)).zip(inverse.par_chunks(ROWS));
        let partial = each.flat_map_iter(|((rows, gradient), inverse)| {
            let mut sums = vec![0.0f32; width];
            vectorized!(|| {
                for ((row, gradient), inverse) in
                    rows.chunks_exact(width).zip(gradient.chunks_exact(width)).zip(inverse)
                {
                    for ((sum, value), gradient) in sums.iter_mut().zip(row).zip(gradient) {
                        *sum += gradient * (value * inverse);
                    }
                }
            });
            sums
        });
        column_sums(&partial.collect::<Vec<_>>(), width)
    }
}
