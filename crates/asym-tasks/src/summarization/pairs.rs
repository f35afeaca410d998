//! Encoded documents with their summaries, and batches of them.

use std::sync::Arc;

use asym_models::{BartConfig, BartInput};
use asym_train::{Batch, Source, TrainError};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A document and its summary as token ids, special tokens included, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The document.
    pub source: Vec<u32>,
    /// The summary: the labels.
    pub target: Vec<u32>,
}

/// Encoded pairs, and the tokens that batches of them are made with.
#[derive(Clone, Debug)]
pub struct Pairs {
    pairs: Arc<[Pair]>,
    /// The padding.
    pad: u32,
    /// The token that the decoder starts with.
    start: u32,
}

/// Pairs on the device.
#[derive(Clone, Debug)]
pub struct SummaryBatch {
    /// The documents, `[batch, length]`, and as the decoder's input the summaries moved right by the start token,
    /// `[batch, summary length]`. Both are padded on the right.
    pub input: BartInput,
    /// The places of the tokens that have a label, each `row · summary length + column`: `[count]`.
    pub positions: Tensor<1, Int>,
    /// Their labels, `[count]`.
    pub labels: Tensor<1, Int>,
    /// The place of each pair in the list of all.
    pub indices: Vec<usize>,
}

impl Batch for SummaryBatch {
    fn examples(&self) -> usize {
        self.indices.len()
    }

    /// Labeled tokens.
    fn weight(&self) -> f64 {
        self.labels.dims()[0] as f64
    }
}

impl Pairs {
    /// These pairs, for a model with this configuration.
    pub fn new(pairs: impl Into<Arc<[Pair]>>, config: &BartConfig) -> Self {
        let [pad, start] = [config.pad_token_id, config.decoder_start_token_id].map(|id| id as u32);
        Self { pairs: pairs.into(), pad, start }
    }

    /// The pairs in their order.
    pub fn all(&self) -> &[Pair] {
        &self.pairs
    }

    /// The batch of the pairs at `indices`.
    ///
    /// # Panics
    ///
    /// Panics if an index is not below the number of pairs, or `indices` is empty.
    pub fn batch(&self, indices: &[usize], device: &Device) -> SummaryBatch {
        let chosen: Vec<&Pair> = indices.iter().map(|index| &self.pairs[*index]).collect();
        let moved: Vec<Vec<u32>> = chosen
            .iter()
            .map(|pair| [self.start].iter().chain(&pair.target).take(pair.target.len()).copied().collect())
            .collect();
        let width = moved.iter().map(Vec::len).max().unwrap_or(0);
        let labeled = chosen.iter().enumerate().flat_map(|(row, pair)| {
            pair.target
                .iter()
                .enumerate()
                .map(move |(column, label)| ((row * width + column) as i64, i64::from(*label)))
        });
        let (positions, labels): (Vec<i64>, Vec<i64>) = labeled.unzip();
        let tensor = |values: Vec<i64>| Tensor::from_data(TensorData::new(values, [positions.len()]), device);
        let sources: Vec<&[u32]> = chosen.iter().map(|pair| pair.source.as_slice()).collect();
        let moved: Vec<&[u32]> = moved.iter().map(Vec::as_slice).collect();
        SummaryBatch {
            input: BartInput {
                decoder_input_ids: Some(padded(&moved, self.pad, device)),
                ..documents(&sources, self.pad, device)
            },
            labels: tensor(labels),
            positions: tensor(positions.clone()),
            indices: indices.to_vec(),
        }
    }
}

/// Documents as the input of the encoder, padded on the right with `pad`.
pub(super) fn documents(rows: &[&[u32]], pad: u32, device: &Device) -> BartInput {
    let ones: Vec<Vec<u32>> = rows.iter().map(|row| vec![1; row.len()]).collect();
    let ones: Vec<&[u32]> = ones.iter().map(Vec::as_slice).collect();
    BartInput {
        input_ids: padded(rows, pad, device),
        attention_mask: Some(padded(&ones, 0, device)),
        decoder_input_ids: None,
        decoder_attention_mask: None,
    }
}

/// Rows as one tensor, `[rows, longest]`.
fn padded(rows: &[&[u32]], pad: u32, device: &Device) -> Tensor<2, Int> {
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let values: Vec<i64> = rows
        .iter()
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat(pad)).take(width).map(i64::from))
        .collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
}

impl Source for Pairs {
    type Batch = SummaryBatch;

    fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Tokens of both texts.
    fn length(&self, index: usize) -> usize {
        self.pairs[index].source.len() + self.pairs[index].target.len()
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<SummaryBatch, TrainError> {
        Ok(self.batch(indices, device))
    }
}
