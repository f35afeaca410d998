//! ViT: an encoder of pre-norm blocks for the patches of an image, with a classifier on the first token.
//!
//! Sources: Dosovitskiy et al., 2021 (arXiv:2010.11929); `modeling_vit.py` of transformers 5.23. Fields have the names of
//! the checkpoint's keys, which are those of transformers 4. transformers 5 uses the same names in files, but other names
//! in memory.

use asym_core::{AdaptedConv2d, AdaptedLinear, Naming};
use asym_kernels::{Kept, dropout, layer_norm};
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor, TensorData};

use crate::blocks::{Intermediate, Seen, SelfAttention, zero_linear, zero_linear_with};
use crate::inputs::{InputFile, ModelInput};
use crate::{KeyTable, ModelError, PretrainedModel};

mod config;
mod positions;

pub use config::{HuggingFaceConfig, Sides, VitConfig};

/// The entries that the tables of both ViT models share.
const KEYS: KeyTable = KeyTable {
    in_memory: Some(Naming(&[
        ("encoder.layer", "layers"),
        ("attention.attention.query", "attention.q_proj"),
        ("attention.attention.key", "attention.k_proj"),
        ("attention.attention.value", "attention.v_proj"),
        ("attention.output.dense", "attention.o_proj"),
        ("intermediate.dense", "mlp.fc1"),
        ("output.dense", "mlp.fc2"),
    ])),
    base: ("vit", &["embeddings", "encoder", "layernorm", "pooler"]),
    ..KeyTable::EMPTY
};

/// `ViTForImageClassification`.
pub const VIT_CLASSIFIER: KeyTable = KeyTable {
    architecture: "ViTForImageClassification",
    head: &["classifier"],
    task_head: &["classifier"],
    dropped: &["vit.pooler", "vit.embeddings.mask_token"],
    ..KEYS
};

/// `ViTModel`, with its pooler.
pub const VIT_MODEL: KeyTable = KeyTable {
    architecture: "ViTModel",
    naming: Naming(&[("pooler", "vit.pooler.dense")]),
    in_memory: Some(Naming(&[
        ("pooler", "pooler.dense"),
        ("vit.embeddings", "embeddings"),
        ("vit.encoder.layer", "layers"),
        ("vit.layernorm", "layernorm"),
        ("attention.attention.query", "attention.q_proj"),
        ("attention.attention.key", "attention.k_proj"),
        ("attention.attention.value", "attention.v_proj"),
        ("attention.output.dense", "attention.o_proj"),
        ("intermediate.dense", "mlp.fc1"),
        ("output.dense", "mlp.fc2"),
    ])),
    head: &["vit.pooler"],
    dropped: &["classifier", "vit.embeddings.mask_token"],
    ..KEYS
};

/// A batch of images.
#[derive(Debug, Clone)]
pub struct VitInput {
    /// Pixels, normalized as specified in the checkpoint's `preprocessor_config.json`, `[batch, channels, height,
    /// width]`.
    pub pixel_values: Tensor<4>,
}

const PIXEL_VALUES: &str = "pixel_values";

impl ModelInput for VitInput {
    type Config = VitConfig;

    fn read(file: &mut InputFile, device: &Device) -> Result<Self, ModelError> {
        Ok(Self { pixel_values: file.floats(PIXEL_VALUES, device)? })
    }

    fn check(&self, config: &VitConfig) -> Result<(), ModelError> {
        let [batch, channels, height, width] = self.pixel_values.dims();
        let key = PIXEL_VALUES;
        if batch == 0 {
            return Err(ModelError::Input { key, expected: "at least one image".into(), found: "none".into() });
        }
        if channels != config.num_channels {
            let expected = format!("{} channels (num_channels)", config.num_channels);
            return Err(ModelError::Input { key, expected, found: channels.to_string() });
        }
        // transformers refuses these images too. The memory of attention grows with the fourth power of the side length.
        if [height, width] != config.image_size && !config.interpolate_pos_encoding {
            let [rows, columns] = config.image_size;
            let expected = format!(
                "{rows} by {columns} pixels (image_size; images of another size need interpolated positions: the option \
                 --interpolate-pos-encoding, or the key `interpolate_pos_encoding` of config.json)"
            );
            return Err(ModelError::Input { key, expected, found: format!("{height} by {width}") });
        }
        if config.grid_of([height, width]).contains(&0) {
            let expected = format!("at least one patch of {:?} pixels", config.patch_size);
            return Err(ModelError::Input { key, expected, found: format!("{height} by {width}") });
        }
        Ok(())
    }
}

/// The embeddings, the blocks and the final norm.
#[derive(Module, Debug)]
pub struct Vit {
    embeddings: Embeddings,
    encoder: Blocks,
    layernorm: LayerNorm,
    #[module(skip)]
    config: VitConfig,
}

#[derive(Module, Debug)]
struct Embeddings {
    cls_token: Param<Tensor<3>>,           // [1, 1, hidden]
    position_embeddings: Param<Tensor<3>>, // [1, 1 + patches, hidden]
    patch_embeddings: PatchEmbeddings,
    dropout: Dropout,
}

#[derive(Module, Debug)]
struct PatchEmbeddings {
    projection: AdaptedConv2d,
}

#[derive(Module, Debug)]
struct Blocks {
    layer: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    attention: Attention,
    intermediate: Intermediate,
    output: Output,
    layernorm_before: LayerNorm,
    layernorm_after: LayerNorm,
    /// The epsilon of the norms. The field of Burn's `LayerNorm` is private.
    epsilon: f64,
}

#[derive(Module, Debug)]
struct Attention {
    attention: SelfAttention,
    output: Output,
}

/// The last part of both sublayers: a projection and the residual connection.
#[derive(Module, Debug)]
struct Output {
    dense: AdaptedLinear,
    dropout: Dropout,
}

impl Vit {
    /// Create a model with lazy parameters, which are initialized when they are first read. `config` must be valid.
    fn skeleton(config: &VitConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let [rows, columns] = config.grid();
        let norm = || LayerNormConfig::new(hidden).with_epsilon(config.layer_norm_eps).init(device);
        let dropout = || DropoutConfig::new(config.hidden_dropout_prob).init();
        let projected = || zero_linear_with(hidden, hidden, config.qkv_bias, device);
        let output = |d_input| Output { dense: zero_linear(d_input, hidden, device), dropout: dropout() };
        let block = || Block {
            attention: Attention {
                attention: SelfAttention {
                    query: projected(),
                    key: projected(),
                    value: projected(),
                    dropout: DropoutConfig::new(config.attention_probs_dropout_prob).init(),
                    heads: config.num_attention_heads,
                },
                output: output(hidden),
            },
            intermediate: Intermediate {
                dense: zero_linear(hidden, config.intermediate_size, device),
                activation: config.activation,
            },
            output: output(config.intermediate_size),
            layernorm_before: norm(),
            layernorm_after: norm(),
            epsilon: config.layer_norm_eps,
        };
        let projection = Conv2dConfig::new([config.num_channels, hidden], config.patch_size)
            .with_stride(config.patch_size)
            .with_initializer(Initializer::Zeros);
        Self {
            embeddings: Embeddings {
                cls_token: Initializer::Zeros.init([1, 1, hidden], device),
                position_embeddings: Initializer::Zeros.init([1, 1 + rows * columns, hidden], device),
                patch_embeddings: PatchEmbeddings { projection: AdaptedConv2d::new(&projection, device) },
                dropout: dropout(),
            },
            encoder: Blocks { layer: (0..config.num_hidden_layers).map(|_| block()).collect() },
            layernorm: norm(),
            config: config.clone(),
        }
    }

    /// The last hidden state, after the final norm.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, 1 + patches, hidden_size]`
    pub fn forward(&self, input: VitInput) -> Tensor<3> {
        let mut hidden = self.embeddings.forward(input, &self.config);
        for block in &self.encoder.layer {
            hidden = block.forward(hidden, None);
        }
        self.norm(hidden)
    }

    /// The embeddings and the output of every block, as `output_hidden_states` of transformers.
    ///
    /// # Shapes
    ///
    /// - each output: `[batch, 1 + patches, hidden_size]`
    pub fn hidden_states(&self, input: VitInput) -> Vec<Tensor<3>> {
        let mut states = vec![self.embeddings.forward(input, &self.config)];
        for block in &self.encoder.layer {
            states.extend(states.last().map(|hidden| block.forward(hidden.clone(), None)));
        }
        states
    }

    /// The last hidden state of the first token, `[batch, hidden_size]`. The last block does not compute the queries,
    /// the feed-forward layer and the second norm of the other tokens.
    fn first_token(&self, input: VitInput) -> Tensor<2> {
        let mut hidden = self.embeddings.forward(input, &self.config);
        let [batch, _, width] = hidden.dims();
        let last = self.encoder.layer.len().saturating_sub(1);
        for (index, block) in self.encoder.layer.iter().enumerate() {
            hidden = block.forward(hidden, (index == last).then_some(1));
        }
        self.norm(hidden).reshape([batch, width])
    }

    fn norm(&self, hidden: Tensor<3>) -> Tensor<3> {
        layer_norm(&self.layernorm, self.config.layer_norm_eps, hidden, Kept::Exact)
    }
}

impl Embeddings {
    fn forward(&self, input: VitInput, config: &VitConfig) -> Tensor<3> {
        let positions = self.position_embeddings.val();
        let VitInput { pixel_values } = input;
        let [batch, _, height, width] = pixel_values.dims();
        let grid = config.grid_of([height, width]);
        let patches = self.patch_embeddings.projection.forward(pixel_values.cast(positions.dtype()));
        let patches = patches
            .reshape([batch, config.hidden_size, grid[0] * grid[1]]) // [batch, hidden, patches]
            .swap_dims(1, 2); // [batch, patches, hidden]
        let first = self.cls_token.val().repeat_dim(0, batch);
        let positions = positions::at_resolution(positions, config.grid(), grid);
        dropout(&self.dropout, Tensor::cat(vec![first, patches], 1) + positions)
    }
}

impl Block {
    /// The outputs of all tokens, or of the first `first` tokens. They attend to all tokens in `hidden`.
    fn forward(&self, hidden: Tensor<3>, first: Option<usize>) -> Tensor<3> {
        let [batch, _, _] = hidden.dims();
        let kept = self.intermediate.dense.kept();
        let queried = |tensor: &Tensor<3>| match first {
            Some(count) => tensor.clone().slice([0..batch, 0..count]),
            None => tensor.clone(),
        };
        let normed = layer_norm(&self.layernorm_before, self.epsilon, hidden.clone(), kept);
        let attended = self.attention.attention.forward(queried(&normed), normed, &Seen::All);
        let hidden = self.attention.output.forward(attended, queried(&hidden));
        let normed = layer_norm(&self.layernorm_after, self.epsilon, hidden.clone(), kept);
        self.output.forward(self.intermediate.forward(normed), hidden)
    }
}

impl Output {
    fn forward(&self, output: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        dropout(&self.dropout, self.dense.forward(output)) + residual
    }
}

/// `ViTForImageClassification`.
#[derive(Module, Debug)]
pub struct VitClassifier {
    vit: Vit,
    classifier: AdaptedLinear,
}

impl VitClassifier {
    /// The logits of each image.
    ///
    /// If the size of the images differs from the configured size, the positions are interpolated, as with
    /// `interpolate_pos_encoding` of transformers.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, labels]`
    ///
    /// # Panics
    ///
    /// May panic on images that [`check_input`](crate::check_input) refuses.
    pub fn forward(&self, input: VitInput) -> Tensor<2> {
        self.classifier.forward(self.vit.first_token(input))
    }

    /// Set the names of the labels. They are ignored if their number differs from the number of outputs.
    pub fn with_labels(mut self, names: &[&str]) -> Self {
        if names.len() == self.vit.config.labels.len() {
            self.vit.config.labels = names.iter().map(ToString::to_string).collect();
        }
        self
    }

    /// The model below the classifier.
    pub fn backbone(&self) -> &Vit {
        &self.vit
    }
}

/// `ViTModel`: the encoder, and a pooler of the first token.
#[derive(Module, Debug)]
pub struct VitModel {
    vit: Vit,
    pooler: AdaptedLinear,
}

impl VitModel {
    /// The last hidden state, after the final norm.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, 1 + patches, hidden_size]`
    pub fn forward(&self, input: VitInput) -> Tensor<3> {
        self.vit.forward(input)
    }

    /// The pooler's output for the first token.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, pooler_output_size]`
    pub fn pooled(&self, input: VitInput) -> Tensor<2> {
        self.vit.config.pooler_activation.forward(self.pooler.forward(self.vit.first_token(input)))
    }
}

impl PretrainedModel for VitClassifier {
    type Config = VitConfig;
    type Input = VitInput;

    fn skeleton(config: &VitConfig, device: &Device) -> Self {
        let classifier = zero_linear(config.hidden_size, config.labels.len(), device);
        Self { vit: Vit::skeleton(config, device), classifier }
    }
    fn keys(_config: &VitConfig) -> &'static KeyTable {
        &VIT_CLASSIFIER
    }
    fn config(&self) -> &VitConfig {
        &self.vit.config
    }
    fn logits(&self, input: VitInput) -> TensorData {
        self.forward(input).into_data()
    }
}

impl PretrainedModel for VitModel {
    type Config = VitConfig;
    type Input = VitInput;

    fn skeleton(config: &VitConfig, device: &Device) -> Self {
        let pooler = zero_linear(config.hidden_size, config.pooler_output_size, device);
        Self { vit: Vit::skeleton(config, device), pooler }
    }
    fn keys(_config: &VitConfig) -> &'static KeyTable {
        &VIT_MODEL
    }
    fn config(&self) -> &VitConfig {
        &self.vit.config
    }
    fn logits(&self, input: VitInput) -> TensorData {
        self.pooled(input).into_data()
    }
}
