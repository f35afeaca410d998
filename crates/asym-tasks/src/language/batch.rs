//! Batches of texts with labeled tokens.

use std::sync::Arc;

use asym_models::{EncoderInput, LlamaInput, Padding};
use asym_train::{Batch, Source, TrainError};
use burn::tensor::{Device, Int, Tensor};

/// A tokenized text, and which of its tokens are labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanguageExample {
    /// Token ids, special tokens included, without padding.
    pub input_ids: Vec<u32>,
    /// Whether each token contributes to the loss. The first token never does, because no token precedes it.
    pub labeled: Vec<bool>,
    /// The line in the file, counted from 1.
    pub line: usize,
}

impl LanguageExample {
    /// The number of tokens that contribute to the loss.
    pub fn labels(&self) -> usize {
        self.labeled.iter().skip(1).filter(|labeled| **labeled).count()
    }
}

/// A batch of texts on the device.
#[derive(Clone, Debug)]
pub struct LanguageBatch {
    /// The tokens, `[batch, length]`, padded on the right to the longest text. The mask is computed from the lengths, so the
    /// padding may have the id of any token.
    pub input: LlamaInput,
    /// The position of the token before each labeled token, as `row · length + column`: `[labels]`.
    pub positions: Tensor<1, Int>,
    /// The labeled tokens, `[labels]`.
    pub targets: Tensor<1, Int>,
    /// The number of labeled tokens.
    pub labels: usize,
    /// The number of texts.
    pub texts: usize,
}

impl Batch for LanguageBatch {
    fn examples(&self) -> usize {
        self.texts
    }

    fn weight(&self) -> f64 {
        self.labels as f64
    }
}

/// Texts with labeled tokens, and the id of the padding token.
#[derive(Clone, Debug)]
pub struct LanguageExamples {
    examples: Arc<[LanguageExample]>,
    pad_id: usize,
}

impl LanguageExamples {
    /// Create a source of these texts. The padding is masked, so `pad_id` may be any id of the vocabulary.
    pub fn new(examples: impl Into<Arc<[LanguageExample]>>, pad_id: usize) -> Self {
        Self { examples: examples.into(), pad_id }
    }

    /// The texts in their order.
    pub fn all(&self) -> &[LanguageExample] {
        &self.examples
    }

    /// The batch of the texts at `indices`.
    ///
    /// # Panics
    ///
    /// Panics if an index is not below the number of texts, or if `indices` is empty.
    pub fn batch(&self, indices: &[usize], device: &Device) -> LanguageBatch {
        let chosen: Vec<&LanguageExample> = indices.iter().map(|index| &self.examples[*index]).collect();
        let rows: Vec<(&[u32], &[u32])> =
            chosen.iter().map(|example| (example.input_ids.as_slice(), &[][..])).collect();
        let padding = Padding { pad_id: self.pad_id, token_types: false };
        let EncoderInput { input_ids, attention_mask, .. } = EncoderInput::padded(&rows, padding, device);
        let [_, length] = input_ids.dims();
        let (mut positions, mut targets) = (Vec::new(), Vec::new());
        for (row, example) in chosen.iter().enumerate() {
            let labeled = (1..example.input_ids.len()).filter(|token| example.labeled[*token]);
            for token in labeled {
                positions.push((row * length + token - 1) as i64);
                targets.push(i64::from(example.input_ids[token]));
            }
        }
        LanguageBatch {
            input: LlamaInput { input_ids, attention_mask },
            labels: targets.len(),
            positions: Tensor::from_data(positions.as_slice(), device),
            targets: Tensor::from_data(targets.as_slice(), device),
            texts: indices.len(),
        }
    }
}

impl Source for LanguageExamples {
    type Batch = LanguageBatch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    fn length(&self, index: usize) -> usize {
        self.examples[index].input_ids.len()
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<LanguageBatch, TrainError> {
        Ok(self.batch(indices, device))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn example(ids: &[u32], labeled: &[usize]) -> LanguageExample {
        let labeled = (0..ids.len()).map(|token| labeled.contains(&token)).collect();
        LanguageExample { input_ids: ids.to_vec(), labeled, line: 1 }
    }

    fn host(tensor: Tensor<1, Int>) -> Vec<i64> {
        tensor.into_data().iter::<i64>().collect()
    }

    /// The padding has the id of a labeled token, as with a tokenizer that has no padding token.
    #[test]
    fn labels_are_determined_by_position_and_not_by_id() {
        const END: u32 = 2;
        let examples = LanguageExamples::new(
            vec![example(&[1, 5, 6, END], &[2, 3]), example(&[1, 7], &[0, 1]), example(&[1, END, 8], &[])],
            END as usize,
        );
        let batch = examples.batch(&[1, 0, 2], &Device::default());
        assert_eq!((batch.examples(), batch.weight(), batch.labels), (3, 3.0, 3));
        let ids: Vec<i64> = batch.input.input_ids.into_data().iter::<i64>().collect();
        assert_eq!(ids, [1, 7, 2, 2, 1, 5, 6, 2, 1, 2, 8, 2]);
        let mask: Vec<i64> = batch.input.attention_mask.unwrap().into_data().iter::<i64>().collect();
        assert_eq!(mask, [1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0]);
        // The first token of a text is never predicted.
        assert_eq!(host(batch.positions), [0, 5, 6]);
        assert_eq!(host(batch.targets), [7, 6, 2]);
        assert_eq!(examples.all().iter().map(LanguageExample::labels).collect::<Vec<_>>(), [2, 1, 0]);
    }
}
