//! Pairs of encoded texts (a source and its target), and batches of them.

use std::sync::Arc;

use asym_models::{BartConfig, BartInput};
use asym_train::{Batch, Source, TrainError};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Two texts as token ids, special tokens included, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The text that the encoder reads, such as a document.
    pub source: Vec<u32>,
    /// The text that the decoder has to generate, such as a summary. Its tokens are the labels.
    pub target: Vec<u32>,
    /// The line in the file, counted from 1.
    pub line: usize,
}

/// The special tokens that batches for BART need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The padding token.
    pub pad: u32,
    /// The token with which the decoder starts.
    pub start: u32,
}

impl Marks {
    /// The tokens of a model with this configuration.
    pub fn of(config: &BartConfig) -> Self {
        let [pad, start] = [config.pad_token_id, config.decoder_start_token_id].map(|id| id as u32);
        Self { pad, start }
    }
}

/// Encoded pairs.
#[derive(Clone, Debug)]
pub struct Pairs {
    pairs: Arc<[Pair]>,
    marks: Marks,
}

/// A batch of pairs on the device.
#[derive(Clone, Debug)]
pub struct PairBatch {
    /// The sources, `[batch, length]`, and the input of the decoder, `[batch, target length]`: the targets, shifted to the right
    /// by the start token. Both are padded on the right.
    pub input: BartInput,
    /// The positions of the tokens with a label, as `row · target length + column`: `[count]`.
    pub positions: Tensor<1, Int>,
    /// The labels at these positions, `[count]`.
    pub labels: Tensor<1, Int>,
    /// The index of each pair in the list of all pairs.
    pub indices: Vec<usize>,
}

impl Batch for PairBatch {
    fn examples(&self) -> usize {
        self.indices.len()
    }

    /// The number of labeled tokens.
    fn weight(&self) -> f64 {
        self.labels.dims()[0] as f64
    }
}

impl PairBatch {
    /// The batch of `pairs`, which have the `indices` in the list of all pairs.
    ///
    /// # Panics
    ///
    /// Panics if `pairs` is empty.
    pub fn new(pairs: &[&Pair], indices: &[usize], marks: Marks, device: &Device) -> Self {
        let moved: Vec<Vec<u32>> = pairs
            .iter()
            .map(|pair| [marks.start].iter().chain(&pair.target).take(pair.target.len()).copied().collect())
            .collect();
        let width = moved.iter().map(Vec::len).max().unwrap_or(0);
        let labeled = pairs.iter().enumerate().flat_map(|(row, pair)| {
            pair.target
                .iter()
                .enumerate()
                .map(move |(column, label)| ((row * width + column) as i64, i64::from(*label)))
        });
        let (positions, labels): (Vec<i64>, Vec<i64>) = labeled.unzip();
        let count = positions.len();
        let tensor = |values: Vec<i64>| Tensor::from_data(TensorData::new(values, [count]), device);
        let sources: Vec<&[u32]> = pairs.iter().map(|pair| pair.source.as_slice()).collect();
        let moved: Vec<&[u32]> = moved.iter().map(Vec::as_slice).collect();
        Self {
            input: BartInput {
                decoder_input_ids: Some(padded(&moved, marks.pad, device)),
                ..sources_of(&sources, marks.pad, device)
            },
            positions: tensor(positions),
            labels: tensor(labels),
            indices: indices.to_vec(),
        }
    }
}

impl Pairs {
    /// Create a source of these pairs for a model with this configuration.
    pub fn new(pairs: impl Into<Arc<[Pair]>>, config: &BartConfig) -> Self {
        Self { pairs: pairs.into(), marks: Marks::of(config) }
    }

    /// The pairs in their order.
    pub fn all(&self) -> &[Pair] {
        &self.pairs
    }

    /// The batch of the pairs at `indices`.
    ///
    /// # Panics
    ///
    /// Panics if an index is not below the number of pairs, or if `indices` is empty.
    pub fn batch(&self, indices: &[usize], device: &Device) -> PairBatch {
        let chosen: Vec<&Pair> = indices.iter().map(|index| &self.pairs[*index]).collect();
        PairBatch::new(&chosen, indices, self.marks, device)
    }
}

/// Texts as the input of the encoder, padded on the right with `pad`.
pub fn sources_of(rows: &[&[u32]], pad: u32, device: &Device) -> BartInput {
    let ones: Vec<Vec<u32>> = rows.iter().map(|row| vec![1; row.len()]).collect();
    let ones: Vec<&[u32]> = ones.iter().map(Vec::as_slice).collect();
    BartInput {
        input_ids: padded(rows, pad, device),
        attention_mask: Some(padded(&ones, 0, device)),
        decoder_input_ids: None,
        decoder_attention_mask: None,
    }
}

/// Rows as one tensor, `[rows, longest]`, padded on the right with `pad`.
fn padded(rows: &[&[u32]], pad: u32, device: &Device) -> Tensor<2, Int> {
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let values: Vec<i64> = rows
        .iter()
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat(pad)).take(width).map(i64::from))
        .collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
}

impl Source for Pairs {
    type Batch = PairBatch;

    fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The number of tokens in both texts.
    fn length(&self, index: usize) -> usize {
        self.pairs[index].source.len() + self.pairs[index].target.len()
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<PairBatch, TrainError> {
        Ok(self.batch(indices, device))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn host<const D: usize>(tensor: Tensor<D, Int>) -> (Vec<usize>, Vec<i64>) {
        let data = tensor.into_data();
        (data.shape().to_vec(), data.iter::<i64>().collect())
    }

    #[test]
    fn labels_are_shifted_right_and_padding_is_unlabeled() {
        let pair = |source: &[u32], target: &[u32]| Pair { source: source.to_vec(), target: target.to_vec(), line: 1 };
        let config = BartConfig { pad_token_id: 1, decoder_start_token_id: 2, ..BartConfig::new(60, 8, 1) };
        let pairs = Pairs::new(vec![pair(&[0, 7, 8, 2], &[0, 5, 2]), pair(&[0, 9, 2], &[0, 4, 6, 3, 2])], &config);
        assert_eq!((pairs.len(), pairs.length(0), pairs.length(1)), (2, 7, 8));
        let batch = pairs.batch(&[1, 0], &Device::default());
        assert_eq!((batch.examples(), batch.weight()), (2, 8.0));
        assert_eq!(host(batch.input.input_ids), (vec![2, 4], vec![0, 9, 2, 1, 0, 7, 8, 2]));
        assert_eq!(host(batch.input.attention_mask.unwrap()).1, [1, 1, 1, 0, 1, 1, 1, 1]);
        assert_eq!(host(batch.input.decoder_input_ids.unwrap()), (vec![2, 5], vec![2, 0, 4, 6, 3, 2, 0, 5, 1, 1]));
        assert_eq!(host(batch.positions).1, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(host(batch.labels).1, [0, 4, 6, 3, 2, 0, 5, 2]);
    }
}
