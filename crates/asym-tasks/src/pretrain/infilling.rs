//! Documents with their sentences shuffled and some of their tokens masked: the noise of BART (Lewis et al., 2020, section 2.2).

use std::sync::Arc;

use asym_core::random::{derive_seed, stream};
use asym_models::BartLanguageModel;
use asym_train::{EvalRoom, Evaluation, Scores, Source, TrainError};
use burn::tensor::Device;
use rand::RngExt;
use rand::seq::{SliceRandom, index};
use rand_chacha::ChaCha8Rng;

use super::tally::Tally;
use super::vocabulary::{END, MASK, START};
use crate::sequences::{Marks, Pair, PairBatch};

/// How much of a document is masked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    /// The fraction of the tokens that is masked.
    pub(super) masking: f64,
    /// The mean length of a span, in tokens. A span is replaced by one mask, regardless of its length.
    pub(super) span: f64,
}

/// Encoded documents, to which noise is added when a batch is created.
pub struct Documents {
    pub(super) seed: u64,
    pub(super) noise: Noise,
    pub(super) marks: Marks,
    /// The sentences of each document, as tokens, without special tokens.
    pub(super) documents: Vec<Vec<Vec<u32>>>,
}

impl Documents {
    /// The document with noise, and the original document.
    fn pair(&self, index: usize, epoch: usize) -> Pair {
        let mut rng = stream(derive_seed(self.seed, "noise", index as u64), &format!("epoch/{epoch}"));
        let mut sentences: Vec<&Vec<u32>> = self.documents[index].iter().collect();
        let marked = |tokens: Vec<u32>| -> Vec<u32> {
            std::iter::once(START).chain(tokens).chain(std::iter::once(END)).collect()
        };
        let target = marked(sentences.iter().copied().flatten().copied().collect());
        sentences.shuffle(&mut rng);
        let shuffled: Vec<u32> = sentences.into_iter().flatten().copied().collect();
        Pair { source: marked(infilled(&shuffled, self.noise, &mut rng)), target, line: index + 1 }
    }
}

/// `tokens` with some spans replaced by one mask each. For an empty span, a mask is inserted between two tokens. There is at
/// least one token between two masks.
fn infilled(tokens: &[u32], noise: Noise, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut left = (noise.masking * tokens.len() as f64).round() as usize;
    let kept = tokens.len() - left.min(tokens.len());
    let mut spans = Vec::new();
    while left > 0 {
        let span = poisson(noise.span, rng).min(left);
        left -= span;
        spans.push(span);
    }
    // Two masks need a token between them.
    while spans.len() > kept + 1 {
        let last = spans.pop().unwrap_or_default();
        spans[0] += last;
    }
    let mut places = index::sample(rng, kept + 1, spans.len()).into_vec();
    places.sort_unstable();
    let (mut found, mut spans, mut rest) = (Vec::with_capacity(tokens.len()), spans.into_iter(), tokens);
    for place in 0..=kept {
        if places.binary_search(&place).is_ok() {
            found.push(MASK);
            let span = spans.next().unwrap_or_default();
            rest = &rest[span..];
        }
        if let Some((token, behind)) = rest.split_first() {
            found.push(*token);
            rest = behind;
        }
    }
    found
}

/// A sample from the Poisson distribution by Knuth's method: the number of uniform random numbers whose product stays above
/// e^−mean.
fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> usize {
    let (limit, mut product) = ((-mean).exp(), rng.random::<f64>());
    let mut count = 0;
    while product > limit {
        product *= rng.random::<f64>();
        count += 1;
    }
    count
}

impl Source for Documents {
    type Batch = PairBatch;

    fn len(&self) -> usize {
        self.documents.len()
    }

    fn length(&self, index: usize) -> usize {
        self.documents[index].iter().map(Vec::len).sum()
    }

    fn collate(&self, indices: &[usize], epoch: usize, device: &Device) -> Result<PairBatch, TrainError> {
        let pairs: Vec<Pair> = indices.iter().map(|index| self.pair(*index, epoch)).collect();
        Ok(PairBatch::new(&pairs.iter().collect::<Vec<_>>(), indices, self.marks, device))
    }
}

/// Loss and token accuracy on documents that are not trained on.
pub struct Evaluate(pub(super) Arc<Documents>);

impl Evaluation<BartLanguageModel> for Evaluate {
    fn run(&self, model: &BartLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        Tally::over(&self.0, model, room, |batch| (model.forward_at(batch.input, batch.positions), batch.labels))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn spans_are_masked_and_other_tokens_keep_their_order() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let tokens: Vec<u32> = (10..60).collect();
        let (mut masks, mut longest) = (0, 0);
        for _ in 0..500 {
            let found = infilled(&tokens, Noise { masking: 0.3, span: 3.0 }, &mut rng);
            let kept: Vec<u32> = found.iter().copied().filter(|token| *token != MASK).collect();
            assert!(kept.len() == 35 && kept.is_sorted(), "{found:?}");
            assert!(found.windows(2).all(|pair| pair != [MASK, MASK]), "{found:?}");
            masks += found.len() - kept.len();
            longest = longest.max(kept.windows(2).map(|pair| pair[1] - pair[0] - 1).max().unwrap_or(0));
        }
        // 15 tokens are masked in spans of three on average, including empty spans and a last span that is cut.
        assert!((2300..3200).contains(&masks), "{masks}");
        assert!(longest > 6, "{longest}");
        for (masking, count) in [(0.0, 2), (1.0, 0)] {
            let found = infilled(&[7, 8], Noise { masking, span: 3.0 }, &mut rng);
            assert_eq!(found.iter().filter(|token| **token != MASK).count(), count);
        }
        assert!(infilled(&[], Noise { masking: 0.3, span: 3.0 }, &mut rng).is_empty());
    }

    #[test]
    fn the_target_is_the_original_document() {
        let documents = Documents {
            seed: 1,
            noise: Noise { masking: 0.0, span: 3.0 },
            marks: Marks { pad: 1, start: END },
            documents: vec![vec![vec![10, 11], vec![20], vec![30, 31, 32]]],
        };
        let orders: std::collections::HashSet<Vec<u32>> = (0..40)
            .map(|epoch| {
                let Pair { source, target, .. } = documents.pair(0, epoch);
                assert_eq!(target, [START, 10, 11, 20, 30, 31, 32, END]);
                assert_eq!((source.len(), source[0], source[7]), (8, START, END));
                source
            })
            .collect();
        assert_eq!(orders.len(), 6, "every order of three sentences");
        assert_eq!(documents.pair(0, 3), documents.pair(0, 3));
    }
}
