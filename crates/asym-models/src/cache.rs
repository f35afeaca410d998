//! Keys and values of the tokens that a decoder has seen, with room for those to come.

use burn::tensor::{Int, Tensor};

/// The keys and values of one layer, `[rows, capacity, features]`, of which the first `length` are there.
///
/// Room for all tokens is made at once: a token costs the writing of its own key and value, where growing tensors would
/// copy all that came before.
#[derive(Debug, Clone)]
pub(crate) struct KeyValueCache {
    /// Absent until the first tokens come, which say what rows, features and dtype there are.
    tensors: Option<[Tensor<3>; 2]>,
    length: usize,
    capacity: usize,
}

impl KeyValueCache {
    /// Room for `capacity` tokens in each row.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { tensors: None, length: 0, capacity }
    }

    /// Add the keys and values of the next tokens, `[rows, tokens, features]`, and return those of all tokens so far.
    pub(crate) fn append(&mut self, key: Tensor<3>, value: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let [rows, tokens, features] = key.dims();
        let (start, end) = (self.length, self.length + tokens);
        let room = || {
            let options = (&key.device(), key.dtype());
            [
                Tensor::zeros([rows, self.capacity, features], options),
                Tensor::zeros([rows, self.capacity, features], options),
            ]
        };
        let [keys, values] = self.tensors.take().unwrap_or_else(room);
        let place = [0..rows, start..end, 0..features];
        // Nothing else holds these tensors, so that a backend may write where they are.
        let keys = keys.slice_assign(place.clone(), key);
        let values = values.slice_assign(place, value);
        let seen = [0..rows, 0..end, 0..features];
        let all = (keys.clone().slice(seen.clone()), values.clone().slice(seen));
        (self.tensors, self.length) = (Some([keys, values]), end);
        all
    }

    /// Row i becomes what row `rows[i]` was.
    pub(crate) fn select(&mut self, rows: &Tensor<1, Int>) {
        self.tensors = self.tensors.take().map(|tensors| tensors.map(|tensor| tensor.select(0, rows.clone())));
    }

    /// Tokens of a row.
    pub(crate) fn len(&self) -> usize {
        self.length
    }
}

/// Row indices as a tensor; none where every row stays what it was.
pub(crate) fn moved(rows: &[usize], before: usize, like: &burn::tensor::Device) -> Option<Tensor<1, Int>> {
    let stays = rows.len() == before && rows.iter().enumerate().all(|(row, from)| row == *from);
    let indices: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    (!stays).then(|| Tensor::from_data(indices.as_slice(), like))
}
