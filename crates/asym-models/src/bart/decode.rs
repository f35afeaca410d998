//! Generation with BART's decoder, one token at a time.

use burn::tensor::{Int, Tensor, TensorData};

use super::{BartInput, BartLanguageModel, Memory};
use crate::PretrainedModel;
use crate::blocks::Seen;
use crate::cache::{KeyValueCache, moved};
use crate::decode::{Passing, last_logits};
use crate::generation::NextToken;

/// A BART model and its state for a batch of texts, for [`generate`](crate::generation::generate).
#[derive(Debug)]
pub struct BartDecoder<'a> {
    model: &'a BartLanguageModel,
    /// The keys and values of each text.
    encoded: Memory,
    /// The keys and values of the text of each row.
    memory: Memory,
    /// The index of the text of each row.
    texts: Vec<usize>,
    caches: Vec<KeyValueCache>,
    passing: Passing,
}

impl<'a> BartDecoder<'a> {
    /// Encode the texts in `input`, to generate outputs of at most `capacity` tokens. The outputs begin with `prompts`,
    /// which must have the same length. Without a cache, every step processes the whole output again.
    ///
    /// The model must be on a device without autodiff: [`Module::valid`](burn::module::Module::valid).
    pub fn new(
        model: &'a BartLanguageModel,
        input: &BartInput,
        prompts: &[Vec<u32>],
        capacity: usize,
        cached: bool,
    ) -> Self {
        let mask = input.attention_mask.clone();
        let encoded = model.model.encode(input.input_ids.clone(), mask.clone());
        let encoded = model.model.memory(encoded, mask);
        Self {
            model,
            memory: encoded.clone(),
            encoded,
            texts: (0..prompts.len()).collect(),
            caches: vec![KeyValueCache::new(capacity); if cached { model.config().decoder.layers } else { 0 }],
            passing: Passing::new(prompts.to_vec(), cached),
        }
    }

    /// The logits after the last token of each row. `tokens`, `[rows, count]`, follow those in the caches.
    fn continued(&mut self, tokens: &[u32], count: usize) -> Vec<f32> {
        let device = self.model.final_logits_bias.val().device();
        let ids: Vec<i64> = tokens.iter().map(|token| i64::from(*token)).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [self.texts.len(), count]), &device);
        let caches = (!self.caches.is_empty()).then_some(self.caches.as_mut_slice());
        let hidden = self.model.model.decode(ids, None, &self.memory, caches);
        last_logits(hidden, |last| self.model.head(last))
    }
}

impl Memory {
    /// Row i gets the content of row `rows[i]`.
    fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let of = |tensor: &Tensor<3>| tensor.clone().select(0, rows.clone());
        Self {
            keys_and_values: self.keys_and_values.iter().map(|(key, value)| (of(key), of(value))).collect(),
            seen: match &self.seen {
                Seen::Bias(bias) => Seen::Bias(bias.clone().select(0, rows.clone())),
                other => other.clone(),
            },
        }
    }
}

impl NextToken for BartDecoder<'_> {
    fn vocab_size(&self) -> usize {
        self.model.config().vocab_size
    }

    fn start(&mut self) -> Vec<f32> {
        let (tokens, count) = self.passing.begin();
        self.continued(&tokens, count)
    }

    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32> {
        let device = self.model.final_logits_bias.val().device();
        if let Some(moved) = moved(rows, self.texts.len(), &device) {
            self.caches.iter_mut().for_each(|cache| cache.select(&moved));
        }
        // Beam search reorders the rows of the same text, but not the texts, so most steps do not move the memory.
        let texts: Vec<usize> = rows.iter().map(|row| self.texts[*row]).collect();
        if texts != self.texts {
            let indices: Vec<i64> = texts.iter().map(|text| *text as i64).collect();
            self.memory = self.encoded.select(&Tensor::from_data(indices.as_slice(), &device));
            self.texts = texts;
        }
        let (tokens, count) = self.passing.next(rows, tokens);
        self.continued(&tokens, count)
    }
}
