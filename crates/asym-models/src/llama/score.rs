//! The logits after texts with a common beginning.

use asym_kernels::{Sequences, is_host};
use burn::tensor::{Device, Int, Tensor, TensorData};

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
    /// may differ. On the host, padding is not computed.
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
        let (hidden, last) = if is_host(&device) { self.packed(texts) } else { self.padded(texts) };
        let last = last.into_iter().map(|at| at as i64).collect();
        let last = rows(hidden).select(0, index(last, &device)); // [texts, hidden]
        self.model.head(last).into_data().iter::<f32>().collect()
    }

    /// The states of the texts, `[texts, longest, hidden_size]`, and the position of each text's last token, which is
    /// `row · longest + column`.
    fn padded(&self, texts: &[&[u32]]) -> (Tensor<3>, Vec<usize>) {
        let mut caches = self.caches.clone();
        if self.before > 0 {
            let first = index(vec![0; texts.len()], &self.model.model.norm.gamma.val().device());
            caches.iter_mut().for_each(|cache| cache.select(&first));
        }
        let hidden = states(self.model, &mut caches, texts);
        let [_, longest, _] = hidden.dims();
        (hidden, texts.iter().enumerate().map(|(row, text)| row * longest + text.len() - 1).collect())
    }

    /// The states of all texts in one row without padding, `[1, tokens, hidden_size]`, and the position of each text's last
    /// token in this row.
    fn packed(&self, texts: &[&[u32]]) -> (Tensor<3>, Vec<usize>) {
        let (model, before) = (&self.model.model, self.before);
        let device = model.norm.gamma.val().device();
        let lengths = || texts.iter().map(|text| text.len());
        let mut ends = Vec::with_capacity(texts.len());
        for length in lengths() {
            ends.push(ends.last().unwrap_or(&0) + length);
        }
        let queries = Sequences::new(lengths());
        let keys = Sequences::new(lengths().map(|length| before + length));
        let mut caches = self.caches.clone();
        if before > 0 {
            let own = ends.iter().zip(lengths()).map(|(end, length)| before + end - length..before + end);
            let order = own.flat_map(|own| (0..before).chain(own)).map(|at| at as i64).collect();
            let order = index(order, &device);
            caches.iter_mut().for_each(|cache| cache.share(order.clone()));
        }
        let ids = texts.iter().flat_map(|text| text.iter().map(|id| i64::from(*id))).collect();
        let positions = lengths().flat_map(|length| before..before + length).map(|at| at as i64).collect();
        let places = Places {
            rotation: model.rotation(index(positions, &device).unsqueeze()),
            seen: Seen::Sequences(queries.attending_to(&keys)),
        };
        let hidden = model.embed_tokens.forward(index(ids, &device).unsqueeze());
        let caches = (before > 0).then_some(caches.as_mut_slice());
        (model.run(hidden, &places, caches), ends.into_iter().map(|end| end - 1).collect())
    }
}

fn index(values: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(values.as_slice(), device)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LlamaConfig;

    /// Both forms of a batch have the same states at the end of each text. Devices other than the host use the padded form.
    #[test]
    fn padding_does_not_change_the_states() {
        let mut config = LlamaConfig::new(90, 32, 2, 4);
        (config.intermediate_size, config.num_key_value_heads) = (64, 2);
        let model = LlamaLanguageModel::init(&config, 3, &Device::flex()).unwrap();
        let texts: [&[u32]; 3] = [&[7], &[11, 12, 13, 14, 15], &[21, 22]];
        for beginning in [&[][..], &[5, 6, 8, 9, 10, 11, 60]] {
            let scorer = LlamaScorer::new(&model, beginning);
            let [packed, padded] = [scorer.packed(&texts), scorer.padded(&texts)].map(|(hidden, last)| {
                let last = last.into_iter().map(|at| at as i64).collect();
                rows(hidden).select(0, index(last, &Device::flex()))
            });
            assert_eq!(packed.dims(), [3, 32]);
            let difference = (packed - padded).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{difference} after {beginning:?}");
        }
    }
}
