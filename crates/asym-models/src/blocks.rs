//! The parts of the blocks of several models.

use asym_core::{AdaptedEmbedding, AdaptedLinear, AdaptedLinearConfig, Adapter, BaseLinear};
use asym_kernels::{Heads, Kept, Sequences, attention, packed_attention};
use burn::module::{Initializer, Module};
use burn::nn::{Dropout, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor};

use crate::Activation;

/// A linear layer that waits for its weights: zeros are never drawn, and never made where a checkpoint has values.
pub(crate) fn zero_linear(d_input: usize, d_output: usize, device: &Device) -> AdaptedLinear {
    zero_linear_with(d_input, d_output, true, device)
}

/// The same, with a bias or without.
pub(crate) fn zero_linear_with(d_input: usize, d_output: usize, bias: bool, device: &Device) -> AdaptedLinear {
    AdaptedLinearConfig::new(d_input, d_output).with_bias(bias).with_initializer(Initializer::Zeros).init(device)
}

/// An embedding that waits for its rows.
pub(crate) fn zero_embedding(rows: usize, width: usize, device: &Device) -> AdaptedEmbedding {
    AdaptedEmbedding::new(&EmbeddingConfig::new(rows, width).with_initializer(Initializer::Zeros), device)
}

/// The head that is the word embedding: what lies under an adapter, which changes the embedding alone, as in PEFT.
pub(crate) fn tied_head(embedding: &AdaptedEmbedding, bias: Option<Tensor<1>>) -> BaseLinear {
    let weight = match embedding.weight.reparameterization::<Adapter>() {
        Some(_) => embedding.weight.base(),
        None => embedding.weight.val(),
    };
    embedding.output_layer(weight, bias)
}

/// The rows of all sequences one after another: `[batch, length, width]` becomes `[batch · length, width]`.
pub(crate) fn rows(hidden: Tensor<3>) -> Tensor<2> {
    let [batch, length, width] = hidden.dims();
    hidden.reshape([batch * length, width])
}

/// 0 where a token may be attended to, else half of the most negative number: the softmax of what it is added to is then 0,
/// and uniform, not NaN, where a whole row is masked. Half, because a score below it would make infinity of it in f16. Made
/// once for all blocks.
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

/// Attention among the tokens of one sequence, as BERT, RoBERTa and ViT name its parts. The layers after the attention are
/// in the block.
#[derive(Module, Debug)]
pub(crate) struct SelfAttention {
    pub(crate) query: AdaptedLinear,
    pub(crate) key: AdaptedLinear,
    pub(crate) value: AdaptedLinear,
    pub(crate) dropout: Dropout,
    pub(crate) heads: usize,
}

impl SelfAttention {
    /// The tokens `queries` attend to the tokens of `hidden` that `seen` selects.
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
    /// All tokens of its row.
    All,
    /// The tokens of its row that this bias, as of [`attention_bias`], leaves.
    Bias(Tensor<4>),
    /// The tokens of its sequence: the sequences of a batch follow each other directly in one row.
    Sequences(Sequences),
}

impl Seen {
    /// The tokens that a padded batch's `mask`, `[batch, length]`, leaves. The bias is in the dtype of `hidden`.
    pub(crate) fn masked(mask: Option<Tensor<2, Int>>, hidden: &Tensor<3>) -> Self {
        mask.map_or(Self::All, |mask| Self::Bias(attention_bias(mask, hidden)))
    }

    /// Attention of queries to these tokens' keys and values.
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

    /// The same for the first token of each sequence alone.
    pub(crate) fn by_first_tokens(&self) -> Self {
        match self {
            Self::Sequences(sequences) => Self::Sequences(sequences.first_queries()),
            other => other.clone(),
        }
    }
}

/// The first half of a feed-forward layer.
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
