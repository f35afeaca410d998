//! Generation with Llama, one token at a time.

use burn::tensor::{Int, Tensor, TensorData};

use super::{LlamaLanguageModel, Places};
use crate::PretrainedModel;
use crate::blocks::Seen;
use crate::cache::{KeyValueCache, moved};
use crate::decode::{Passing, Prompts, last_logits};
use crate::generation::NextToken;

/// A Llama model and its state for a batch of prompts, for [`generate`](crate::generation::generate).
#[derive(Debug)]
pub struct LlamaDecoder<'a> {
    model: &'a LlamaLanguageModel,
    caches: Vec<KeyValueCache>,
    /// The number of padding tokens before each row's first token.
    padding: Vec<usize>,
    /// The tokens of the next pass, including padding.
    passing: Passing,
}

impl<'a> LlamaDecoder<'a> {
    /// Prepare the generation of continuations of `prompts`, for sequences of at most `capacity` tokens. Without a cache,
    /// every step processes the whole sequence again.
    ///
    /// Shorter prompts are padded on the left, so that new tokens follow the prompts directly.
    ///
    /// The model must be on a device without autodiff: [`Module::valid`](burn::module::Module::valid).
    pub fn new(model: &'a LlamaLanguageModel, prompts: &[Vec<u32>], capacity: usize, cached: bool) -> Self {
        let prompts = Prompts::from(prompts.to_vec());
        let padded = prompts.padded(model.config().pad_token_id.unwrap_or(0) as u32);
        Self {
            model,
            padding: prompts.padding(),
            caches: vec![KeyValueCache::new(capacity); if cached { model.config().num_hidden_layers } else { 0 }],
            passing: Passing::new(padded, cached),
        }
    }

    /// The logits after the last token of each row. `tokens`, `[rows, count]`, follow those in the caches.
    fn continued(&mut self, tokens: &[u32], count: usize) -> Vec<f32> {
        let model = &self.model.model;
        let device = model.norm.gamma.val().device();
        let rows = self.padding.len();
        let before = self.caches.first().map_or(0, KeyValueCache::len);
        let ids: Vec<i64> = tokens.iter().map(|token| i64::from(*token)).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, count]), &device);
        let places = |padding: usize| (before..before + count).map(move |at| at.saturating_sub(padding) as i64);
        let positions: Vec<i64> = self.padding.iter().copied().flat_map(places).collect();
        let positions = Tensor::<2, Int>::from_data(TensorData::new(positions, [rows, count]), &device);

        let hidden = model.embed_tokens.forward(ids);
        let keys = before + count;
        // Without padding, no mask is needed.
        let mask = self.padding.iter().any(|padding| *padding > 0).then(|| {
            let counts = self.padding.iter().flat_map(|padding| (0..keys).map(|key| i64::from(key >= *padding)));
            let mask: Vec<i64> = counts.collect();
            Tensor::<2, Int>::from_data(TensorData::new(mask, [rows, keys]), &device)
        });
        let places = Places { rotation: model.rotation(positions), seen: Seen::masked(mask, &hidden) };
        let caches = (!self.caches.is_empty()).then_some(self.caches.as_mut_slice());
        last_logits(model.run(hidden, &places, caches), |last| self.model.head(last))
    }
}

impl NextToken for LlamaDecoder<'_> {
    fn vocab_size(&self) -> usize {
        self.model.config().vocab_size
    }

    fn start(&mut self) -> Vec<f32> {
        let (tokens, count) = self.passing.begin();
        self.continued(&tokens, count)
    }

    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32> {
        if let Some(moved) = moved(rows, self.padding.len(), &self.model.model.norm.gamma.val().device()) {
            self.caches.iter_mut().for_each(|cache| cache.select(&moved));
        }
        self.padding = rows.iter().map(|row| self.padding[*row]).collect();
        let (tokens, count) = self.passing.next(rows, tokens);
        self.continued(&tokens, count)
    }
}
