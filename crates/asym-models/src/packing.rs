//! The tokens of a padded batch without its padding, concatenated in one row.

use asym_kernels::{Sequences, is_host};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The positions of the real tokens of a padded batch, that is, the tokens that are not padding.
#[derive(Debug)]
pub(crate) struct Packing {
    /// The position of each real token in the batch, `row · length + column`, in ascending order.
    places: Vec<usize>,
    /// The number of columns of the batch.
    length: usize,
    sequences: Sequences,
    has_padding: bool,
    device: Device,
}

impl Packing {
    /// The tokens whose `mask`, `[batch, length]`, is not 0.
    ///
    /// `None` if there is no padding, if a row has no token, or on a device whose memory is not the host's, where reading
    /// the mask would wait for the device.
    pub(crate) fn of(mask: Option<&Tensor<2, Int>>) -> Option<Self> {
        let mask = mask.filter(|mask| is_host(&mask.device()))?;
        Self::new(&values(mask), mask).filter(Self::has_padding)
    }

    /// The tokens of `batch`, `[batch, length]`, whose mask is not 0. `None` if a row has no token.
    pub(crate) fn new(mask: &[i64], batch: &Tensor<2, Int>) -> Option<Self> {
        let [_, length] = batch.dims();
        let lengths = mask.chunks(length).map(|row| row.iter().filter(|value| **value != 0).count());
        let lengths: Vec<usize> = lengths.collect();
        if lengths.contains(&0) {
            return None;
        }
        let places: Vec<usize> = (0..mask.len()).filter(|place| mask[*place] != 0).collect();
        let has_padding = places.len() < mask.len();
        Some(Self { places, length, sequences: Sequences::new(lengths), has_padding, device: batch.device() })
    }

    /// Whether the batch has tokens that the packed row lacks.
    pub(crate) fn has_padding(&self) -> bool {
        self.has_padding
    }

    /// The values of the real tokens: `[batch, length]` becomes `[1, tokens]`.
    pub(crate) fn tokens(&self, values_of_batch: &Tensor<2, Int>) -> Tensor<2, Int> {
        self.pick(&values(values_of_batch))
    }

    /// Like [`tokens`](Self::tokens), for values on the host in the order of the batch.
    pub(crate) fn pick(&self, of_batch: &[i64]) -> Tensor<2, Int> {
        let real: Vec<i64> = self.places.iter().map(|place| of_batch[*place]).collect();
        self.row(real)
    }

    /// The column of each real token, `[1, tokens]`.
    pub(crate) fn columns(&self) -> Tensor<2, Int> {
        self.row(self.places.iter().map(|place| (place % self.length) as i64).collect())
    }

    fn row(&self, values: Vec<i64>) -> Tensor<2, Int> {
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [1, count]), &self.device)
    }

    /// The sequences of the packed row.
    pub(crate) fn sequences(&self) -> &Sequences {
        &self.sequences
    }

    /// The positions in the packed row, `[count]`, of the tokens at `places` of the padded batch. `None` if one of these
    /// tokens is padding.
    pub(crate) fn find(&self, places: impl IntoIterator<Item = usize>) -> Option<Tensor<1, Int>> {
        let found = places.into_iter().map(|place| self.places.binary_search(&place).ok().map(|at| at as i64));
        let found = found.collect::<Option<Vec<i64>>>()?;
        Some(Tensor::from_data(found.as_slice(), &self.device))
    }
}

/// The values of `positions`, each `row · length + column`.
pub(crate) fn places(positions: &Tensor<1, Int>) -> Vec<usize> {
    values(positions).into_iter().map(|position| position as usize).collect()
}

/// The values of a tensor, row by row.
pub(crate) fn values<const D: usize>(tensor: &Tensor<D, Int>) -> Vec<i64> {
    tensor.to_data().iter::<i64>().collect()
}
