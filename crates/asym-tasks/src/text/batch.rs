//! Batches of encoded texts with their answers.

use std::sync::Arc;

use asym_models::{EncoderInput, Padding};
use asym_train::{Batch, Source, TrainError};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::target::Target;

/// A tokenized example.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedExample {
    /// Token ids, special tokens included, without padding.
    pub input_ids: Vec<u32>,
    /// The segment of each token: 1 in the second text of a pair, if the tokenizer distinguishes the two texts.
    pub type_ids: Vec<u32>,
    /// The right answer.
    pub target: Target,
}

/// The right answers of a batch, on the device.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Classes, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Scores, `[batch]`.
    Scores(Tensor<1>),
    /// Labels, `[batch, labels]`: 1 where an example has the label, else 0.
    Labels(Tensor<2, Int>),
    /// The answers are unknown. The loss is 0.
    Unknown,
}

/// A batch of examples on the device.
#[derive(Clone, Debug)]
pub struct TextBatch {
    /// The tokens, `[batch, length]`, padded on the right to the longest example.
    pub input: EncoderInput,
    /// The right answers.
    pub targets: Targets,
    /// The right answers on the host, so that scores need not wait for the device.
    pub host_targets: Vec<Target>,
    /// The index of each example in the list of all examples.
    pub indices: Vec<usize>,
}

impl Batch for TextBatch {
    fn examples(&self) -> usize {
        self.indices.len()
    }
}

/// Encoded examples, and the padding of their batches.
#[derive(Clone, Debug)]
pub struct Examples {
    examples: Arc<[EncodedExample]>,
    padding: Padding,
    /// The number of outputs, which [`Target::Labels`] needs.
    outputs: usize,
}

impl Examples {
    /// Create a source of these examples for a model with `outputs` outputs.
    pub fn new(examples: impl Into<Arc<[EncodedExample]>>, padding: Padding, outputs: usize) -> Self {
        Self { examples: examples.into(), padding, outputs }
    }

    /// The examples in their order.
    pub fn all(&self) -> &[EncodedExample] {
        &self.examples
    }

    /// The number of outputs of the model.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The batch of the examples at `indices`.
    ///
    /// # Panics
    ///
    /// Panics if an index is not below the number of examples, or if `indices` is empty.
    pub fn batch(&self, indices: &[usize], device: &Device) -> TextBatch {
        let chosen: Vec<&EncodedExample> = indices.iter().map(|&index| &self.examples[index]).collect();
        let rows: Vec<(&[u32], &[u32])> =
            chosen.iter().map(|example| (example.input_ids.as_slice(), example.type_ids.as_slice())).collect();
        let host_targets: Vec<Target> = chosen.iter().map(|example| example.target.clone()).collect();
        TextBatch {
            input: EncoderInput::padded(&rows, self.padding, device),
            targets: Targets::new(&host_targets, self.outputs, device),
            host_targets,
            indices: indices.to_vec(),
        }
    }
}

impl Targets {
    /// A task has one kind of answer, so all examples of a batch have the same kind.
    fn new(targets: &[Target], outputs: usize, device: &Device) -> Self {
        let count = targets.len();
        let (mut classes, mut scores, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            match target {
                Target::Class(class) => classes.push(*class as i32),
                Target::Score(score) => scores.push(*score),
                Target::Labels(own) => labels.extend((0..outputs).map(|label| i32::from(own.contains(&label)))),
                Target::Unknown => {}
            }
        }
        if classes.len() == count {
            Self::Classes(Tensor::from_data(TensorData::new(classes, [count]), device))
        } else if scores.len() == count {
            Self::Scores(Tensor::from_data(TensorData::new(scores, [count]), device))
        } else if labels.len() == count * outputs {
            Self::Labels(Tensor::from_data(TensorData::new(labels, [count, outputs]), device))
        } else {
            Self::Unknown
        }
    }
}

impl Source for Examples {
    type Batch = TextBatch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    fn length(&self, index: usize) -> usize {
        self.examples[index].input_ids.len()
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<TextBatch, TrainError> {
        Ok(self.batch(indices, device))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TYPED: Padding = Padding { pad_id: 7, token_types: true };

    /// Example `i` has `lengths[i]` tokens of id `100 + i`, the second half of them in segment 1.
    fn examples(lengths: &[usize]) -> Vec<EncodedExample> {
        lengths
            .iter()
            .enumerate()
            .map(|(index, &length)| EncodedExample {
                input_ids: vec![100 + index as u32; length],
                type_ids: (0..length).map(|token| u32::from(2 * token >= length)).collect(),
                target: Target::Class(index % 2),
            })
            .collect()
    }

    fn host<const D: usize>(tensor: Tensor<D, Int>) -> (Vec<usize>, Vec<i64>) {
        let data = tensor.into_data();
        (data.shape().to_vec(), data.iter::<i64>().collect())
    }

    fn classes(targets: Targets) -> Vec<i64> {
        match targets {
            Targets::Classes(classes) => host(classes).1,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn batches_are_padded_to_the_longest_example() {
        let examples = examples(&[2, 4, 1]);
        let batch = Examples::new(examples, TYPED, 2).batch(&[2, 0, 1], &Device::default());
        assert_eq!(batch.examples(), 3);
        assert_eq!(batch.indices, [2, 0, 1]);
        let (shape, ids) = host(batch.input.input_ids);
        assert_eq!(shape, [3, 4]);
        assert_eq!(ids, [102, 7, 7, 7, 100, 100, 7, 7, 101, 101, 101, 101]);
        let (shape, mask) = host(batch.input.attention_mask.unwrap());
        assert_eq!(shape, [3, 4]);
        assert_eq!(mask, [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1]);
        let (shape, types) = host(batch.input.token_type_ids.unwrap());
        assert_eq!(shape, [3, 4]);
        assert_eq!(types, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]);
        assert_eq!(classes(batch.targets), [0, 0, 1]);
        assert_eq!(batch.host_targets, [0, 0, 1].map(Target::Class));
    }

    #[test]
    fn scores_are_floats_and_unknown_targets_are_omitted() {
        let mut scored = examples(&[2, 3]);
        scored[0].target = Target::Score(4.75);
        scored[1].target = Target::Score(0.2);
        let batch = Examples::new(scored.clone(), TYPED, 1).batch(&[1, 0], &Device::default());
        let Targets::Scores(scores) = batch.targets else { panic!("{:?}", batch.targets) };
        assert_eq!(scores.into_data().iter::<f32>().collect::<Vec<_>>(), [0.2, 4.75]);
        assert_eq!(host(batch.input.input_ids).1, [101, 101, 101, 100, 100, 7]);
        for example in &mut scored {
            example.target = Target::Unknown;
        }
        let batch = Examples::new(scored.clone(), TYPED, 1).batch(&[0, 1], &Device::default());
        assert!(matches!(batch.targets, Targets::Unknown));
        assert_eq!(host(batch.input.attention_mask.unwrap()).1, [1, 1, 0, 1, 1, 1]);
    }

    #[test]
    fn multiple_labels_are_ones_and_zeros() {
        let mut labeled = examples(&[2, 3]);
        labeled[0].target = Target::Labels(vec![0, 2]);
        labeled[1].target = Target::Labels(vec![]);
        let batch = Examples::new(labeled, TYPED, 3).batch(&[0, 1], &Device::default());
        let Targets::Labels(labels) = batch.targets else { panic!("{:?}", batch.targets) };
        assert_eq!(host(labels).1, [1, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn models_with_one_token_type_get_no_token_types() {
        let padding = Padding { pad_id: 1, token_types: false };
        let batch = Examples::new(examples(&[3, 1]), padding, 2).batch(&[0, 1], &Device::default());
        assert!(batch.input.token_type_ids.is_none());
        assert_eq!(host(batch.input.input_ids).1, [100, 100, 100, 101, 1, 1]);
        assert_eq!(host(batch.input.attention_mask.unwrap()).1, [1, 1, 1, 1, 0, 0]);
        assert_eq!(classes(batch.targets), [0, 1]);
    }
}
