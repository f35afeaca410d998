//! BART: an encoder and a decoder of post-norm blocks, with a language-model or a classification head.
//!
//! Sources: Lewis et al., 2020 (arXiv:1910.13461); `modeling_bart.py` of transformers 5.23. Fields have the names of the
//! checkpoint's keys.

use asym_core::{AdaptedEmbedding, AdaptedLinear};
use asym_kernels::{Heads, Kept, dropout, layer_norm, residual_norm};
use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::blocks::{Seen, tied_head, zero_embedding, zero_linear, zero_linear_with};
use crate::cache::KeyValueCache;
use crate::inputs::{ATTENTION_MASK, INPUT_IDS, InputFile, ModelInput, check_ids, check_length, check_some};
use crate::{Activation, KeyTable, ModelError, PretrainedModel};

mod config;
mod decode;
mod packed;

pub use config::{BartConfig, HuggingFaceConfig, Stack};
pub use decode::BartDecoder;

/// The entries that the tables of both BART models share.
const KEYS: KeyTable = KeyTable {
    base: ("model", &["shared", "encoder", "decoder"]),
    // Files on the Hub contain the word embedding under up to four names.
    tied: &[(
        "model.shared.weight",
        &["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"],
    )],
    // transformers 4 unties only the head, so the encoder and the decoder still share `model.shared`.
    instead: &[
        ("model.encoder.embed_tokens.weight", "model.shared.weight"),
        ("model.decoder.embed_tokens.weight", "model.shared.weight"),
    ],
    vocabulary: &["model.shared", "model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"],
    buffers: &["encoder.version", "decoder.version"],
    ..KeyTable::EMPTY
};

/// `BartForConditionalGeneration`.
pub const BART_LANGUAGE_MODEL: KeyTable = KeyTable {
    architecture: "BartForConditionalGeneration",
    head: &["final_logits_bias", "lm_head"],
    dropped: &["classification_head"],
    ..KEYS
};

/// `BartForSequenceClassification`.
pub const BART_CLASSIFIER: KeyTable = KeyTable {
    architecture: "BartForSequenceClassification",
    head: &["classification_head"],
    task_head: &["classification_head"],
    dropped: &["final_logits_bias", "lm_head"],
    ..KEYS
};

/// The number of unused rows at the start of the position tables.
const POSITION_OFFSET: usize = 2;

/// The epsilon that is added to the variance in LayerNorm. BART has no setting for it and uses PyTorch's default.
const EPSILON: f64 = 1e-5;

const DECODER_INPUT_IDS: &str = "decoder_input_ids";
const DECODER_ATTENTION_MASK: &str = "decoder_attention_mask";

/// A batch for the encoder and the decoder.
#[derive(Debug, Clone)]
pub struct BartInput {
    /// The encoder's token ids, `[batch, length]`.
    pub input_ids: Tensor<2, Int>,
    /// 1 for tokens and 0 for padding, `[batch, length]`. If it is `None`, there is no padding.
    pub attention_mask: Option<Tensor<2, Int>>,
    /// The decoder's token ids, `[batch, decoder length]`. If it is `None`, they are the start token and `input_ids`
    /// without the last column.
    pub decoder_input_ids: Option<Tensor<2, Int>>,
    /// The mask of the decoder's tokens, like `attention_mask`.
    pub decoder_attention_mask: Option<Tensor<2, Int>>,
}

impl ModelInput for BartInput {
    type Config = BartConfig;

    fn read(file: &mut InputFile, device: &Device) -> Result<Self, ModelError> {
        let input_ids = file.ids(INPUT_IDS, device)?.ok_or_else(|| file.missing(INPUT_IDS))?;
        let attention_mask = file.ids_like(ATTENTION_MASK, (INPUT_IDS, &input_ids), device)?;
        let decoder_input_ids = file.ids(DECODER_INPUT_IDS, device)?;
        let like = decoder_input_ids.as_ref().map_or((INPUT_IDS, &input_ids), |ids| (DECODER_INPUT_IDS, ids));
        let decoder_attention_mask = file.ids_like(DECODER_ATTENTION_MASK, like, device)?;
        Ok(Self { input_ids, attention_mask, decoder_input_ids, decoder_attention_mask })
    }

    fn check(&self, config: &BartConfig) -> Result<(), ModelError> {
        let shape @ [batch, length] = self.input_ids.dims();
        check_some(INPUT_IDS, shape)?;
        check_ids(INPUT_IDS, &self.input_ids, (INPUT_IDS, shape), config.vocab_size)?;
        check_length(INPUT_IDS, length, config.max_position_embeddings)?;
        if let Some(mask) = &self.attention_mask {
            check_ids(ATTENTION_MASK, mask, (INPUT_IDS, shape), 2)?;
        }
        let (name, decoder_shape) = match &self.decoder_input_ids {
            Some(ids) => {
                let shape @ [_, length] = ids.dims();
                check_some(DECODER_INPUT_IDS, shape)?;
                check_ids(DECODER_INPUT_IDS, ids, (INPUT_IDS, [batch, length]), config.vocab_size)?;
                check_length(DECODER_INPUT_IDS, length, config.max_position_embeddings)?;
                (DECODER_INPUT_IDS, shape)
            }
            None => (INPUT_IDS, shape),
        };
        if let Some(mask) = &self.decoder_attention_mask {
            check_ids(DECODER_ATTENTION_MASK, mask, (name, decoder_shape), 2)?;
        }
        Ok(())
    }
}

/// The encoder and the decoder, without a head.
#[derive(Module, Debug)]
pub struct Bart {
    /// The word embedding that the encoder and the decoder share. Absent if each has its own.
    shared: Option<AdaptedEmbedding>,
    encoder: Encoder,
    decoder: Decoder,
    #[module(skip)]
    config: BartConfig,
}

#[derive(Module, Debug)]
struct Encoder {
    embed_tokens: Option<AdaptedEmbedding>,
    embed_positions: AdaptedEmbedding,
    layers: Vec<EncoderBlock>,
    layernorm_embedding: LayerNorm,
    dropout: Dropout,
}

#[derive(Module, Debug)]
struct Decoder {
    embed_tokens: Option<AdaptedEmbedding>,
    embed_positions: AdaptedEmbedding,
    layers: Vec<DecoderBlock>,
    layernorm_embedding: LayerNorm,
    dropout: Dropout,
}

#[derive(Module, Debug)]
struct EncoderBlock {
    self_attn: Attention,
    self_attn_layer_norm: LayerNorm,
    fc1: AdaptedLinear,
    fc2: AdaptedLinear,
    final_layer_norm: LayerNorm,
    dropout: Dropout,
    activation_dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

#[derive(Module, Debug)]
struct DecoderBlock {
    self_attn: Attention,
    self_attn_layer_norm: LayerNorm,
    encoder_attn: Attention,
    encoder_attn_layer_norm: LayerNorm,
    fc1: AdaptedLinear,
    fc2: AdaptedLinear,
    final_layer_norm: LayerNorm,
    dropout: Dropout,
    activation_dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

#[derive(Module, Debug)]
struct Attention {
    k_proj: AdaptedLinear,
    v_proj: AdaptedLinear,
    q_proj: AdaptedLinear,
    out_proj: AdaptedLinear,
    dropout: Dropout,
    #[module(skip)]
    heads: Heads,
}

/// The encoder's last hidden state, projected to the keys and values of each block of the decoder.
#[derive(Debug, Clone)]
struct Memory {
    keys_and_values: Vec<(Tensor<3>, Tensor<3>)>,
    /// The encoder tokens that each decoder token attends to.
    seen: Seen,
}

impl Bart {
    /// Create a model with lazy parameters, which are initialized when they are first read. `config` must be valid.
    fn skeleton(config: &BartConfig, device: &Device) -> Self {
        let width = config.d_model;
        let norm = || LayerNormConfig::new(width).with_epsilon(EPSILON).init(device);
        let dropout = |p: f64| DropoutConfig::new(p).init();
        let embedding = || zero_embedding(config.vocab_size, width, device);
        let own = || (!config.tie_word_embeddings).then(embedding);
        let positions = || zero_embedding(config.max_position_embeddings + POSITION_OFFSET, width, device);
        let attention = |heads, causal| Attention {
            k_proj: zero_linear(width, width, device),
            v_proj: zero_linear(width, width, device),
            q_proj: zero_linear(width, width, device),
            out_proj: zero_linear(width, width, device),
            dropout: dropout(config.attention_dropout),
            heads: Heads { causal, ..Heads::new(heads) },
        };
        let encoder_block = |stack: Stack| EncoderBlock {
            self_attn: attention(stack.heads, false),
            self_attn_layer_norm: norm(),
            fc1: zero_linear(width, stack.ffn_dim, device),
            fc2: zero_linear(stack.ffn_dim, width, device),
            final_layer_norm: norm(),
            dropout: dropout(config.dropout),
            activation_dropout: dropout(config.activation_dropout),
            activation: config.activation,
        };
        let decoder_block = |stack: Stack| DecoderBlock {
            self_attn: attention(stack.heads, true),
            self_attn_layer_norm: norm(),
            encoder_attn: attention(stack.heads, false),
            encoder_attn_layer_norm: norm(),
            fc1: zero_linear(width, stack.ffn_dim, device),
            fc2: zero_linear(stack.ffn_dim, width, device),
            final_layer_norm: norm(),
            dropout: dropout(config.dropout),
            activation_dropout: dropout(config.activation_dropout),
            activation: config.activation,
        };
        Self {
            shared: config.tie_word_embeddings.then(embedding),
            encoder: Encoder {
                embed_tokens: own(),
                embed_positions: positions(),
                layers: (0..config.encoder.layers).map(|_| encoder_block(config.encoder)).collect(),
                layernorm_embedding: norm(),
                dropout: dropout(config.dropout),
            },
            decoder: Decoder {
                embed_tokens: own(),
                embed_positions: positions(),
                layers: (0..config.decoder.layers).map(|_| decoder_block(config.decoder)).collect(),
                layernorm_embedding: norm(),
                dropout: dropout(config.dropout),
            },
            config: config.clone(),
        }
    }

    /// The encoder's last hidden state.
    ///
    /// # Shapes
    ///
    /// - `input_ids`, `attention_mask`: `[batch, length]`
    /// - output: `[batch, length, d_model]`
    pub fn encode(&self, input_ids: Tensor<2, Int>, attention_mask: Option<Tensor<2, Int>>) -> Tensor<3> {
        let [_, length] = input_ids.dims();
        let positions = positions_from(&self.encoder.embed_positions, 0, length);
        let hidden = self.encoder_input(input_ids, positions);
        let seen = Seen::masked(attention_mask, &hidden);
        self.encoder_blocks(hidden, &seen)
    }

    /// The decoder's last hidden state.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, decoder length, d_model]`
    pub fn forward(&self, input: BartInput) -> Tensor<3> {
        let BartInput { input_ids, attention_mask, decoder_input_ids, decoder_attention_mask } = input;
        let decoder_input_ids = decoder_input_ids.unwrap_or_else(|| self.moved_right(input_ids.clone()));
        let encoded = self.encode(input_ids, attention_mask.clone());
        let memory = self.memory(encoded, attention_mask);
        self.decode(decoder_input_ids, decoder_attention_mask, &memory, None)
    }

    /// The keys and values that the decoder's blocks compute from the encoder's state of a padded batch.
    fn memory(&self, encoded: Tensor<3>, attention_mask: Option<Tensor<2, Int>>) -> Memory {
        let seen = Seen::masked(attention_mask, &encoded);
        self.memory_seen(&encoded, seen)
    }

    fn memory_seen(&self, encoded: &Tensor<3>, seen: Seen) -> Memory {
        let of_block = |block: &DecoderBlock| block.encoder_attn.keys_and_values(encoded.clone());
        Memory { keys_and_values: self.decoder.layers.iter().map(of_block).collect(), seen }
    }

    /// The decoder's last hidden state. If `caches` are given, one for each block, the tokens follow those in the caches.
    fn decode(
        &self,
        input_ids: Tensor<2, Int>,
        attention_mask: Option<Tensor<2, Int>>,
        memory: &Memory,
        caches: Option<&mut [KeyValueCache]>,
    ) -> Tensor<3> {
        let before = caches.as_ref().and_then(|caches| caches.first()).map_or(0, KeyValueCache::len);
        let [_, length] = input_ids.dims();
        let positions = positions_from(&self.decoder.embed_positions, before, length);
        let hidden = self.decoder_input(input_ids, positions);
        let seen = Seen::masked(attention_mask, &hidden);
        self.decoder_blocks(hidden, &seen, memory, caches)
    }

    fn encoder_blocks(&self, mut hidden: Tensor<3>, seen: &Seen) -> Tensor<3> {
        for block in &self.encoder.layers {
            hidden = block.forward(hidden, seen);
        }
        hidden
    }

    fn decoder_blocks(
        &self,
        mut hidden: Tensor<3>,
        seen: &Seen,
        memory: &Memory,
        mut caches: Option<&mut [KeyValueCache]>,
    ) -> Tensor<3> {
        for (index, (block, encoded)) in self.decoder.layers.iter().zip(&memory.keys_and_values).enumerate() {
            let cache = caches.as_deref_mut().and_then(|caches| caches.get_mut(index));
            hidden = block.forward(hidden, seen, encoded, &memory.seen, cache);
        }
        hidden
    }

    /// The input of the encoder's first block: the normalized sum of the embeddings of words and positions.
    fn encoder_input(&self, ids: Tensor<2, Int>, positions: Tensor<3>) -> Tensor<3> {
        let Encoder { embed_tokens, layernorm_embedding, dropout: drop, .. } = &self.encoder;
        let embedded = self.words(embed_tokens.as_ref(), ids) + positions;
        dropout(drop, layer_norm(layernorm_embedding, EPSILON, embedded, Kept::Exact))
    }

    /// The input of the decoder's first block, computed like that of the encoder.
    fn decoder_input(&self, ids: Tensor<2, Int>, positions: Tensor<3>) -> Tensor<3> {
        let Decoder { embed_tokens, layernorm_embedding, dropout: drop, .. } = &self.decoder;
        let embedded = self.words(embed_tokens.as_ref(), ids) + positions;
        dropout(drop, layer_norm(layernorm_embedding, EPSILON, embedded, Kept::Exact))
    }

    /// The word embeddings, from the table `own` if there is one, or else from the shared table.
    fn words(&self, own: Option<&AdaptedEmbedding>, ids: Tensor<2, Int>) -> Tensor<3> {
        let Some(table) = own.or(self.shared.as_ref()) else { unreachable!("a word embedding is shared or own") };
        let embedded = table.forward(ids);
        if self.config.scale_embedding { embedded * (self.config.d_model as f64).sqrt() } else { embedded }
    }

    /// The start token, followed by all columns of `ids` except the last, as in `shift_tokens_right` of transformers.
    fn moved_right(&self, ids: Tensor<2, Int>) -> Tensor<2, Int> {
        let [batch, length] = ids.dims();
        let start = Tensor::full([batch, 1], self.config.decoder_start_token_id as i64, &ids.device());
        Tensor::cat(vec![start, ids.slice([0..batch, 0..length - 1])], 1)
    }
}

/// The embeddings of `length` positions, starting at position `before`: `[1, length, d_model]`. They are the same for
/// every row.
fn positions_from(positions: &AdaptedEmbedding, before: usize, length: usize) -> Tensor<3> {
    positions.rows(POSITION_OFFSET + before..POSITION_OFFSET + before + length).unsqueeze()
}

impl EncoderBlock {
    fn forward(&self, hidden: Tensor<3>, seen: &Seen) -> Tensor<3> {
        let kept = self.fc1.kept();
        let (key, value) = self.self_attn.keys_and_values(hidden.clone());
        let attended = self.self_attn.forward(hidden.clone(), key, value, seen);
        let hidden = residual_norm(&self.self_attn_layer_norm, EPSILON, &self.dropout, attended, hidden, kept);
        let inside = self.activation.forward_keeping(self.fc1.forward(hidden.clone()), kept); // [batch, length, ffn_dim]
        let output = self.fc2.forward(dropout(&self.activation_dropout, inside));
        residual_norm(&self.final_layer_norm, EPSILON, &self.dropout, output, hidden, kept)
    }
}

impl DecoderBlock {
    fn forward(
        &self,
        hidden: Tensor<3>,
        seen: &Seen,
        (encoded_key, encoded_value): &(Tensor<3>, Tensor<3>),
        encoded_seen: &Seen,
        cache: Option<&mut KeyValueCache>,
    ) -> Tensor<3> {
        let kept = self.fc1.kept();
        let (key, value) = self.self_attn.keys_and_values(hidden.clone());
        let (key, value) = match cache {
            Some(cache) => cache.append(key, value),
            None => (key, value),
        };
        let attended = self.self_attn.forward(hidden.clone(), key, value, seen);
        let hidden = residual_norm(&self.self_attn_layer_norm, EPSILON, &self.dropout, attended, hidden, kept);

        let (key, value) = (encoded_key.clone(), encoded_value.clone());
        let attended = self.encoder_attn.forward(hidden.clone(), key, value, encoded_seen);
        let hidden = residual_norm(&self.encoder_attn_layer_norm, EPSILON, &self.dropout, attended, hidden, kept);

        let inside = self.activation.forward_keeping(self.fc1.forward(hidden.clone()), kept); // [batch, length, ffn_dim]
        let output = self.fc2.forward(dropout(&self.activation_dropout, inside));
        residual_norm(&self.final_layer_norm, EPSILON, &self.dropout, output, hidden, kept)
    }
}

impl Attention {
    fn keys_and_values(&self, hidden: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        (self.k_proj.forward(hidden.clone()), self.v_proj.forward(hidden))
    }

    fn forward(&self, queries: Tensor<3>, key: Tensor<3>, value: Tensor<3>, seen: &Seen) -> Tensor<3> {
        let query = self.q_proj.forward(queries);
        let attended = seen.attend([query, key, value], self.heads, &self.dropout, self.q_proj.kept());
        self.out_proj.forward(attended)
    }
}

/// `BartForConditionalGeneration`.
#[derive(Module, Debug)]
pub struct BartLanguageModel {
    model: Bart,
    /// Absent if the head is tied to the word embedding.
    lm_head: Option<AdaptedLinear>,
    /// The bias of the logits, `[1, vocab_size]`. It comes from the checkpoint and is not trained.
    final_logits_bias: Param<Tensor<2>>,
}

impl BartLanguageModel {
    /// The logits of the token that follows each decoder token.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, decoder length, vocab_size]`
    ///
    /// # Panics
    ///
    /// May panic on a batch that [`check_input`](crate::check_input) refuses.
    pub fn forward(&self, input: BartInput) -> Tensor<3> {
        self.head(self.model.forward(input))
    }

    /// The logits of the tokens that follow the decoder tokens at `positions`. In training, these are the positions that
    /// have a label.
    ///
    /// Logits at other positions are not computed. On the host, padding is not computed either.
    ///
    /// # Shapes
    ///
    /// - positions: `[count]`, each `row · decoder length + column`
    /// - output: `[count, vocab_size]`
    ///
    /// # Panics
    ///
    /// In the same cases as [`forward`](Self::forward). Also panics if a position is outside the batch.
    pub fn forward_at(&self, input: BartInput, positions: Tensor<1, Int>) -> Tensor<2> {
        self.head(self.model.states_at(input, positions))
    }

    /// The model below the head.
    pub fn backbone(&self) -> &Bart {
        &self.model
    }

    fn head<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        let bias = self.final_logits_bias.val().reshape([self.model.config.vocab_size]);
        match (&self.lm_head, &self.model.shared) {
            (Some(head), _) => head.forward(hidden) + bias.unsqueeze(),
            (None, Some(shared)) => tied_head(shared, Some(bias)).forward(hidden),
            (None, None) => unreachable!("a model without a shared embedding has a head"),
        }
    }
}

/// `BartForSequenceClassification`: a classifier of the decoder's state at the last end-of-sequence token.
#[derive(Module, Debug)]
pub struct BartClassifier {
    model: Bart,
    classification_head: ClassificationHead,
}

#[derive(Module, Debug)]
struct ClassificationHead {
    dense: AdaptedLinear,
    dropout: Dropout,
    out_proj: AdaptedLinear,
}

impl BartClassifier {
    /// The logits of each sequence.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, labels]`
    ///
    /// # Panics
    ///
    /// May panic on a batch that [`PretrainedModel::check_input`] refuses. Every row must contain the end-of-sequence
    /// token, and all rows must contain it the same number of times.
    pub fn forward(&self, input: BartInput) -> Tensor<2> {
        let [batch, length] = input.input_ids.dims();
        let ends = input.input_ids.clone().equal_elem(self.model.config.eos_token_id as i64).int();
        let device = ends.device();
        let columns = Tensor::<1, Int>::arange(0..length as i64, &device).unsqueeze::<2>();
        let last = (ends * columns).max_dim(1).reshape([batch]);
        let starts = Tensor::<1, Int>::arange(0..batch as i64, &device).mul_scalar(length as i64);
        let chosen = self.model.states_at(input, starts + last); // [batch, d_model]
        let head = &self.classification_head;
        let dense = head.dense.forward(head.dropout.forward(chosen)).tanh();
        head.out_proj.forward(head.dropout.forward(dense))
    }

    /// The model below the head.
    pub fn backbone(&self) -> &Bart {
        &self.model
    }
}

impl PretrainedModel for BartLanguageModel {
    type Config = BartConfig;
    type Input = BartInput;

    fn skeleton(config: &BartConfig, device: &Device) -> Self {
        let head = || zero_linear_with(config.d_model, config.vocab_size, false, device);
        let bias: Param<Tensor<2>> = Initializer::Zeros.init([1, config.vocab_size], device);
        Self {
            model: Bart::skeleton(config, device),
            lm_head: (!config.tie_word_embeddings).then(head),
            final_logits_bias: bias.set_require_grad(false),
        }
    }
    fn keys(_config: &BartConfig) -> &'static KeyTable {
        &BART_LANGUAGE_MODEL
    }
    fn config(&self) -> &BartConfig {
        &self.model.config
    }
    fn logits(&self, input: BartInput) -> TensorData {
        self.forward(input).into_data()
    }
}

impl PretrainedModel for BartClassifier {
    type Config = BartConfig;
    type Input = BartInput;

    fn skeleton(config: &BartConfig, device: &Device) -> Self {
        let dropout = DropoutConfig::new(config.classifier_dropout).init();
        let head = ClassificationHead {
            dense: zero_linear(config.d_model, config.d_model, device),
            dropout,
            out_proj: zero_linear(config.d_model, config.labels.len(), device),
        };
        Self { model: Bart::skeleton(config, device), classification_head: head }
    }
    fn keys(_config: &BartConfig) -> &'static KeyTable {
        &BART_CLASSIFIER
    }
    fn config(&self) -> &BartConfig {
        &self.model.config
    }
    fn check_input(input: &BartInput, config: &BartConfig) -> Result<(), ModelError> {
        input.check(config)?;
        let [_, length] = input.input_ids.dims();
        let ids: Vec<i64> = input.input_ids.to_data().iter::<i64>().collect();
        let ends = ids.chunks(length).map(|row| row.iter().filter(|id| **id == config.eos_token_id as i64).count());
        let ends: Vec<usize> = ends.collect();
        match ends.iter().position(|count| *count == 0 || *count != ends[0]) {
            Some(row) => {
                let expected =
                    format!("eos_token_id {} at least once, and equally often in all rows", config.eos_token_id);
                let found = format!("{} times in row {row}, {} times in row 0", ends[row], ends[0]);
                Err(ModelError::Input { key: INPUT_IDS, expected, found })
            }
            None => Ok(()),
        }
    }
    fn logits(&self, input: BartInput) -> TensorData {
        self.forward(input).into_data()
    }
}
