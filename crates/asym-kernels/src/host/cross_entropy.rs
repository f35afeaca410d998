//! Cross-entropy of logits. The forward pass only reads the logits, and the backward pass replaces them by their gradient.
//!
//! The logits are the largest tensor of a step if the classes are the tokens of a vocabulary. Log-softmax followed by a gather
//! would write and keep two more tensors of this size.

use burn::tensor::{DType, Int, Shape, Tensor};
use rayon::prelude::*;

use crate::host::extension::{HostOperation, run};
use crate::host::math::{exp, reduce, sum, vectorized};
use crate::host::{HostTensor, floats, owned, tensor};

/// The number of exponentials that are summed in f32. The sums of these parts are added in f64.
const PART: usize = 1024;

/// See [`cross_entropy`](crate::cross_entropy()).
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let (classes, dtype) = (logits.dims()[1], logits.dtype());
    let label = |label: i64| match usize::try_from(label) {
        Ok(label) if label < classes => label,
        _ => panic!("the label {label} is not one of {classes} classes, which are counted from 0"),
    };
    let labels = labels.into_data().iter::<i64>().map(label).collect();
    run(CrossEntropy { labels, smoothing, dtype }, vec![logits.into_dispatch()])
}

#[derive(Debug)]
struct CrossEntropy {
    /// The class of each row.
    labels: Vec<usize>,
    /// ε, the fraction of a label's probability that is spread over all classes.
    smoothing: f64,
    /// The dtype of the logits and of their gradient.
    dtype: DType,
}

impl HostOperation for CrossEntropy {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let Ok([logits]) = <[_; 1]>::try_from(inputs) else { unreachable!("one input") };
        let (count, classes) = (self.labels.len(), logits.layout().shape()[1]);
        let values = floats(&logits);
        let each = values.par_chunks_exact(classes).zip(&self.labels).map(|(row, label)| self.row(row, *label));
        let rows: Vec<Row> = each.collect();
        let loss = rows.iter().map(|row| row.loss).sum::<f64>() / count as f64;
        drop(values);
        let kept = if tracked[0] {
            let column = |of: fn(&Row) -> f32| tensor(rows.iter().map(of).collect(), Shape::from([count]), DType::F32);
            vec![column(|row| row.largest), column(|row| row.inverse), logits]
        } else {
            Vec::new()
        };
        (tensor(vec![loss as f32], Shape::from([1]), DType::F32), kept)
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, _: &[bool]) -> Vec<Option<HostTensor>> {
        let Ok([largest, inverse, logits]) = <[_; 3]>::try_from(kept) else { unreachable!("three are kept") };
        let shape = logits.layout().shape().clone();
        let classes = shape[1];
        let scale = f64::from(floats(&gradient)[0]) / self.labels.len() as f64;
        let uniform = (scale * self.smoothing / classes as f64) as f32;
        let of_label = (scale * (1.0 - self.smoothing)) as f32;
        let (largest, inverse, mut rows) = (floats(&largest), floats(&inverse), owned(logits));
        let of_rows = self.labels.par_iter().zip(&*largest).zip(&*inverse);
        rows.par_chunks_exact_mut(classes).zip(of_rows).for_each(|(row, ((label, largest), inverse))| {
            let factor = inverse * scale as f32;
            vectorized!(|| {
                for value in row.iter_mut() {
                    *value = exp(*value - largest) * factor - uniform;
                }
            });
            row[*label] -= of_label;
        });
        vec![Some(tensor(rows, shape, self.dtype))]
    }
}

/// The statistics of a row of logits.
struct Row {
    /// The largest logit.
    largest: f32,
    /// 1 / Σ exp(logit − largest).
    inverse: f32,
    /// The loss.
    loss: f64,
}

impl CrossEntropy {
    fn row(&self, row: &[f32], label: usize) -> Row {
        let mut exponentials = [0.0f32; PART];
        let (largest, total, mean) = vectorized!(|| {
            let largest = reduce(row, f32::NEG_INFINITY, |most, value| if value > most { value } else { most });
            let mut total = 0.0f64;
            for part in row.chunks(PART) {
                let exponentials = &mut exponentials[..part.len()];
                for (exponential, value) in exponentials.iter_mut().zip(part) {
                    *exponential = exp(value - largest);
                }
                total += f64::from(sum(exponentials));
            }
            let mean = if self.smoothing == 0.0 {
                0.0
            } else {
                row.chunks(PART).map(|part| f64::from(sum(part))).sum::<f64>() / row.len() as f64
            };
            (largest, total, mean)
        });
        let normalizer = f64::from(largest) + total.ln();
        let expected = (1.0 - self.smoothing) * f64::from(row[label]) + self.smoothing * mean;
        Row { largest, inverse: (1.0 / total) as f32, loss: normalizer - expected }
    }
}
