//! The adapted embedding with a factored forward pass.

use std::ops::Range;

use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::module::embedding;
use burn::tensor::{DType, Device, Int, Tensor};

use asym_kernels::PackedWeight;

use crate::{Adapter, BaseLinear};

/// An embedding that can carry an adapter, in place of Burn's [`Embedding`].
///
/// Without an adapter, it computes the same as [`Embedding`]. With an adapter, it looks up the ids in A, whose rows have r
/// values, and multiplies the resulting rows by B. It never forms `W0 + s·A·B`, which has a row for each id.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct AdaptedEmbedding {
    /// W0, `[n_embedding, d_model]`, with the adapter, if there is one.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    packed: PackedWeight,
}

impl AdaptedEmbedding {
    /// An embedding on `device` with Burn's configuration, without an adapter.
    pub fn new(config: &EmbeddingConfig, device: &Device) -> Self {
        config.init(device).into()
    }

    /// The rows of the ids, in f32 if the weight is in bf16.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, length]`
    /// - output: `[batch, length, d_model]`
    pub fn forward(&self, input: Tensor<2, Int>) -> Tensor<3> {
        let rows = match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => adapter.embedding(input, self.weight.base()),
            // `val` instead of `base`, so that a reparameterization of another crate is applied.
            None => embedding(self.weight.val(), input),
        };
        computed(rows)
    }

    /// The rows in `range`, with the values and the dtype of [`forward`](Self::forward): `[range.len(), d_model]`.
    ///
    /// # Panics
    ///
    /// Panics if `range` is not within the rows.
    pub fn rows(&self, range: Range<usize>) -> Tensor<2> {
        computed(self.weight.val().narrow(0, range.start, range.len()))
    }

    /// The output layer x·Wᵀ + bias of a model that ties its output layer to this embedding.
    ///
    /// `weight` is W, `[n_embedding, d_model]`: W0 or the adapted weight.
    pub fn output_layer(&self, weight: Tensor<2>, bias: Option<Tensor<1>>) -> BaseLinear {
        BaseLinear { weight: weight.transpose(), bias, packed: self.packed.clone() }
    }
}

/// The rows in the dtype in which the model computes.
fn computed<const D: usize>(rows: Tensor<D>) -> Tensor<D> {
    if rows.dtype() == DType::BF16 { rows.cast(DType::F32) } else { rows }
}

impl From<Embedding> for AdaptedEmbedding {
    fn from(embedding: Embedding) -> Self {
        Self { weight: embedding.weight, packed: PackedWeight::default() }
    }
}

impl ModuleDisplay for AdaptedEmbedding {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [n_embedding, d_model] = self.weight.lazy_shape().dims();
        let content = content.add("n_embedding", &n_embedding).add("d_model", &d_model);
        match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => content.add("adapter", &adapter.describe()).optional(),
            None => content.optional(),
        }
    }
}
