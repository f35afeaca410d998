//! Shared parts of the decoders of several models.

use burn::tensor::{Int, Tensor};

/// Prompts without their padding.
#[derive(Debug, Clone)]
pub(crate) struct Prompts {
    rows: Vec<Vec<u32>>,
}

impl Prompts {
    /// The tokens that `mask` counts, of `ids`: both `[rows, length]`.
    pub(crate) fn new(ids: &Tensor<2, Int>, mask: Option<&Tensor<2, Int>>) -> Self {
        let [_, length] = ids.dims();
        let values: Vec<u32> = ids.to_data().iter::<i64>().map(|id| id as u32).collect();
        let counts: Vec<bool> = match mask {
            Some(mask) => mask.to_data().iter::<i64>().map(|value| value == 1).collect(),
            None => vec![true; values.len()],
        };
        let row = |(ids, counts): (&[u32], &[bool])| {
            ids.iter().zip(counts).filter(|(_, counts)| **counts).map(|(id, _)| *id).collect()
        };
        Self { rows: values.chunks(length).zip(counts.chunks(length)).map(row).collect() }
    }

    /// Rows without padding.
    pub(crate) const fn from(rows: Vec<Vec<u32>>) -> Self {
        Self { rows }
    }

    pub(crate) fn rows(&self) -> &[Vec<u32>] {
        &self.rows
    }

    /// Tokens of the longest.
    fn longest(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The number of tokens that each row lacks to the longest.
    pub(crate) fn padding(&self) -> Vec<usize> {
        self.rows.iter().map(|row| self.longest() - row.len()).collect()
    }

    /// The rows, padded on the left.
    pub(crate) fn padded(&self, pad: u32) -> Vec<Vec<u32>> {
        let padding = self.padding();
        self.rows.iter().zip(padding).map(|(row, padding)| [vec![pad; padding], row.clone()].concat()).collect()
    }
}

/// The tokens that a decoder processes in a step. Without a cache, it processes all tokens again in each step.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    /// The tokens of each row so far; with a cache, only their beginning.
    rows: Vec<Vec<u32>>,
    cached: bool,
}

impl Passing {
    /// Rows of one length, before the first step.
    pub(crate) const fn new(rows: Vec<Vec<u32>>, cached: bool) -> Self {
        Self { rows, cached }
    }

    /// The tokens of the first pass, row by row, and their number in each row.
    pub(crate) fn begin(&self) -> (Vec<u32>, usize) {
        (self.rows.concat(), self.rows.first().map_or(0, Vec::len))
    }

    /// The tokens of the next pass, where row i continues row `rows[i]` with `tokens[i]`.
    pub(crate) fn next(&mut self, rows: &[usize], tokens: &[u32]) -> (Vec<u32>, usize) {
        if self.cached {
            return (tokens.to_vec(), 1);
        }
        let longer = |(row, token): (&usize, &u32)| [self.rows[*row].as_slice(), &[*token]].concat();
        self.rows = rows.iter().zip(tokens).map(longer).collect();
        self.begin()
    }
}

/// The logits of each row's last position, on the host: `head` sees no other.
pub(crate) fn last_logits(hidden: Tensor<3>, head: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Vec<f32> {
    let [rows, length, width] = hidden.dims();
    let last = hidden.slice([0..rows, length - 1..length]).reshape([rows, width]);
    head(last).into_data().iter::<f32>().collect()
}
