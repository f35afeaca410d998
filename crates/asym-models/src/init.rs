//! Random initialization as in transformers, for heads that a checkpoint lacks and for training from scratch.

use asym_core::layout::{self, Entry};
use asym_core::random;
use burn::tensor::Device;
use rand_distr::{Distribution, StandardNormal};

use crate::{ModelConfig, ModelError, PretrainedModel};

/// Initialize a parameter. Weights are sampled from N(0, `initializer_range`²). Weights of norms are 1. Biases and
/// padding rows are 0.
///
/// Source: `PreTrainedModel._init_weights` of transformers 5.23. For ViT, transformers truncates the distribution at ±2.
/// This is a hundred standard deviations away and is ignored here. The values are sampled on the host, and depend only on
/// the seed and the name.
pub(crate) fn draw(entry: &Entry, config: &impl ModelConfig, seed: u64) -> Vec<f32> {
    if entry.shape.len() < 2 || entry.name.ends_with("final_logits_bias") {
        let norm = entry.field() == "weight" && entry.module().to_lowercase().contains("norm");
        return vec![if norm { 1.0 } else { 0.0 }; entry.count()];
    }
    let mut rng = random::stream(seed, &entry.name);
    let scale = config.initializer_range() as f32;
    let mut values: Vec<f32> = (0..entry.count())
        .map(|_| {
            let z: f32 = StandardNormal.sample(&mut rng);
            z * scale
        })
        .collect();
    if let (Some(row), [_, width]) = (config.padding_row(&entry.name), entry.shape.as_slice()) {
        values[row * width..(row + 1) * width].fill(0.0);
    }
    values
}

/// Create a model with random weights, for training from scratch.
///
/// # Errors
///
/// [`ModelError::Config`] if [`ModelConfig::validate`] fails.
pub(crate) fn init<M: PretrainedModel>(config: &M::Config, seed: u64, device: &Device) -> Result<M, ModelError> {
    config.validate("config".as_ref())?;
    let model = M::skeleton(config, device);
    let naming = M::keys(config).naming;
    layout::replace(model, &naming, |entry| Ok(Some(draw(entry, config, seed))))
}
