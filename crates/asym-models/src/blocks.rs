//! Parts of the blocks that several models share.

use asym_core::{AdaptedEmbedding, AdaptedLinear, AdaptedLinearConfig, Adapter, BaseLinear};
use asym_kernels::{Heads, Kept, Sequences, attention, packed_attention};
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor};

use crate::Activation;

/// A linear layer whose weights are set later. They are lazy zeros, which need no random numbers and are not allocated if
/// the checkpoint has values.
pub(crate) fn zero_linear(d_input: usize, d_output: usize, device: &Device) -> AdaptedLinear {
    zero_linear_with(d_input, d_output, true, device)
}

/// Like [`zero_linear`], with or without a bias.
pub(crate) fn zero_linear_with(d_input: usize, d_output: usize, bias: bool, device: &Device) -> AdaptedLinear {
    AdaptedLinearConfig::new(d_input, d_output).with_bias(bias).with_initializer(Initializer::Zeros).init(device)
}

/// An embedding whose rows are set later.
pub(crate) fn zero_embedding(rows: usize, width: usize, device: &Device) -> AdaptedEmbedding {
    AdaptedEmbedding::new(&EmbeddingConfig::new(rows, width).with_initializer(Initializer::Zeros), device)
}

/// The head that is tied to the word embedding. As in PEFT, an adapter on the embedding does not change the head.
pub(crate) fn tied_head(embedding: &AdaptedEmbedding, bias: Option<Tensor<1>>) -> BaseLinear {
    let weight = match embedding.weight.reparameterization::<Adapter>() {
        Some(_) => embedding.weight.base(),
        None => embedding.weight.val(),
    };
    embedding.output_layer(weight, bias)
}

/// The states of all tokens in one matrix: `[batch, length, width]` becomes `[batch · length, width]`.
pub(crate) fn rows(hidden: Tensor<3>) -> Tensor<2> {
    let [batch, length, width] = hidden.dims();
    hidden.reshape([batch * length, width])
}

/// The bias that masks padding in attention: 0 for tokens and half of the most negative number for padding. The softmax
/// of a masked score is then 0. If a whole row is masked, its softmax is uniform and not NaN. The number is halved,
/// because a negative score added to it would otherwise be infinite in f16. The bias is computed once for all blocks.
///
/// # Shapes
///
/// - mask: `[batch, length]`, 1 or 0
/// - output: `[batch, 1, 1, length]`, in the dtype of `hidden`
pub(crate) fn attention_bias(mask: Tensor<2, Int>, hidden: &Tensor<3>) -> Tensor<4> {
    let dtype = hidden.dtype();
    let min = dtype.finfo().map_or(f64::from(f32::MIN), |info| info.min);
    let [batch, length] = mask.dims();
    let masked = mask.equal_elem(0).float().cast(dtype) * (min / 2.0);
    masked.reshape([batch, 1, 1, length])
}

/// Self-attention with the names of BERT, RoBERTa and ViT. The layers after the attention are in the block.
#[derive(Module, Debug)]
pub(crate) struct SelfAttention {
    pub(crate) query: AdaptedLinear,
    pub(crate) key: AdaptedLinear,
    pub(crate) value: AdaptedLinear,
    pub(crate) dropout: Dropout,
    pub(crate) heads: usize,
}

impl SelfAttention {
    /// The tokens in `queries` attend to the tokens in `hidden` that `seen` selects.
    pub(crate) fn forward(&self, queries: Tensor<3>, hidden: Tensor<3>, seen: &Seen) -> Tensor<3> {
        let query = self.query.forward(queries);
        let key = self.key.forward(hidden.clone());
        let value = self.value.forward(hidden);
        seen.attend([query, key, value], Heads::new(self.heads), &self.dropout, self.query.kept())
    }
}

/// The tokens that each token attends to.
#[allow(clippy::large_enum_variant, reason = "a forward pass has one")]
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// All tokens of the same row.
    All,
    /// The tokens of the same row that this bias from [`attention_bias`] does not mask.
    Bias(Tensor<4>),
    /// The tokens of the same sequence. The sequences of a batch are concatenated in one row.
    Sequences(Sequences),
}

impl Seen {
    /// The tokens of a padded batch for which `mask`, `[batch, length]`, is 1. The bias has the dtype of `hidden`.
    pub(crate) fn masked(mask: Option<Tensor<2, Int>>, hidden: &Tensor<3>) -> Self {
        mask.map_or(Self::All, |mask| Self::Bias(attention_bias(mask, hidden)))
    }

    /// Compute the attention of the queries to the keys and values of the selected tokens.
    pub(crate) fn attend(
        &self,
        [query, key, value]: [Tensor<3>; 3],
        heads: Heads,
        dropout: &Dropout,
        kept: Kept,
    ) -> Tensor<3> {
        match self {
            Self::All => attention(query, key, value, None, heads, dropout, kept),
            Self::Bias(bias) => attention(query, key, value, Some(bias), heads, dropout, kept),
            Self::Sequences(sequences) => packed_attention(query, key, value, sequences, heads, dropout, kept),
        }
    }

    /// The tokens that the first token of each sequence attends to.
    pub(crate) fn by_first_tokens(&self) -> Self {
        match self {
            Self::Sequences(sequences) => Self::Sequences(sequences.first_queries()),
            other => other.clone(),
        }
    }
}

/// The first half of a feed-forward layer: a linear layer and the activation.
#[derive(Module, Debug)]
pub(crate) struct Intermediate {
    pub(crate) dense: AdaptedLinear,
    #[module(skip)]
    pub(crate) activation: Activation,
}

impl Intermediate {
    pub(crate) fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.activation.forward_keeping(self.dense.forward(hidden), self.dense.kept()) // [batch, length, intermediate]
    }
}
