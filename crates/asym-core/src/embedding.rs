//! The adapted embedding: the factored forward.

use std::ops::Range;

use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::module::embedding;
use burn::tensor::{DType, Device, Int, Tensor};

use asym_kernels::PackedWeight;

use crate::{Adapter, BaseLinear};

/// An embedding that can carry an adapter, in place of Burn's [`Embedding`].
///
/// Without an adapter it computes what [`Embedding`] does. With one it looks ids up in A, which is r wide, and multiplies
/// the rows it found by B; `W0 + s·A·B`, which is as large as the vocabulary, is never formed.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct AdaptedEmbedding {
    /// W0, `[n_embedding, d_model]`, with the adapter attached where there is one.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    packed: PackedWeight,
}

impl AdaptedEmbedding {
    /// An embedding on `device` as Burn's configuration describes it, without an adapter.
    pub fn new(config: &EmbeddingConfig, device: &Device) -> Self {
        config.init(device).into()
    }

    /// The rows of the ids; in f32 where the weight is in bf16.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, length]`
    /// - output: `[batch, length, d_model]`
    pub fn forward(&self, input: Tensor<2, Int>) -> Tensor<3> {
        let rows = match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => adapter.embedding(input, self.weight.base()),
            // `val` and not `base`: a reparameterization of another crate must keep its effect.
            None => embedding(self.weight.val(), input),
        };
        computed(rows)
    }

    /// Rows that follow one another, as [`forward`](Self::forward) gives them: `[range.len(), d_model]`.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many rows.
    pub fn rows(&self, range: Range<usize>) -> Tensor<2> {
        computed(self.weight.val().narrow(0, range.start, range.len()))
    }

    /// The output layer whose weight is the transpose of `weight`, for a model that ties its output to this embedding: x·Wᵀ + bias.
    ///
    /// `weight` is W0 or what an adapter makes of it, `[n_embedding, d_model]`.
    pub fn output_layer(&self, weight: Tensor<2>, bias: Option<Tensor<1>>) -> BaseLinear {
        BaseLinear { weight: weight.transpose(), bias, packed: self.packed.clone() }
    }
}

/// Rows in the dtype that a model computes in.
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
