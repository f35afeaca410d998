//! Shared parts of the decoders of several models.

use burn::tensor::{Int, Tensor};

/// Prompts without padding.
#[derive(Debug, Clone)]
pub(crate) struct Prompts {
    rows: Vec<Vec<u32>>,
}

impl Prompts {
    /// The tokens of `ids`, `[rows, length]`, for which `mask`, `[rows, length]`, is 1.
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

    /// Prompts from rows that have no padding.
    pub(crate) const fn from(rows: Vec<Vec<u32>>) -> Self {
        Self { rows }
    }

    pub(crate) fn rows(&self) -> &[Vec<u32>] {
        &self.rows
    }

    /// The number of tokens in the longest row.
    fn longest(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The number of padding tokens that extend each row to the length of the longest row.
    pub(crate) fn padding(&self) -> Vec<usize> {
        self.rows.iter().map(|row| self.longest() - row.len()).collect()
    }

    /// The rows, padded on the left with `pad` to the length of the longest row.
    pub(crate) fn padded(&self, pad: u32) -> Vec<Vec<u32>> {
        let padding = self.padding();
        self.rows.iter().zip(padding).map(|(row, padding)| [vec![pad; padding], row.clone()].concat()).collect()
    }
}

/// The tokens that a decoder processes in a step. Without a cache, it processes all tokens again in each step.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    /// The tokens of each row so far. With a cache, these are only the tokens of the first pass.
    rows: Vec<Vec<u32>>,
    cached: bool,
}

impl Passing {
    /// The state before the first pass. All rows must have the same length.
    pub(crate) const fn new(rows: Vec<Vec<u32>>, cached: bool) -> Self {
        Self { rows, cached }
    }

    /// The tokens of the first pass, row by row, and the number of tokens in each row.
    pub(crate) fn begin(&self) -> (Vec<u32>, usize) {
        (self.rows.concat(), self.rows.first().map_or(0, Vec::len))
    }

    /// The tokens of the next pass, and the number of tokens in each row. Row i continues row `rows[i]` with `tokens[i]`.
    pub(crate) fn next(&mut self, rows: &[usize], tokens: &[u32]) -> (Vec<u32>, usize) {
        if self.cached {
            return (tokens.to_vec(), 1);
        }
        let longer = |(row, token): (&usize, &u32)| [self.rows[*row].as_slice(), &[*token]].concat();
        self.rows = rows.iter().zip(tokens).map(longer).collect();
        self.begin()
    }
}

/// Compute the logits of each row's last position and copy them to the host. `head` is not applied to other positions.
pub(crate) fn last_logits(hidden: Tensor<3>, head: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Vec<f32> {
    let [rows, length, width] = hidden.dims();
    let last = hidden.slice([0..rows, length - 1..length]).reshape([rows, width]);
    head(last).into_data().iter::<f32>().collect()
}
