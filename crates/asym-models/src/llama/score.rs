//! The logits after texts with a common beginning.

use burn::tensor::{Int, Tensor, TensorData};

use super::{LlamaLanguageModel, Places};
use crate::PretrainedModel;
use crate::blocks::{Seen, rows};
use crate::cache::KeyValueCache;

/// A Llama model that computes logits after texts with a common beginning. The beginning is processed only once.
#[derive(Debug)]
pub struct LlamaScorer<'a> {
    model: &'a LlamaLanguageModel,
    /// The keys and values of the beginning.
    caches: Vec<KeyValueCache>,
    /// The number of tokens of the beginning.
    before: usize,
}

impl<'a> LlamaScorer<'a> {
    /// Process the tokens that all texts begin with. `beginning` may be empty.
    ///
    /// The model must be on a device without autodiff: [`Module::valid`](burn::module::Module::valid).
    pub fn new(model: &'a LlamaLanguageModel, beginning: &[u32]) -> Self {
        let mut caches = vec![KeyValueCache::new(beginning.len()); model.config().num_hidden_layers];
        if !beginning.is_empty() {
            states(model, &mut caches, &[beginning]);
        }
        Self { model, caches, before: beginning.len() }
    }

    /// The logits after the last token of each text. `texts` are the tokens after the common beginning; their lengths
    /// may differ.
    ///
    /// # Shapes
    ///
    /// - output: `[texts, vocab_size]`, row by row
    ///
    /// # Panics
    ///
    /// Panics if there is no text or if a text is empty. May panic if a token is not in the vocabulary.
    pub fn logits(&self, texts: &[&[u32]]) -> Vec<f32> {
        assert!(!texts.is_empty() && texts.iter().all(|text| !text.is_empty()), "each text must have a token");
        let device = self.model.model.norm.gamma.val().device();
        let index = |values: Vec<i64>| Tensor::<1, Int>::from_data(values.as_slice(), &device);
        let mut caches = self.caches.clone();
        if self.before > 0 {
            let first = index(vec![0; texts.len()]);
            caches.iter_mut().for_each(|cache| cache.select(&first));
        }
        let hidden = states(self.model, &mut caches, texts);
        let [_, longest, _] = hidden.dims();
        let last = texts.iter().enumerate().map(|(row, text)| (row * longest + text.len() - 1) as i64);
        let last = rows(hidden).select(0, index(last.collect())); // [texts, hidden]
        self.model.head(last).into_data().iter::<f32>().collect()
    }
}

/// The states of the next tokens of each row, `[rows, longest, hidden_size]`.
///
/// Rows are padded on the right. No token attends to later tokens, so the padding needs no mask.
fn states(model: &LlamaLanguageModel, caches: &mut [KeyValueCache], texts: &[&[u32]]) -> Tensor<3> {
    let device = model.model.norm.gamma.val().device();
    let before = caches.first().map_or(0, KeyValueCache::len);
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    let padded = |text: &&[u32]| {
        let mut ids: Vec<i64> = text.iter().map(|id| i64::from(*id)).collect();
        ids.resize(longest, 0);
        ids
    };
    let ids: Vec<i64> = texts.iter().flat_map(padded).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [texts.len(), longest]), &device);
    let positions = Tensor::arange(before as i64..(before + longest) as i64, &device).unsqueeze();
    let hidden = model.model.embed_tokens.forward(ids);
    let places = Places { rotation: model.model.rotation(positions), seen: Seen::All };
    model.model.run(hidden, &places, Some(caches))
}
