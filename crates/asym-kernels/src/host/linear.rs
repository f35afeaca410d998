//! A linear layer as one matrix product, for inputs with any number of axes.

use std::mem::MaybeUninit;

use burn::tensor::{DType, Shape, Tensor};
use rayon::prelude::*;

use crate::host::extension::{HostOperation, run};
use crate::host::math::{Matrix, MatrixMut, Output, new_product, parallel_product, written};
use crate::host::{HostTensor, floats, tensor};

/// The number of rows per task.
const ROWS: usize = 64;

/// See [`linear`](crate::linear()). All tensors have one dtype.
pub(crate) fn linear<const D: usize>(input: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let dtype = input.dtype();
    if dtype != DType::F32 {
        // The host multiplies in f32 in any case. With f32 tensors, the bias is added before the result is rounded.
        let bias = bias.map(|bias| bias.cast(DType::F32));
        return linear(input.cast(DType::F32), weight.cast(DType::F32), bias).cast(dtype);
    }
    let mut inputs = vec![input.into_dispatch(), weight.into_dispatch()];
    inputs.extend(bias.map(Tensor::into_dispatch));
    run(Linear, inputs)
}

#[derive(Debug)]
struct Linear;

impl HostOperation for Linear {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let (input, weight) = (&inputs[0], &inputs[1]);
        let output = {
            let bias = inputs.get(2).map(floats);
            f32_product(&floats(input), Matrix::tensor(weight), bias.as_deref())
        };
        let shape = with_last(input.layout().shape(), dims(weight)[1]);
        let output = tensor(output, shape, DType::F32);
        // The gradient of one operand needs the other operand.
        let kept = [tracked[0].then(|| weight.clone()), tracked[1].then(|| input.clone())];
        (output, kept.into_iter().flatten().collect())
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let shape = gradient.layout().shape().clone();
        let d_output = shape[shape.num_dims() - 1];
        let values = floats(&gradient);
        let rows = Matrix::of(&values, d_output);
        let mut kept = kept.into_iter();
        let of_input = tracked[0].then(|| kept.next()).flatten().map(|weight| {
            let of_input = new_product(1.0, rows, Matrix::tensor(&weight).transposed());
            tensor(of_input, with_last(&shape, dims(&weight)[0]), DType::F32)
        });
        let of_weight = tracked[1].then(|| kept.next()).flatten().map(|input| {
            let d_input = input.layout().shape()[shape.num_dims() - 1];
            let input = floats(&input);
            let of_weight = new_product(1.0, Matrix::of(&input, d_input).transposed(), rows);
            tensor(of_weight, Shape::from([d_input, d_output]), DType::F32)
        });
        let of_bias = tracked
            .get(2)
            .is_some_and(|tracked| *tracked)
            .then(|| tensor(column_sums(&values, d_output), Shape::from([d_output]), DType::F32));
        vec![of_input, of_weight, of_bias]
    }
}

/// x·W + bias, where each row of x has as many values as the weight has rows.
pub(crate) fn f32_product(rows: &[f32], weight: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let rows = Matrix::of(rows, weight.rows());
    let Some(bias) = bias else { return new_product(1.0, rows, weight) };
    let mut output = repeated(bias, rows.rows());
    parallel_product(MatrixMut::of(&mut output, bias.len()), Output::Add, 1.0, rows, weight);
    output
}

pub(crate) fn dims(matrix: &HostTensor) -> [usize; 2] {
    let shape = matrix.layout().shape();
    [shape[0], shape[1]]
}

/// `shape` with `last` as the size of the last axis.
pub(crate) fn with_last(shape: &Shape, last: usize) -> Shape {
    let mut shape = shape.clone();
    let axis = shape.num_dims() - 1;
    shape[axis] = last;
    shape
}

/// A matrix of `count` rows that are all equal to `row`.
fn repeated(row: &[f32], count: usize) -> Vec<f32> {
    let write = |output: &mut [MaybeUninit<f32>]| {
        output.par_chunks_mut(ROWS * row.len()).for_each(|rows| {
            for output in rows.chunks_exact_mut(row.len()) {
                output.write_copy_of_slice(row);
            }
        });
    };
    // SAFETY: the length is a multiple of the row length, and each row is written.
    unsafe { written(count * row.len(), write) }
}

/// The sum of all rows of `width` values. It is computed in tasks, and their results are added in a fixed order.
pub(crate) fn column_sums(values: &[f32], width: usize) -> Vec<f32> {
    let partial: Vec<Vec<f32>> = values
        .par_chunks(ROWS * width)
        .map(|rows| {
            let mut sums = vec![0.0f32; width];
            for row in rows.chunks_exact(width) {
                add(&mut sums, row);
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0f32; width];
    for part in &partial {
        add(&mut sums, part);
    }
    sums
}

fn add(sums: &mut [f32], row: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += value;
    }
}
