//! The batches from which factors that start from a layer's input are made.

use asym_core::random::derive_seed;
use asym_models::{EncoderInput, SequenceClassifier};
use burn::tensor::Device;

use crate::base::Prepared;
use crate::batch::{Batch, EncodedExample, Order};

/// Training examples that are looked at: some thousand tokens, many times a rank.
const EXAMPLES: usize = 128;

/// Examples that pass at once.
const BATCH: usize = 32;

/// Pass training examples, drawn from `seed`, through `model`. Those of one length stand together: padding would count as
/// input.
pub(super) fn observe(model: &SequenceClassifier, data: &Prepared, seed: u64, device: &Device) {
    for indices in batches(&data.train, seed) {
        let batch = Batch::new(&data.train, indices, data.padding, device);
        model.forward(EncoderInput {
            input_ids: batch.input_ids,
            attention_mask: None,
            token_type_ids: batch.token_type_ids,
        });
    }
}

fn batches(examples: &[EncodedExample], seed: u64) -> Vec<Vec<usize>> {
    let length = |index: &usize| examples[*index].input_ids.len();
    let lengths: Vec<usize> = (0..examples.len()).map(|index| length(&index)).collect();
    let order = Order::Shuffled { seed: derive_seed(seed, "observed", 0) }.batches(&lengths, 1, 0);
    let mut chosen: Vec<usize> = order.into_iter().flatten().take(EXAMPLES).collect();
    chosen.sort_by_key(length);
    let equal = chosen.chunk_by(|a, b| length(a) == length(b));
    equal.flat_map(|equal| equal.chunks(BATCH)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Target;

    #[test]
    fn no_batch_has_padding_and_the_seed_chooses() {
        let example = |index: usize| EncodedExample {
            input_ids: vec![0; 5 + index % 7],
            type_ids: vec![0; 5 + index % 7],
            target: Target::Unknown,
        };
        let examples: Vec<EncodedExample> = (0..1000).map(example).collect();
        let found = batches(&examples, 1);
        let mut seen: Vec<usize> = found.iter().flatten().copied().collect();
        for batch in &found {
            assert!((1..=BATCH).contains(&batch.len()));
            assert!(batch.iter().all(|index| index % 7 == batch[0] % 7), "{batch:?}");
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), EXAMPLES);
        assert_eq!(found, batches(&examples, 1));
        assert_ne!(found, batches(&examples, 2));
        assert_eq!(batches(&examples[..3], 1).concat().len(), 3);
    }
}
