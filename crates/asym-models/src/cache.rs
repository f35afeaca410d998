//! Keys and values of the tokens that a decoder has seen, with room for those to come.

use burn::tensor::{Int, Tensor};

/// The keys and values of one layer, `[rows, room, features]`, of which the first `length` are there.
///
/// Room for many tokens is made at once: a token costs the writing of its own key and value, where growing tensors would
/// copy all that came before.
#[derive(Debug, Clone)]
pub(crate) struct KeyValueCache {
    /// Absent until the first tokens come, which say what rows, features and dtype there are.
    tensors: Option<[Tensor<3>; 2]>,
    length: usize,
    capacity: usize,
}

/// The least room that is made beyond what is there.
const ROOM: usize = 64;

impl KeyValueCache {
    /// Room for `capacity` tokens in each row.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { tensors: None, length: 0, capacity }
    }

    /// Add the keys and values of the next tokens, `[rows, tokens, features]`, and return those of all tokens so far.
    pub(crate) fn append(&mut self, key: Tensor<3>, value: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let [rows, tokens, features] = key.dims();
        let (start, end) = (self.length, self.length + tokens);
        let mut tensors = self.tensors.take();
        if tensors.as_ref().is_none_or(|[keys, _]| keys.dims()[1] < end) {
            // Twice as much each time, so what is copied stays in proportion; the most may be far beyond the end.
            let room = self.capacity.min(2 * end.max(ROOM)).max(end);
            let options = (&key.device(), key.dtype());
            let grown = |old: Option<Tensor<3>>| {
                let new = Tensor::zeros([rows, room, features], options);
                match old {
                    Some(old) => new.slice_assign([0..rows, 0..start, 0..features], old.slice([0..rows, 0..start])),
                    None => new,
                }
            };
            let (keys, values) = tensors.map(|[keys, values]| (keys, values)).unzip();
            tensors = Some([grown(keys), grown(values)]);
        }
        let Some([keys, values]) = tensors else { unreachable!("made above") };
        let place = [0..rows, start..end, 0..features];
        // Nothing else holds these tensors, so a backend may write where they are.
        let keys = keys.slice_assign(place.clone(), key);
        let values = values.slice_assign(place, value);
        let seen = [0..rows, 0..end, 0..features];
        let all = (keys.clone().slice(seen.clone()), values.clone().slice(seen));
        (self.tensors, self.length) = (Some([keys, values]), end);
        all
    }

    /// Row i gets the content of row `rows[i]`. Only the existing tokens are moved, and not the free space after them.
    pub(crate) fn select(&mut self, rows: &Tensor<1, Int>) {
        let length = self.length;
        let moved = |tensor: Tensor<3>| tensor.narrow(1, 0, length).select(0, rows.clone());
        self.tensors = self.tensors.take().map(|tensors| tensors.map(moved));
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
