//! The configuration of ViT, and its format in Hugging Face's `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{
    CommonFields, ModelConfig, activation, at_least_one, default_labels, divides, few_layers, positive, probabilities,
};
use crate::error::{Source, refuse};
use crate::json::JsonObject;
use crate::{Activation, ModelError};

/// A height and a width, written as one number or as two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sides {
    /// One number for both height and width.
    Square(usize),
    /// Height and width.
    Both([usize; 2]),
}

impl Sides {
    /// Height and width.
    pub const fn pair(self) -> [usize; 2] {
        match self {
            Self::Square(side) => [side; 2],
            Self::Both(sides) => sides,
        }
    }

    /// The shortest form of the value.
    const fn of(pair @ [height, width]: [usize; 2]) -> Self {
        if height == width { Self::Square(height) } else { Self::Both(pair) }
    }
}

/// The keys of `config.json` in a ViT checkpoint. Keys may be absent, and unknown keys are kept.
///
/// Source: `ViTConfig` of transformers, 4 and 5.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the keys are documented by transformers")]
pub struct HuggingFaceConfig {
    #[serde(flatten)]
    pub common: CommonFields,
    pub hidden_size: Option<usize>,
    pub num_hidden_layers: Option<usize>,
    pub num_attention_heads: Option<usize>,
    pub intermediate_size: Option<usize>,
    pub hidden_act: Option<String>,
    pub hidden_dropout_prob: Option<f64>,
    pub attention_probs_dropout_prob: Option<f64>,
    pub initializer_range: Option<f64>,
    pub layer_norm_eps: Option<f64>,
    pub image_size: Option<Sides>,
    pub patch_size: Option<Sides>,
    pub num_channels: Option<usize>,
    pub qkv_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler_output_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler_act: Option<String>,
    /// A key of asym. In transformers, this is an argument of the model's forward function and not a key of this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpolate_pos_encoding: Option<bool>,
}

/// The configuration of a ViT model, in which every setting has a value.
#[derive(Debug, Clone, PartialEq)]
pub struct VitConfig {
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward layer.
    pub intermediate_size: usize,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Dropout on embeddings and on each sublayer's output.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// Standard deviation of randomly initialized weights.
    pub initializer_range: f64,
    /// The epsilon that is added to the variance in LayerNorm.
    pub layer_norm_eps: f64,
    /// Height and width of the images that the position embeddings are for, in pixels.
    pub image_size: [usize; 2],
    /// Height and width of a patch, in pixels.
    pub patch_size: [usize; 2],
    /// Number of channels of an image.
    pub num_channels: usize,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Width of the pooler's output.
    pub pooler_output_size: usize,
    /// Activation of the pooler.
    pub pooler_activation: Activation,
    /// Whether images of another size than `image_size` are accepted. Their positions are interpolated.
    pub interpolate_pos_encoding: bool,
    /// The names of the labels of a classifier, in the order of its logits.
    pub labels: Vec<String>,
    /// Keys of `config.json` that asym does not use.
    pub other: JsonObject,
}

impl Default for VitConfig {
    /// ViT-B/16 for images of 224 × 224 pixels, with two labels as in transformers.
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            activation: Activation::Gelu,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            initializer_range: 0.02,
            layer_norm_eps: 1e-12,
            image_size: [224; 2],
            patch_size: [16; 2],
            num_channels: 3,
            qkv_bias: true,
            pooler_output_size: 768,
            pooler_activation: Activation::Tanh,
            interpolate_pos_encoding: false,
            labels: default_labels(2),
            other: JsonObject::new(),
        }
    }
}

impl VitConfig {
    /// The number of rows and columns of patches in an image of the configured size.
    pub const fn grid(&self) -> [usize; 2] {
        self.grid_of(self.image_size)
    }

    /// The number of rows and columns of patches in an image of any size. Pixels at the edges that do not fill a patch
    /// are ignored.
    pub const fn grid_of(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        [height / self.patch_size[0], width / self.patch_size[1]]
    }
}

impl ModelConfig for VitConfig {
    const FAMILY: &'static str = "ViT";

    type File = HuggingFaceConfig;

    fn resolve(file: &HuggingFaceConfig, path: &Path) -> Result<Self, ModelError> {
        file.resolve(path)
    }

    fn validate(&self, path: &Path) -> Result<(), ModelError> {
        at_least_one(
            path,
            &[
                ("hidden_size", self.hidden_size),
                ("num_hidden_layers", self.num_hidden_layers),
                ("num_attention_heads", self.num_attention_heads),
                ("intermediate_size", self.intermediate_size),
                ("image_size", self.image_size[0].min(self.image_size[1])),
                ("patch_size", self.patch_size[0].min(self.patch_size[1])),
                ("num_channels", self.num_channels),
                ("pooler_output_size", self.pooler_output_size),
                ("id2label", self.labels.len()),
            ],
        )?;
        few_layers(path, "num_hidden_layers", self.num_hidden_layers)?;
        divides(path, ("num_attention_heads", self.num_attention_heads), ("hidden_size", self.hidden_size))?;
        if self.grid().contains(&0) {
            let expected = format!("at most image_size {:?}", self.image_size);
            return Err(refuse(path, "patch_size", expected, format!("{:?}", self.patch_size)));
        }
        probabilities(
            path,
            &[
                ("hidden_dropout_prob", self.hidden_dropout_prob),
                ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ],
        )?;
        positive(path, &[("layer_norm_eps", self.layer_norm_eps), ("initializer_range", self.initializer_range)])
    }

    fn to_hugging_face(&self, architecture: &str, dtype: &str) -> Result<JsonObject, Source> {
        JsonObject::of(&HuggingFaceConfig {
            common: CommonFields::written((architecture, "vit", dtype), None, &self.labels, &self.other),
            hidden_size: Some(self.hidden_size),
            num_hidden_layers: Some(self.num_hidden_layers),
            num_attention_heads: Some(self.num_attention_heads),
            intermediate_size: Some(self.intermediate_size),
            hidden_act: Some(self.activation.name().into()),
            hidden_dropout_prob: Some(self.hidden_dropout_prob),
            attention_probs_dropout_prob: Some(self.attention_probs_dropout_prob),
            initializer_range: Some(self.initializer_range),
            layer_norm_eps: Some(self.layer_norm_eps),
            image_size: Some(Sides::of(self.image_size)),
            patch_size: Some(Sides::of(self.patch_size)),
            num_channels: Some(self.num_channels),
            qkv_bias: Some(self.qkv_bias),
            pooler_output_size: Some(self.pooler_output_size),
            pooler_act: Some(self.pooler_activation.name().into()),
            interpolate_pos_encoding: self.interpolate_pos_encoding.then_some(true),
        })
    }

    fn initializer_range(&self) -> f64 {
        self.initializer_range
    }
}

impl HuggingFaceConfig {
    /// Create the configuration from a file, with transformers' defaults for absent keys. `path` is used only in messages.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] if a setting is invalid or not supported.
    pub fn resolve(&self, path: &Path) -> Result<VitConfig, ModelError> {
        let default = VitConfig::default();
        let hidden_size = self.hidden_size.unwrap_or(default.hidden_size);
        let config = VitConfig {
            hidden_size,
            num_hidden_layers: self.num_hidden_layers.unwrap_or(default.num_hidden_layers),
            num_attention_heads: self.num_attention_heads.unwrap_or(default.num_attention_heads),
            intermediate_size: self.intermediate_size.unwrap_or(default.intermediate_size),
            activation: activation(path, "hidden_act", self.hidden_act.as_deref(), default.activation)?,
            hidden_dropout_prob: self.hidden_dropout_prob.unwrap_or(default.hidden_dropout_prob),
            attention_probs_dropout_prob: self
                .attention_probs_dropout_prob
                .unwrap_or(default.attention_probs_dropout_prob),
            initializer_range: self.initializer_range.unwrap_or(default.initializer_range),
            layer_norm_eps: self.layer_norm_eps.unwrap_or(default.layer_norm_eps),
            image_size: self.image_size.map_or(default.image_size, Sides::pair),
            patch_size: self.patch_size.map_or(default.patch_size, Sides::pair),
            num_channels: self.num_channels.unwrap_or(default.num_channels),
            qkv_bias: self.qkv_bias.unwrap_or(default.qkv_bias),
            pooler_output_size: self.pooler_output_size.unwrap_or(hidden_size),
            pooler_activation: activation(path, "pooler_act", self.pooler_act.as_deref(), default.pooler_activation)?,
            interpolate_pos_encoding: self.interpolate_pos_encoding.unwrap_or(default.interpolate_pos_encoding),
            labels: self.common.labels(2, path)?,
            other: self.common.other.clone(),
        };
        config.validate(path)?;
        Ok(config)
    }
}
