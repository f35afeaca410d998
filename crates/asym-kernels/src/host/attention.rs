//! Attention on the host: softmax(scale · Q·Kᵀ + bias)·V for each head, forward and backward.
//!
//! Scores live for some rows of one head at a time. Backward computes them again from Q and K, and draws the dropout mask
//! again from its seed, so nothing of size length² is kept. Heads are read and written in place, in `[batch, length,
//! heads · width]`: nothing is transposed.

use burn::nn;
use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::heads::Sequence;
use crate::host::dropout::Mask;
use crate::host::extension::{HostOperation, run};
use crate::host::math::{Matrix, MatrixMut, Output, Shared, dot, product, softmax_row, vectorized};
use crate::host::{HostTensor, floats, tensor};
use crate::{Heads, Kept, Sequences};

/// Rows of scores that are there at once, in each task.
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
    /// Features of a head.
    width: usize,
    /// Multiplies the scores.
    scale: f32,
    mask: Option<Mask>,
    kept: Kept,
}

/// Some queries of one head of a sequence, and the keys that they see.
#[derive(Clone, Copy)]
struct Block<'a> {
    sequence: &'a Sequence,
    /// Where the dropout mask of the block is in the order of all.
    number: usize,
    head: usize,
    /// The head of keys and values.
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
                // SAFETY: each block's part of the output is written by its own task alone.
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

    /// Gradients are added to those of the queries, keys and values that are tracked.
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
            // The gradient of the scores is p ∘ (g − Σ p∘g), with g that of the probabilities, which dropout scales as it scaled them.
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
                // SAFETY: each block's queries are written by its own task alone.
                let of_query = unsafe { self.rows_mut(of_query, block) };
                product(of_query, Output::Overwrite, self.scale, of_scores, self.shared_head(inputs.key, block));
            }
            if tracked[1] {
                // SAFETY: as for the values.
                let of_key = unsafe { self.shared_head_mut(of_key, block) };
                product(of_key, Output::Add, self.scale, of_scores.transposed(), self.rows(inputs.query, block));
            }
        });
    }

    /// Call `work` with each block and room for its scores. Blocks that share keys and values come one after another.
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
                    // Later keys are seen by none of these queries.
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

    /// Scale what stays and drop the rest: the same for the same block each time.
    fn drop(&self, block: Block<'_>, values: &mut [f32]) {
        if let Some(mask) = self.mask {
            mask.apply(block.number, values);
        }
    }

    /// Where the block's queries start, and the length of a row of all heads.
    fn query_place(&self, block: Block<'_>) -> (usize, usize) {
        let row = self.heads.query * self.width;
        ((block.sequence.queries.start + block.start) * row + block.head * self.width, row)
    }

    /// The same of its keys.
    fn key_place(&self, block: Block<'_>) -> (usize, usize) {
        let row = self.heads.key_value * self.width;
        (block.sequence.keys.start * row + block.shared * self.width, row)
    }

    /// The block's rows of queries, or of what has their shape: `[rows, width]`.
    fn rows<'a>(&self, values: &'a [f32], block: Block<'_>) -> Matrix<'a> {
        let (start, row) = self.query_place(block);
        Matrix::view(&values[start..], block.rows, self.width, row)
    }

    /// The keys or values that the block sees: `[keys, width]`.
    fn shared_head<'a>(&self, values: &'a [f32], block: Block<'_>) -> Matrix<'a> {
        let (start, row) = self.key_place(block);
        Matrix::view(&values[start..], block.keys, self.width, row)
    }

    /// [`rows`](Self::rows), to write to.
    ///
    /// # Safety
    ///
    /// No other reference into these rows of that head may be alive.
    unsafe fn rows_mut<'a>(&self, values: &'a Shared<'a>, block: Block<'_>) -> MatrixMut<'a> {
        let (start, row) = self.query_place(block);
        // SAFETY: the caller's promise; the rows of other heads between these are never touched.
        unsafe { values.matrix(start, block.rows, self.width, row) }
    }

    /// [`shared_head`](Self::shared_head), to write to.
    ///
    /// # Safety
    ///
    /// No other reference into that head may be alive.
    unsafe fn shared_head_mut<'a>(&self, values: &'a Shared<'a>, block: Block<'_>) -> MatrixMut<'a> {
        let (start, row) = self.key_place(block);
        // SAFETY: as above.
        unsafe { values.matrix(start, block.keys, self.width, row) }
    }
}
