//! Parameters as transformers draws them, for heads that a checkpoint lacks and for models trained from nothing.

use asym_core::layout::{self, Entry};
use asym_core::random;
use burn::tensor::Device;
use rand_distr::{Distribution, StandardNormal};

use crate::checkpoint::EncoderModel;
use crate::{EncoderConfig, Family, ModelError};

/// The start of one parameter: weights from N(0, `initializer_range`²), biases 0, norms 1 and 0, padding's rows 0.
///
/// Source: `PreTrainedModel._init_weights` of transformers 5.23. Drawn on the host from (seed, name).
pub(crate) fn draw(entry: &Entry, config: &EncoderConfig, seed: u64) -> Vec<f32> {
    let [_, width] = *entry.shape.as_slice() else {
        let norm = entry.name.ends_with("LayerNorm.weight") || entry.name.ends_with("layer_norm.weight");
        return vec![if norm { 1.0 } else { 0.0 }; entry.count()];
    };
    let mut rng = random::stream(seed, &entry.name);
    let scale = config.initializer_range as f32;
    let mut values: Vec<f32> = (0..entry.count())
        .map(|_| {
            let z: f32 = StandardNormal.sample(&mut rng);
            z * scale
        })
        .collect();
    let padded = entry.name.ends_with("word_embeddings.weight")
        || (config.family == Family::Roberta && entry.name.ends_with("position_embeddings.weight"));
    if padded {
        let row = config.pad_token_id * width;
        values[row..row + width].fill(0.0);
    }
    values
}

/// A model drawn anew, for training from nothing.
///
/// # Errors
///
/// [`ModelError::Config`] where [`EncoderConfig::validate`] refuses.
pub(crate) fn init<M: EncoderModel>(config: &EncoderConfig, seed: u64, device: &Device) -> Result<M, ModelError> {
    config.validate("config".as_ref())?;
    let model = M::skeleton(config, device);
    let naming = M::keys(config.family).naming;
    layout::replace(model, &naming, |entry| Ok(Some(draw(entry, config, seed))))
}
