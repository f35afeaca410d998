//! LayerNorm, and LayerNorm(dropout(x) + residual) at the end of a sublayer, each as one operation.
//!
//! The backward pass needs the normalized rows and one number per row. The dropout mask is generated again from its seed.

use burn::module::Param;
use burn::nn::{self, LayerNorm};
use burn::tensor::{DType, Shape, Tensor};
use rayon::prelude::*;

use crate::Kept;
use crate::host::dropout::Mask;
use crate::host::extension::{HostOperation, run};
use crate::host::linear::column_sums;
use crate::host::math::{dot, sum, vectorized};
use crate::host::{HostTensor, floats, owned, tensor};

/// The number of rows per task. Each task has its own part of the dropout mask.
const ROWS: usize = 16;

/// See [`residual_norm`](crate::residual_norm()); `beta` is the shift of `norm`.
pub(crate) fn residual_norm<const D: usize>(
    (norm, beta, epsilon): (&LayerNorm, &Param<Tensor<1>>, f64),
    dropout: &nn::Dropout,
    input: Tensor<D>,
    residual: Tensor<D>,
    kept: Kept,
) -> Tensor<D> {
    let mask = Mask::of(dropout, &input.device());
    let operation = ResidualNorm { width: input.dims()[D - 1], epsilon: epsilon as f32, mask, kept };
    let [input, residual] = [input, residual].map(Tensor::into_dispatch);
    let [gamma, beta] = [norm.gamma.val(), beta.val()].map(Tensor::into_dispatch);
    run(operation, vec![input, gamma, beta, residual])
}

/// See [`layer_norm`](crate::layer_norm()); `beta` is the shift of `norm`.
pub(crate) fn layer_norm<const D: usize>(
    (norm, beta, epsilon): (&LayerNorm, &Param<Tensor<1>>, f64),
    input: Tensor<D>,
    kept: Kept,
) -> Tensor<D> {
    let operation = ResidualNorm { width: input.dims()[D - 1], epsilon: epsilon as f32, mask: None, kept };
    let [gamma, beta] = [norm.gamma.val(), beta.val()].map(Tensor::into_dispatch);
    run(operation, vec![input.into_dispatch(), gamma, beta])
}

#[derive(Debug, Clone, Copy)]
struct ResidualNorm {
    /// The number of features per row.
    width: usize,
    /// The constant that is added to the variance.
    epsilon: f32,
    mask: Option<Mask>,
    kept: Kept,
}

impl HostOperation for ResidualNorm {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let mut inputs = inputs.into_iter();
        let (Some(input), Some(gamma), Some(beta)) = (inputs.next(), inputs.next(), inputs.next()) else {
            unreachable!("three inputs or four")
        };
        let residual = inputs.next();
        let (shape, dtype) = (input.layout().shape().clone(), input.dtype());
        let (scale, shift) = (floats(&gamma), floats(&beta));
        let mut rows = owned(input);
        let inverse = self.normalize(&mut rows, residual.as_ref().map(floats).as_deref());
        if !tracked.contains(&true) {
            self.each_row(&mut rows, |row| {
                for ((value, scale), shift) in row.iter_mut().zip(&*scale).zip(&*shift) {
                    *value = *value * scale + shift;
                }
            });
            return (tensor(rows, shape, dtype), Vec::new());
        }
        let mut output = rows.clone();
        self.each_row(&mut output, |row| {
            for ((value, scale), shift) in row.iter_mut().zip(&*scale).zip(&*shift) {
                *value = *value * scale + shift;
            }
        });
        let count = inverse.len();
        drop(scale);
        let rows = self.kept.keep(tensor(rows, shape.clone(), dtype));
        let kept = vec![rows, tensor(inverse, Shape::from([count]), DType::F32), gamma];
        (tensor(output, shape, dtype), kept)
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let Ok([rows, inverse, gamma]) = <[_; 3]>::try_from(kept) else { unreachable!("three are kept") };
        let (shape, dtype, width) = (rows.layout().shape().clone(), gradient.dtype(), self.width);
        let (gradient, scale, inverse) = (floats(&gradient), floats(&gamma), floats(&inverse));
        let mut values = owned(rows);
        let of_residual = tracked.get(3).is_some_and(|tracked| *tracked);
        let of_gamma = tracked[1].then(|| {
            let products: Vec<f32> = values.par_iter().zip(&*gradient).map(|(row, gradient)| row * gradient).collect();
            tensor(column_sums(&products, width), Shape::from([width]), gamma.dtype())
        });
        let of_beta = tracked[2].then(|| tensor(column_sums(&gradient, width), Shape::from([width]), gamma.dtype()));
        if !tracked[0] && !of_residual {
            return vec![None, of_gamma, of_beta, None];
        }
        // The rows become the gradient of the sum, in place.
        let chunk = ROWS * width;
        let each = values.par_chunks_mut(chunk).zip(gradient.par_chunks(chunk)).zip(inverse.par_chunks(ROWS));
        each.for_each_init(
            || vec![0.0f32; width],
            |scaled, ((rows, gradient), inverse)| {
                vectorized!(|| {
                    let each = rows.chunks_exact_mut(width).zip(gradient.chunks_exact(width)).zip(inverse);
                    for ((row, gradient), inverse) in each {
                        for ((scaled, gradient), scale) in scaled.iter_mut().zip(gradient).zip(&*scale) {
                            *scaled = gradient * scale;
                        }
                        let mean = sum(scaled) / width as f32;
                        let slope = dot(scaled, row) / width as f32;
                        for (value, scaled) in row.iter_mut().zip(&*scaled) {
                            *value = (scaled - mean - *value * slope) * inverse;
                        }
                    }
                });
            },
        );
        let of_sum = tensor(values, shape.clone(), dtype);
        let of_input = match self.mask {
            Some(mask) if tracked[0] => {
                let mut values = floats(&of_sum).into_owned();
                values.par_chunks_mut(chunk).enumerate().for_each(|(task, values)| mask.apply(task, values));
                tensor(values, shape, dtype)
            }
            _ => of_sum.clone(),
        };
        vec![tracked[0].then_some(of_input), of_gamma, of_beta, of_residual.then_some(of_sum)]
    }
}

impl ResidualNorm {
    /// Replace each of `rows` by dropout(row) + residual, if there is one, normalized to mean 0 and variance 1. Returns
    /// 1/√(variance + ε) of each row.
    fn normalize(&self, rows: &mut [f32], residual: Option<&[f32]>) -> Vec<f32> {
        let width = self.width;
        let mut inverse = vec![0.0f32; rows.len() / width];
        let chunk = ROWS * width;
        let each = rows.par_chunks_mut(chunk).zip(inverse.par_chunks_mut(ROWS));
        each.enumerate().for_each(|(task, (rows, inverse))| {
            if let Some(mask) = self.mask {
                mask.apply(task, rows);
            }
            vectorized!(|| {
                if let Some(residual) = residual {
                    for (value, residual) in rows.iter_mut().zip(&residual[task * chunk..]) {
                        *value += residual;
                    }
                }
                for (row, inverse) in rows.chunks_exact_mut(width).zip(inverse) {
                    let mean = sum(row) / width as f32;
                    for value in row.iter_mut() {
                        *value -= mean;
                    }
                    // The variance is computed after the mean was subtracted, so there is no cancellation.
                    *inverse = (dot(row, row) / width as f32 + self.epsilon).sqrt().recip();
                    for value in row.iter_mut() {
                        *value *= *inverse;
                    }
                }
            });
        });
        inverse
    }

    fn each_row(&self, values: &mut [f32], work: impl Fn(&mut [f32]) + Sync) {
        values.par_chunks_mut(ROWS * self.width).for_each(|rows| {
            vectorized!(|| rows.chunks_exact_mut(self.width).for_each(&work));
        });
    }
}
