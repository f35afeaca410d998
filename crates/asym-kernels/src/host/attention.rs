//! Attention on the host: softmax(scale · Q·Kᵀ + bias)·V for each head, forward and backward.
//!
//! Each task has the scores of only some rows of one head in memory. The backward pass computes the scores again from Q and K,
//! and generates the dropout mask again from its seed, so no tensor of size length² is kept. Heads are read and written in place
//! in `[batch, length, heads · width]`, without a transposition.

use burn::nn;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::heads::Sequence;
use crate::host::dropout::Mask;
use crate::host::extension::{HostOperation, run};
use crate::host::math::{Matrix, MatrixMut, Output, Shared, dot, product, softmax_row, vectorized};
use crate::host::{HostTensor, floats, tensor};
use crate::{Heads, Kept, Sequences};

/// The maximum number of rows of scores in memory per task.
const ROWS: usize = 128;

/// Attention within each of `sequences`. See [`attention`](crate::attention()) and
/// [`packed_attention`](crate::packed_attention()).
pub(crate) fn attention(
    [query, key, value]: [Tensor<3>; 3],
    bias: Option<&Tensor<4>>,
    sequences: Sequences,
    heads: Heads,
    dropout: &nn::Dropout,
    kept: Kept,
) -> Tensor<3> {
    let width = heads.width(&query, &key);
    let mask = Mask::of(dropout, &query.device());
    let operation = Attention { sequences, heads, width, scale: (width as f32).sqrt().recip(), mask, kept };
    let mut inputs: Vec<_> = [query, key, value].map(Tensor::into_dispatch).into();
    inputs.extend(bias.map(|bias| bias.clone().into_dispatch()));
    run(operation, inputs)
}

#[derive(Debug, Clone)]
struct Attention {
    sequences: Sequences,
    heads: Heads,
    /// The number of features per head.
    width: usize,
    /// The factor of the scores.
    scale: f32,
    mask: Option<Mask>,
    kept: Kept,
}

/// Some queries of one head of a sequence, with the keys to which they attend.
#[derive(Clone, Copy)]
struct Block<'a> {
    sequence: &'a Sequence,
    /// The index of the block's dropout mask.
    number: usize,
    head: usize,
    /// The head of keys and values that the queries use.
    shared: usize,
    start: usize,
    rows: usize,
    keys: usize,
}

/// The values of the inputs.
struct Inputs<'a> {
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl HostOperation for Attention {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let mut output = vec![0.0f32; inputs[0].layout().shape().num_elements()];
        self.with(&inputs, |inputs| {
            let shared = Shared::new(&mut output);
            self.each_block(|block, scores| {
                self.probabilities(&inputs, block, scores);
                self.drop(block, scores);
                let value = self.shared_head(inputs.value, block);
                // SAFETY: only this block writes to its part of the output.
                let output = unsafe { self.rows_mut(&shared, block) };
                product(output, Output::Overwrite, 1.0, Matrix::of(scores, block.keys), value);
            });
        });
        let query = &inputs[0];
        let output = tensor(output, query.layout().shape().clone(), query.dtype());
        let inputs = if tracked.contains(&true) { inputs } else { Vec::new() };
        (output, inputs.into_iter().map(|input| self.kept.keep(input)).collect())
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let zeros =
            |index: usize| vec![0.0f32; if tracked[index] { kept[index].layout().shape().num_elements() } else { 0 }];
        let mut gradients = [zeros(0), zeros(1), zeros(2)];
        self.with(&kept, |inputs| {
            let shared = gradients.each_mut().map(|values| Shared::new(values));
            self.backward_blocks(&inputs, &floats(&gradient), &shared, tracked);
        });
        let each = gradients.into_iter().zip(&kept).zip(tracked);
        each.map(|((values, input), tracked)| {
            tracked.then(|| tensor(values, input.layout().shape().clone(), gradient.dtype()))
        })
        .collect()
    }
}

impl Attention {
    fn with(&self, inputs: &[HostTensor], work: impl FnOnce(Inputs<'_>)) {
        let values: Vec<_> = inputs.iter().map(floats).collect();
        let bias = values.get(3).map(|bias| &**bias);
        work(Inputs { query: &values[0], key: &values[1], value: &values[2], bias });
    }

    /// Compute the gradients of queries, keys and values into `of`, if they are tracked.
    fn backward_blocks(&self, inputs: &Inputs<'_>, gradient: &[f32], of: &[Shared<'_>; 3], tracked: &[bool]) {
        let [of_query, of_key, of_value] = of;
        self.each_block(|block, scores| {
            let keys = block.keys;
            self.probabilities(inputs, block, scores);
            let gradient = self.rows(gradient, block);
            let mut kept = std::borrow::Cow::Borrowed(&*scores);
            if self.mask.is_some() {
                self.drop(block, kept.to_mut());
            }
            if tracked[2] {
                // SAFETY: blocks that share a head of keys and values belong to one task, which processes them one
                // after another.
                let of_value = unsafe { self.shared_head_mut(of_value, block) };
                product(of_value, Output::Add, 1.0, Matrix::of(&kept, keys).transposed(), gradient);
            }
            drop(kept);
            if !tracked[0] && !tracked[1] {
                return;
            }
            // The gradient of the scores is p ∘ (g − Σ p∘g), where g is the gradient of the probabilities after the same dropout.
            let mut of_scores = vec![0.0f32; scores.len()];
            let value = self.shared_head(inputs.value, block).transposed();
            product(MatrixMut::of(&mut of_scores, keys), Output::Overwrite, 1.0, gradient, value);
            self.drop(block, &mut of_scores);
            vectorized!(|| {
                for (of_scores, probabilities) in of_scores.chunks_exact_mut(keys).zip(scores.chunks_exact(keys)) {
                    let mean = dot(of_scores, probabilities);
                    for (of_score, probability) in of_scores.iter_mut().zip(probabilities) {
                        *of_score = probability * (*of_score - mean);
                    }
                }
            });
            let of_scores = Matrix::of(&of_scores, keys);
            if tracked[0] {
                // SAFETY: only this block writes to the gradient of its queries.
                let of_query = unsafe { self.rows_mut(of_query, block) };
                product(of_query, Output::Overwrite, self.scale, of_scores, self.shared_head(inputs.key, block));
            }
            if tracked[1] {
                // SAFETY: see the gradient of the values above.
                let of_key = unsafe { self.shared_head_mut(of_key, block) };
                product(of_key, Output::Add, self.scale, of_scores.transposed(), self.rows(inputs.query, block));
            }
        });
    }

    /// Call `work` with each block and a buffer for its scores. Blocks with the same keys and values are processed sequentially.
    fn each_block(&self, work: impl Fn(Block<'_>, &mut [f32]) + Sync) {
        let Heads { query, key_value, causal } = self.heads;
        let group = query / key_value;
        let sequences = &self.sequences.0;
        let most = sequences.iter().map(|sequence| sequence.queries.len().div_ceil(ROWS)).max().unwrap_or(0);
        (0..sequences.len() * key_value).into_par_iter().for_each_init(Vec::new, |scores, task| {
            let (at, shared) = (task / key_value, task % key_value);
            let sequence = &sequences[at];
            let (queries, all_keys) = (sequence.queries.len(), sequence.keys.len());
            for head in shared * group..(shared + 1) * group {
                for start in (0..queries).step_by(ROWS) {
                    let rows = ROWS.min(queries - start);
                    // None of these queries attends to a later key.
                    let keys = if causal { all_keys - queries + start + rows } else { all_keys };
                    let number = (at * query + head) * most + start / ROWS;
                    scores.resize(rows * keys, 0.0);
                    let block = Block { sequence, number, head, shared, start, rows, keys };
                    work(block, &mut scores[..rows * keys]);
                }
            }
        });
    }

    /// Softmax of the scores of one block, `[rows, keys]`.
    fn probabilities(&self, inputs: &Inputs<'_>, block: Block<'_>, scores: &mut [f32]) {
        let keys = block.keys;
        let (queries, all_keys) = (block.sequence.queries.len(), block.sequence.keys.len());
        let (query, key) = (self.rows(inputs.query, block), self.shared_head(inputs.key, block));
        product(MatrixMut::of(scores, keys), Output::Overwrite, self.scale, query, key.transposed());
        let bias = inputs.bias.map(|bias| &bias[block.sequence.keys.start..][..keys]);
        vectorized!(|| {
            for (index, row) in scores.chunks_exact_mut(keys).enumerate() {
                let seen = if self.heads.causal { all_keys - queries + block.start + index + 1 } else { keys };
                let (seen, hidden) = row.split_at_mut(seen);
                softmax_row(seen, bias);
                hidden.fill(0.0);
            }
        });
    }

    /// Apply the dropout mask of the block, which is the same in each call.
    fn drop(&self, block: Block<'_>, values: &mut [f32]) {
        if let Some(mask) = self.mask {
            mask.apply(block.number, values);
        }
    }

    /// The index of the first value of the block's queries, and the length of a row of all heads.
    fn query_place(&self, block: Block<'_>) -> (usize, usize) {
        let row = self.heads.query * self.width;
        ((block.sequence.queries.start + block.start) * row + block.head * self.width, row)
    }

    /// The index of the first value of the block's keys, and the length of a row of all heads.
    fn key_place(&self, block: Block<'_>) -> (usize, usize) {
        let row = self.heads.key_value * self.width;
        (block.sequence.keys.start * row + block.shared * self.width, row)
    }

    /// The block's rows in a tensor with the shape of the queries: `[rows, width]`.
    fn rows<'a>(&self, values: &'a [f32], block: Block<'_>) -> Matrix<'a> {
        let (start, row) = self.query_place(block);
        Matrix::view(&values[start..], block.rows, self.width, row)
    }

    /// The keys or values of the block: `[keys, width]`.
    fn shared_head<'a>(&self, values: &'a [f32], block: Block<'_>) -> Matrix<'a> {
        let (start, row) = self.key_place(block);
        Matrix::view(&values[start..], block.keys, self.width, row)
    }

    /// Like [`rows`](Self::rows), for writing.
    ///
    /// # Safety
    ///
    /// While the matrix is alive, there must be no other reference to these rows of this head.
    unsafe fn rows_mut<'a>(&self, values: &'a Shared<'a>, block: Block<'_>) -> MatrixMut<'a> {
        let (start, row) = self.query_place(block);
        // SAFETY: the caller guarantees that there is no other reference. The matrix does not contain values of other heads.
        unsafe { values.matrix(start, block.rows, self.width, row) }
    }

    /// Like [`shared_head`](Self::shared_head), for writing.
    ///
    /// # Safety
    ///
    /// While the matrix is alive, there must be no other reference to this head of the sequence.
    unsafe fn shared_head_mut<'a>(&self, values: &'a Shared<'a>, block: Block<'_>) -> MatrixMut<'a> {
        let (start, row) = self.key_place(block);
        // SAFETY: see `rows_mut`.
        unsafe { values.matrix(start, block.keys, self.width, row) }
    }
}
