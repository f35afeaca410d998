//! BERT and RoBERTa: a post-norm encoder with a sequence-classification or a masked-LM head.
//!
//! Sources: Devlin et al., 2019 (arXiv:1810.04805); Liu et al., 2019 (arXiv:1907.11692); `modeling_bert.py` and
//! `modeling_roberta.py` of transformers 5.23. BERT and RoBERTa differ in position ids, heads and names. Fields have the
//! names of the checkpoint's keys if Rust allows it; [`KeyTable`] maps the other names.

use std::path::Path;

use asym_core::{AdaptedEmbedding, AdaptedLinear, Naming};
use asym_kernels::{Kept, dropout, layer_norm, residual_norm};
use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::blocks::{Intermediate, Seen, SelfAttention, rows, tied_head, zero_embedding, zero_linear};
use crate::error::refuse;
use crate::packing::places;
use crate::{Activation, KeyTable, ModelError, PretrainedModel};

pub(crate) mod config;
mod distilbert;
mod input;
mod keys;

pub use config::{EncoderConfig, Family, HuggingFaceConfig};
use input::Packed;
pub use input::{EncoderInput, Padding};

/// The encoder: embeddings and blocks, without a pooler.
#[derive(Module, Debug)]
pub struct Encoder {
    embeddings: Embeddings,
    encoder: Blocks,
    #[module(skip)]
    config: EncoderConfig,
}

#[derive(Module, Debug)]
struct Embeddings {
    word_embeddings: AdaptedEmbedding,
    position_embeddings: AdaptedEmbedding,
    /// Absent in DistilBERT.
    token_type_embeddings: Option<AdaptedEmbedding>,
    layer_norm: LayerNorm,
    dropout: Dropout,
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
}

#[derive(Module, Debug)]
struct Attention {
    self_attention: SelfAttention,
    output: Output,
}

/// The last part of both sublayers: a projection, the residual connection and a norm.
#[derive(Module, Debug)]
struct Output {
    dense: AdaptedLinear,
    layer_norm: LayerNorm,
    dropout: Dropout,
    /// The epsilon of the norm. The field of Burn's `LayerNorm` is private.
    epsilon: f64,
}

impl Encoder {
    /// Create an encoder with lazy parameters, which are initialized when they are first read. `config` must be valid.
    pub fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let linear = |d_input, d_output| zero_linear(d_input, d_output, device);
        let embedding = |rows| zero_embedding(rows, hidden, device);
        let layer_norm = || LayerNormConfig::new(hidden).with_epsilon(config.layer_norm_eps).init(device);
        let dropout = || DropoutConfig::new(config.hidden_dropout_prob).init();
        // DistilBERT has no dropout after its attention.
        let attention_dropout =
            || if config.family == Family::DistilBert { DropoutConfig::new(0.0).init() } else { dropout() };
        let output = |d_input, dropout| Output {
            dense: linear(d_input, hidden),
            layer_norm: layer_norm(),
            dropout,
            epsilon: config.layer_norm_eps,
        };
        let block = || Block {
            attention: Attention {
                self_attention: SelfAttention {
                    query: linear(hidden, hidden),
                    key: linear(hidden, hidden),
                    value: linear(hidden, hidden),
                    dropout: DropoutConfig::new(config.attention_probs_dropout_prob).init(),
                    heads: config.num_attention_heads,
                },
                output: output(hidden, attention_dropout()),
            },
            intermediate: Intermediate {
                dense: linear(hidden, config.intermediate_size),
                activation: config.activation,
            },
            output: output(config.intermediate_size, dropout()),
        };
        Self {
            embeddings: Embeddings {
                word_embeddings: embedding(config.vocab_size),
                position_embeddings: embedding(config.max_position_embeddings),
                token_type_embeddings: (config.type_vocab_size > 0).then(|| embedding(config.type_vocab_size)),
                layer_norm: layer_norm(),
                dropout: dropout(),
            },
            encoder: Blocks { layer: (0..config.num_hidden_layers).map(|_| block()).collect() },
            config: config.clone(),
        }
    }

    /// Compute the last hidden state.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, length, hidden_size]`
    pub fn forward(&self, input: EncoderInput) -> Tensor<3> {
        self.run(input, |_| {})
    }

    /// Compute the embeddings and the output of every block, as `output_hidden_states` in transformers.
    ///
    /// # Shapes
    ///
    /// - each output: `[batch, length, hidden_size]`
    pub fn hidden_states(&self, input: EncoderInput) -> Vec<Tensor<3>> {
        let mut states = Vec::with_capacity(self.encoder.layer.len() + 1);
        self.run(input, |state| states.push(state.clone()));
        states
    }

    /// The configuration of the model.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// The last hidden state of each sequence's first token, `[batch, hidden_size]`.
    ///
    /// The last block does not compute the queries, feed-forward layers and norms of the other tokens. In RoBERTa-base,
    /// this saves a fourteenth of all multiplications.
    fn first_token(&self, input: EncoderInput) -> Tensor<2> {
        let [batch, length] = input.input_ids.dims();
        let (mut hidden, seen, starts) =
            match input.without_padding(&self.config, || (0..batch).map(|row| row * length).collect()) {
                Some(packed) => {
                    let (hidden, seen) = self.embed_packed(&packed);
                    (hidden, seen, Some(packed.wanted))
                }
                None => {
                    let (hidden, seen) = self.embed(input);
                    (hidden, seen, None)
                }
            };
        let [_, _, width] = hidden.dims();
        // [batch, 1, hidden], or [1, batch, hidden] for packed sequences
        let first = |hidden: Tensor<3>| match starts {
            Some(starts) => hidden.select(1, starts),
            None => hidden.slice([0..batch, 0..1]),
        };
        let Some((last, blocks)) = self.encoder.layer.split_last() else {
            return first(hidden).reshape([batch, width]);
        };
        for block in blocks {
            hidden = block.forward(hidden, &seen);
        }
        last.forward_queries(first(hidden.clone()), hidden, &seen.by_first_tokens()).reshape([batch, width])
    }

    /// The last hidden states of the tokens at `positions`, each `row · length + column`: `[count, hidden_size]`.
    fn states_at(&self, input: EncoderInput, positions: Tensor<1, Int>) -> Tensor<2> {
        let (mut hidden, seen, chosen) = match input.without_padding(&self.config, || places(&positions)) {
            Some(packed) => {
                let (hidden, seen) = self.embed_packed(&packed);
                (hidden, seen, packed.wanted)
            }
            None => {
                let (hidden, seen) = self.embed(input);
                (hidden, seen, positions)
            }
        };
        for block in &self.encoder.layer {
            hidden = block.forward(hidden, &seen);
        }
        rows(hidden).select(0, chosen)
    }

    fn run(&self, input: EncoderInput, mut seen: impl FnMut(&Tensor<3>)) -> Tensor<3> {
        let (mut hidden, keys) = self.embed(input);
        seen(&hidden);
        for block in &self.encoder.layer {
            hidden = block.forward(hidden, &keys);
            seen(&hidden);
        }
        hidden
    }

    /// The input of the first block, and the tokens that each token attends to.
    fn embed(&self, input: EncoderInput) -> (Tensor<3>, Seen) {
        let EncoderInput { input_ids, attention_mask, token_type_ids } = input;
        let hidden = self.embeddings.forward(input_ids, token_type_ids, &self.config);
        let seen = Seen::masked(attention_mask, &hidden);
        (hidden, seen)
    }

    /// Like [`embed`](Self::embed), for a batch without its padding.
    fn embed_packed(&self, packed: &Packed) -> (Tensor<3>, Seen) {
        let Packed { ids, positions, types, packing, .. } = packed;
        let positions = self.embeddings.position_embeddings.forward(positions.clone());
        let hidden = self.embeddings.combine(ids.clone(), positions, types.clone(), &self.config);
        (hidden, Seen::Sequences(packing.sequences().clone()))
    }
}

impl Embeddings {
    fn forward(
        &self,
        input_ids: Tensor<2, Int>,
        token_type_ids: Option<Tensor<2, Int>>,
        config: &EncoderConfig,
    ) -> Tensor<3> {
        let [_, length] = input_ids.dims();
        let positions = match config.family {
            // The positions are the same for every row: [1, length, hidden]
            Family::Bert | Family::DistilBert => self.position_embeddings.rows(0..length).unsqueeze(),
            // Positions count from pad_token_id + 1 over tokens that are not padding. The position of padding is pad_token_id.
            Family::Roberta | Family::XlmRoberta | Family::Camembert => {
                let real = input_ids.clone().not_equal_elem(config.pad_token_id as i64).int();
                let ids = real.clone().cumsum(1) * real + config.pad_token_id as i64;
                self.position_embeddings.forward(ids) // [batch, length, hidden]
            }
        };
        self.combine(input_ids, positions, token_type_ids, config)
    }

    fn combine(
        &self,
        input_ids: Tensor<2, Int>,
        positions: Tensor<3>,
        token_type_ids: Option<Tensor<2, Int>>,
        config: &EncoderConfig,
    ) -> Tensor<3> {
        let types = self.token_type_embeddings.as_ref().map(|table| match token_type_ids {
            Some(ids) => table.forward(ids),      // [batch, length, hidden]
            None => table.rows(0..1).unsqueeze(), // [1, 1, hidden]
        });
        // Positions and types are added first. If both are the same for every row, the sum is computed for only one row.
        let places = match types {
            Some(types) => positions + types,
            None => positions,
        };
        let embedded = self.word_embeddings.forward(input_ids) + places;
        dropout(&self.dropout, layer_norm(&self.layer_norm, config.layer_norm_eps, embedded, Kept::Exact))
    }
}

impl Block {
    fn forward(&self, hidden: Tensor<3>, seen: &Seen) -> Tensor<3> {
        self.forward_queries(hidden.clone(), hidden, seen)
    }

    /// The outputs of the tokens in `queries`, which attend to the tokens in `hidden` that `seen` selects.
    fn forward_queries(&self, queries: Tensor<3>, hidden: Tensor<3>, seen: &Seen) -> Tensor<3> {
        let attended = self.attention.self_attention.forward(queries.clone(), hidden, seen);
        let hidden = self.attention.output.forward(attended, queries);
        let inside = self.intermediate.forward(hidden.clone()); // [batch, length, intermediate]
        self.output.forward(inside, hidden)
    }
}

impl Output {
    fn forward(&self, output: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let (output, kept) = (self.dense.forward(output), self.dense.kept());
        residual_norm(&self.layer_norm, self.epsilon, &self.dropout, output, residual, kept)
    }
}

/// An encoder with a sequence-classification head: `BertForSequenceClassification` or
/// `RobertaForSequenceClassification`.
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    backbone: Encoder,
    head: ClassificationHead,
}

#[derive(Module, Debug)]
enum ClassificationHead {
    Bert(BertHead),
    Roberta(RobertaHead),
    DistilBert(DistilBertHead),
}

/// BERT's pooler, which checkpoints store in the encoder, and a linear layer.
#[derive(Module, Debug)]
struct BertHead {
    pooler: AdaptedLinear,
    dropout: Dropout,
    classifier: AdaptedLinear,
}

#[derive(Module, Debug)]
struct RobertaHead {
    dense: AdaptedLinear,
    dropout: Dropout,
    out_proj: AdaptedLinear,
}

#[derive(Module, Debug)]
struct DistilBertHead {
    dense: AdaptedLinear,
    dropout: Dropout,
    classifier: AdaptedLinear,
}

impl SequenceClassifier {
    pub(crate) fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let dense = zero_linear(hidden, hidden, device);
        let dropout = DropoutConfig::new(config.classifier_dropout.unwrap_or(config.hidden_dropout_prob)).init();
        let output = zero_linear(hidden, config.num_labels(), device);
        let head = match config.family {
            Family::Bert => ClassificationHead::Bert(BertHead { pooler: dense, dropout, classifier: output }),
            Family::DistilBert => ClassificationHead::DistilBert(DistilBertHead { dense, dropout, classifier: output }),
            Family::Roberta | Family::XlmRoberta | Family::Camembert => {
                ClassificationHead::Roberta(RobertaHead { dense, dropout, out_proj: output })
            }
        };
        Self { backbone: Encoder::skeleton(config, device), head }
    }

    /// Set the names of the labels, which [`save`](crate::save) writes. The names are ignored if their number differs from
    /// the number of labels.
    pub fn with_labels(mut self, names: &[&str]) -> Self {
        if names.len() == self.backbone.config.num_labels() {
            self.backbone.config.labels = names.iter().map(ToString::to_string).collect();
        }
        self
    }

    /// Set transformers' name of the problem type, which [`save`](crate::save) writes as `problem_type`.
    pub fn with_problem_type(mut self, name: &str) -> Self {
        self.backbone.config.other.0.insert("problem_type".to_string(), name.into());
        self
    }

    /// Compute the logits of each sequence.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, labels]`
    ///
    /// # Panics
    ///
    /// May panic if ids are out of range, which [`check_input`](crate::check_input) reports.
    pub fn forward(&self, input: EncoderInput) -> Tensor<2> {
        let first = self.backbone.first_token(input); // [batch, hidden]
        match &self.head {
            ClassificationHead::Bert(head) => {
                let pooled = head.pooler.forward(first).tanh();
                head.classifier.forward(head.dropout.forward(pooled))
            }
            ClassificationHead::DistilBert(head) => {
                let dense = relu(head.dense.forward(first));
                head.classifier.forward(head.dropout.forward(dense))
            }
            ClassificationHead::Roberta(head) => {
                let dense = head.dense.forward(head.dropout.forward(first)).tanh();
                head.out_proj.forward(head.dropout.forward(dense))
            }
        }
    }

    /// Compute the embeddings and the output of every block. See [`Encoder::hidden_states`].
    pub fn hidden_states(&self, input: EncoderInput) -> Vec<Tensor<3>> {
        self.backbone.hidden_states(input)
    }

    /// The configuration of the model.
    pub fn config(&self) -> &EncoderConfig {
        self.backbone.config()
    }

    /// The names of the model's parameters in Hugging Face's files.
    pub fn naming(&self) -> Naming {
        Self::keys(self.config()).naming
    }
}

/// An encoder with a masked-LM head: `BertForMaskedLM` or `RobertaForMaskedLM`.
#[derive(Module, Debug)]
pub struct MaskedLanguageModel {
    backbone: Encoder,
    lm_head: LanguageModelHead,
}

#[derive(Module, Debug)]
struct LanguageModelHead {
    dense: AdaptedLinear,
    layer_norm: LayerNorm,
    /// The bias of a decoder that is tied to the word embedding. An untied decoder does not use it, and it is only kept
    /// for the file, as in transformers.
    bias: Param<Tensor<1>>,
    /// Absent if the decoder is tied to the word embedding.
    decoder: Option<AdaptedLinear>,
    #[module(skip)]
    activation: Activation,
}

impl MaskedLanguageModel {
    pub(crate) fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        // RoBERTa in transformers always applies the exact GELU here and ignores `hidden_act`.
        let activation = match config.family {
            Family::Bert | Family::DistilBert => config.activation,
            Family::Roberta | Family::XlmRoberta | Family::Camembert => Activation::Gelu,
        };
        Self {
            backbone: Encoder::skeleton(config, device),
            lm_head: LanguageModelHead {
                dense: zero_linear(hidden, hidden, device),
                layer_norm: LayerNormConfig::new(hidden).with_epsilon(config.layer_norm_eps).init(device),
                bias: Initializer::Zeros.init([config.vocab_size], device),
                decoder: (!config.tie_word_embeddings).then(|| zero_linear(hidden, config.vocab_size, device)),
                activation,
            },
        }
    }

    /// Compute the logits of every position.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, length, vocab_size]`
    ///
    /// # Panics
    ///
    /// In the same cases as [`SequenceClassifier::forward`].
    pub fn forward(&self, input: EncoderInput) -> Tensor<3> {
        let hidden = self.backbone.forward(input);
        self.logits(hidden)
    }

    /// Compute the logits of some positions. In pre-training, these are the masked positions, about one in seven. This
    /// reduces the time and the memory of the product with the vocabulary by the same factor.
    ///
    /// # Shapes
    ///
    /// - positions: `[count]`, each `row · length + column`
    /// - output: `[count, vocab_size]`
    ///
    /// # Panics
    ///
    /// In the same cases as [`SequenceClassifier::forward`]. Also panics if positions are outside the batch.
    pub fn forward_at(&self, input: EncoderInput, positions: Tensor<1, Int>) -> Tensor<2> {
        self.logits(self.backbone.states_at(input, positions))
    }

    /// Compute the embeddings and the output of every block. See [`Encoder::hidden_states`].
    pub fn hidden_states(&self, input: EncoderInput) -> Vec<Tensor<3>> {
        self.backbone.hidden_states(input)
    }

    /// The configuration of the model.
    pub fn config(&self) -> &EncoderConfig {
        self.backbone.config()
    }

    /// The names of the model's parameters in Hugging Face's files.
    pub fn naming(&self) -> Naming {
        Self::keys(self.config()).naming
    }

    fn logits<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        let head = &self.lm_head;
        let transformed = head.activation.forward(head.dense.forward(hidden));
        let transformed = layer_norm(&head.layer_norm, self.config().layer_norm_eps, transformed, Kept::Exact);
        match &head.decoder {
            Some(decoder) => decoder.forward(transformed),
            None => {
                let words = &self.backbone.embeddings.word_embeddings;
                tied_head(words, Some(head.bias.val())).forward(transformed)
            }
        }
    }
}

impl PretrainedModel for SequenceClassifier {
    type Config = EncoderConfig;
    type Input = EncoderInput;

    fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        Self::skeleton(config, device)
    }
    fn keys(config: &EncoderConfig) -> &'static KeyTable {
        match config.family {
            Family::Bert => &keys::BERT_CLASSIFIER,
            Family::DistilBert => &distilbert::DISTILBERT_CLASSIFIER,
            Family::Roberta => &keys::ROBERTA_CLASSIFIER,
            Family::XlmRoberta => &keys::XLM_ROBERTA_CLASSIFIER,
            Family::Camembert => &keys::CAMEMBERT_CLASSIFIER,
        }
    }
    fn config(&self) -> &EncoderConfig {
        self.config()
    }
    fn logits(&self, input: EncoderInput) -> TensorData {
        self.forward(input).into_data()
    }
}

impl PretrainedModel for MaskedLanguageModel {
    type Config = EncoderConfig;
    type Input = EncoderInput;

    fn skeleton(config: &EncoderConfig, device: &Device) -> Self {
        Self::skeleton(config, device)
    }
    fn keys(config: &EncoderConfig) -> &'static KeyTable {
        match config.family {
            // This is unreachable for DistilBERT, since `check_config` refuses it.
            Family::Bert | Family::DistilBert => &keys::BERT_MASKED_LM,
            Family::Roberta => &keys::ROBERTA_MASKED_LM,
            Family::XlmRoberta => &keys::XLM_ROBERTA_MASKED_LM,
            Family::Camembert => &keys::CAMEMBERT_MASKED_LM,
        }
    }
    fn config(&self) -> &EncoderConfig {
        self.config()
    }
    fn check_config(config: &EncoderConfig, path: &Path) -> Result<(), ModelError> {
        if config.family == Family::DistilBert {
            let expected = "another family, since asym supports DistilBERT only as a sequence classifier";
            return Err(refuse(path, "model_type", expected, "`distilbert`"));
        }
        Ok(())
    }
    fn logits(&self, input: EncoderInput) -> TensorData {
        self.forward(input).into_data()
    }
}
