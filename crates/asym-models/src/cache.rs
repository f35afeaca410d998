//! The cached keys and values of the tokens that a decoder has processed.

use burn::tensor::{Int, Tensor};

/// The keys and values of one layer, `[rows, allocated tokens, features]`. The first `length` tokens are set.
///
/// Memory is allocated for many tokens in advance, so a step only writes the keys and values of its new tokens.
/// Otherwise, each step would copy those of all earlier tokens.
#[derive(Debug, Clone)]
pub(crate) struct KeyValueCache {
    /// Absent until the first tokens are appended, which determine the number of rows and features and the dtype.
    tensors: Option<[Tensor<3>; 2]>,
    length: usize,
    capacity: usize,
    /// See [`share`](Self::share).
    shared: Option<Tensor<1, Int>>,
}

/// The minimum number of tokens that are allocated in advance, within the capacity.
const ROOM: usize = 64;

impl KeyValueCache {
    /// An empty cache for at most `capacity` tokens in each row.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { tensors: None, length: 0, capacity, shared: None }
    }

    /// Add the keys and values of the next tokens, `[rows, tokens, features]`, and return those of all tokens so far.
    pub(crate) fn append(&mut self, key: Tensor<3>, value: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        if let (Some([keys, values]), Some(order)) = (&self.tensors, &self.shared) {
            let all = |before: &Tensor<3>, own| {
                let before = before.clone().narrow(1, 0, self.length);
                Tensor::cat(vec![before, own], 1).select(1, order.clone())
            };
            return (all(keys, key), all(values, value));
        }
        let [rows, tokens, features] = key.dims();
        let (start, end) = (self.length, self.length + tokens);
        let mut tensors = self.tensors.take();
        if tensors.as_ref().is_none_or(|[keys, _]| keys.dims()[1] < end) {
            // The size doubles, so the total cost of copying is linear. The capacity may be far larger than the final length.
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
        let Some([keys, values]) = tensors else { unreachable!("allocated above") };
        let place = [0..rows, start..end, 0..features];
        // These tensors have no other references, so a backend can write in place.
        let keys = keys.slice_assign(place.clone(), key);
        let values = values.slice_assign(place, value);
        let seen = [0..rows, 0..end, 0..features];
        let all = (keys.clone().slice(seen.clone()), values.clone().slice(seen));
        (self.tensors, self.length) = (Some([keys, values]), end);
        all
    }

    /// Row i gets the content of row `rows[i]`. Only the existing tokens are copied, not the free space after them.
    pub(crate) fn select(&mut self, rows: &Tensor<1, Int>) {
        let length = self.length;
        let moved = |tensor: Tensor<3>| tensor.narrow(1, 0, length).select(0, rows.clone());
        self.tensors = self.tensors.take().map(|tensors| tensors.map(moved));
    }

    /// Let several sequences in one row continue the single row of this cache. From now on, [`append`](Self::append) does not
    /// extend the cache. It returns keys and values in the order of `order`, whose numbers are positions in the cached tokens
    /// followed by those of the sequences.
    pub(crate) fn share(&mut self, order: Tensor<1, Int>) {
        self.shared = Some(order);
    }

    /// The number of tokens in each row.
    pub(crate) fn len(&self) -> usize {
        self.length
    }
}

/// The indices `rows` as a tensor. `None` if there are `before` rows and all of them keep their index.
pub(crate) fn moved(rows: &[usize], before: usize, like: &burn::tensor::Device) -> Option<Tensor<1, Int>> {
    let stays = rows.len() == before && rows.iter().enumerate().all(|(row, from)| row == *from);
    let indices: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
    (!stays).then(|| Tensor::from_data(indices.as_slice(), like))
}
