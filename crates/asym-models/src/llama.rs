//! Llama: a causal decoder with RMSNorm, rotary position embeddings, and a gated feed-forward layer.
//!
//! Sources: Touvron et al., 2023 (arXiv:2307.09288); `modeling_llama.py` of transformers 5.23. Fields have the names of the
//! checkpoint's keys.

use asym_core::{AdaptedEmbedding, AdaptedLinear};
use asym_kernels::{Heads, Kept, Rotation, gated_silu, rms_norm, rotary};
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::blocks::{Seen, rows, tied_head, zero_embedding, zero_linear_with};
use crate::cache::KeyValueCache;
use crate::inputs::{ATTENTION_MASK, INPUT_IDS, InputFile, ModelInput, check_ids, check_length, check_some};
use crate::packing::{Packing, places};
use crate::{Activation, KeyTable, ModelError, PretrainedModel};

mod classifier;
mod config;
mod decode;
mod rope;
mod score;

pub use classifier::{LLAMA_CLASSIFIER, LlamaClassifier};
pub use config::{HuggingFaceConfig, LlamaConfig};
pub use decode::LlamaDecoder;
pub use rope::RopeScaling;
pub use score::LlamaScorer;

/// `LlamaForCausalLM`.
pub const LLAMA_LANGUAGE_MODEL: KeyTable = KeyTable {
    architecture: "LlamaForCausalLM",
    head: &["lm_head"],
    // Old files store the frequencies of the rotation.
    buffers: &["rotary_emb.inv_freq"],
    base: ("model", &["embed_tokens", "layers", "norm"]),
    tied: &[("model.embed_tokens.weight", &["lm_head.weight"])],
    vocabulary: &["model.embed_tokens", "lm_head"],
    ..KeyTable::EMPTY
};

/// A batch for a causal language model.
#[derive(Debug, Clone)]
pub struct LlamaInput {
    /// Token ids, `[batch, length]`.
    pub input_ids: Tensor<2, Int>,
    /// 1 for tokens and 0 for padding, which may be on either side, `[batch, length]`. If it is `None`, there is no padding.
    pub attention_mask: Option<Tensor<2, Int>>,
}

impl ModelInput for LlamaInput {
    type Config = LlamaConfig;

    fn read(file: &mut InputFile, device: &Device) -> Result<Self, ModelError> {
        let input_ids = file.ids(INPUT_IDS, device)?.ok_or_else(|| file.missing(INPUT_IDS))?;
        let attention_mask = file.ids_like(ATTENTION_MASK, (INPUT_IDS, &input_ids), device)?;
        Ok(Self { input_ids, attention_mask })
    }

    fn check(&self, config: &LlamaConfig) -> Result<(), ModelError> {
        let shape @ [_, length] = self.input_ids.dims();
        check_some(INPUT_IDS, shape)?;
        check_ids(INPUT_IDS, &self.input_ids, (INPUT_IDS, shape), config.vocab_size)?;
        let longest = match &self.attention_mask {
            Some(mask) => {
                let mask = check_ids(ATTENTION_MASK, mask, (INPUT_IDS, shape), 2)?;
                mask.chunks(length).map(|row| row.iter().sum::<i64>() as usize).max().unwrap_or(0)
            }
            None => length,
        };
        check_length(INPUT_IDS, longest, config.max_position_embeddings)
    }
}

/// The embedding, the blocks and the final norm.
#[derive(Module, Debug)]
pub struct Llama {
    embed_tokens: AdaptedEmbedding,
    layers: Vec<Block>,
    norm: RmsNorm,
    #[module(skip)]
    config: LlamaConfig,
}

#[derive(Module, Debug)]
struct Block {
    self_attn: Attention,
    mlp: Mlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

#[derive(Module, Debug)]
struct Attention {
    q_proj: AdaptedLinear,
    k_proj: AdaptedLinear,
    v_proj: AdaptedLinear,
    o_proj: AdaptedLinear,
    dropout: Dropout,
    #[module(skip)]
    heads: Heads,
}

#[derive(Module, Debug)]
struct Mlp {
    gate_proj: AdaptedLinear,
    up_proj: AdaptedLinear,
    down_proj: AdaptedLinear,
    #[module(skip)]
    activation: Activation,
}

/// The information about the tokens of a batch that every block needs.
struct Places {
    rotation: Rotation,
    seen: Seen,
}

impl Llama {
    /// Create a model with lazy parameters, which are initialized when they are first read. `config` must be valid.
    fn skeleton(config: &LlamaConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let norm = || RmsNormConfig::new(hidden).with_epsilon(config.rms_norm_eps).init(device);
        let inside = config.num_attention_heads * config.head_dim;
        let shared = config.num_key_value_heads * config.head_dim;
        let of_attention = |input, output| zero_linear_with(input, output, config.attention_bias, device);
        let of_mlp = |input, output| zero_linear_with(input, output, config.mlp_bias, device);
        let block = || Block {
            self_attn: Attention {
                q_proj: of_attention(hidden, inside),
                k_proj: of_attention(hidden, shared),
                v_proj: of_attention(hidden, shared),
                o_proj: of_attention(inside, hidden),
                dropout: DropoutConfig::new(config.attention_dropout).init(),
                heads: Heads { query: config.num_attention_heads, key_value: config.num_key_value_heads, causal: true },
            },
            mlp: Mlp {
                gate_proj: of_mlp(hidden, config.intermediate_size),
                up_proj: of_mlp(hidden, config.intermediate_size),
                down_proj: of_mlp(config.intermediate_size, hidden),
                activation: config.activation,
            },
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        };
        Self {
            embed_tokens: zero_embedding(config.vocab_size, hidden, device),
            layers: (0..config.num_hidden_layers).map(|_| block()).collect(),
            norm: norm(),
            config: config.clone(),
        }
    }

    /// The last hidden state, after the final norm.
    ///
    /// Positions include padding, since attention depends only on the distances between positions.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, length, hidden_size]`
    pub fn forward(&self, input: LlamaInput) -> Tensor<3> {
        let LlamaInput { input_ids, attention_mask } = input;
        let [_, length] = input_ids.dims();
        let positions = Tensor::arange(0..length as i64, &input_ids.device()).unsqueeze();
        let hidden = self.embed_tokens.forward(input_ids);
        let seen = Seen::masked(attention_mask, &hidden);
        self.run(hidden, &Places { rotation: self.rotation(positions), seen }, None)
    }

    /// The last hidden states of the tokens at `positions`, each `row · length + column`: `[count, hidden_size]`.
    ///
    /// On the host, padding is not computed.
    fn states_at(&self, input: LlamaInput, positions: Tensor<1, Int>) -> Tensor<2> {
        let packed = Packing::of(input.attention_mask.as_ref()).and_then(|packing| {
            let wanted = packing.find(places(&positions))?;
            Some((packing, wanted))
        });
        let Some((packing, wanted)) = packed else {
            return rows(self.forward(input)).select(0, positions);
        };
        let hidden = self.embed_tokens.forward(packing.tokens(&input.input_ids));
        let seen = Seen::Sequences(packing.sequences().clone());
        let places = Places { rotation: self.rotation(packing.columns()), seen };
        rows(self.run(hidden, &places, None)).select(0, wanted)
    }

    /// Run the blocks and the final norm. If `caches` are given, one for each block, the tokens follow those in the caches.
    fn run(&self, mut hidden: Tensor<3>, places: &Places, mut caches: Option<&mut [KeyValueCache]>) -> Tensor<3> {
        for (index, block) in self.layers.iter().enumerate() {
            hidden = block.forward(hidden, places, caches.as_deref_mut().and_then(|caches| caches.get_mut(index)));
        }
        normalize(&self.norm, hidden, Kept::Exact)
    }

    /// The cosines and sines of the angles of every position, in f32: `[batch or 1, length, head_dim / 2]`.
    fn rotation(&self, positions: Tensor<2, Int>) -> Rotation {
        let LlamaConfig { head_dim, rope_theta, rope_scaling, .. } = self.config;
        let frequencies = rope::frequencies(head_dim, rope_theta, rope_scaling);
        let device = positions.device();
        let shape = [1, 1, frequencies.len()];
        let frequencies = Tensor::<3>::from_data(TensorData::new(frequencies, shape), (&device, DType::F32));
        let angles = positions.float().cast(DType::F32).unsqueeze_dim::<3>(2) * frequencies;
        Rotation { cos: angles.clone().cos(), sin: angles.sin() }
    }
}

/// RMSNorm with statistics in f32. The output has the dtype of `hidden`.
fn normalize(norm: &RmsNorm, hidden: Tensor<3>, kept: Kept) -> Tensor<3> {
    rms_norm(norm.gamma.val(), norm.epsilon, hidden, kept)
}

impl Block {
    fn forward(&self, hidden: Tensor<3>, places: &Places, cache: Option<&mut KeyValueCache>) -> Tensor<3> {
        let kept = self.mlp.gate_proj.kept();
        let attended = self.self_attn.forward(normalize(&self.input_layernorm, hidden.clone(), kept), places, cache);
        let hidden = hidden + attended;
        let inside = self.mlp.forward(normalize(&self.post_attention_layernorm, hidden.clone(), kept));
        hidden + inside
    }
}

impl Attention {
    fn forward(&self, hidden: Tensor<3>, places: &Places, cache: Option<&mut KeyValueCache>) -> Tensor<3> {
        let query = rotary(self.q_proj.forward(hidden.clone()), self.heads.query, &places.rotation);
        let key = rotary(self.k_proj.forward(hidden.clone()), self.heads.key_value, &places.rotation);
        let value = self.v_proj.forward(hidden);
        let (key, value) = match cache {
            Some(cache) => cache.append(key, value),
            None => (key, value),
        };
        let attended = places.seen.attend([query, key, value], self.heads, &self.dropout, self.q_proj.kept());
        self.o_proj.forward(attended)
    }
}

impl Mlp {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let gate = self.gate_proj.forward(hidden.clone()); // [batch, length, intermediate]
        let up = self.up_proj.forward(hidden);
        self.down_proj.forward(match self.activation {
            Activation::Silu => gated_silu(gate, up, self.gate_proj.kept()),
            other => other.forward(gate) * up,
        })
    }
}

/// `LlamaForCausalLM`.
#[derive(Module, Debug)]
pub struct LlamaLanguageModel {
    model: Llama,
    /// Absent if the head is tied to the word embedding.
    lm_head: Option<AdaptedLinear>,
}

impl LlamaLanguageModel {
    /// The logits of the token that follows each token.
    ///
    /// # Shapes
    ///
    /// - output: `[batch, length, vocab_size]`
    ///
    /// # Panics
    ///
    /// May panic on a batch that [`check_input`](crate::check_input) refuses.
    pub fn forward(&self, input: LlamaInput) -> Tensor<3> {
        self.head(self.model.forward(input))
    }

    /// The logits of the tokens that follow the tokens at `positions`. In training, these are the positions whose next
    /// token has a label.
    ///
    /// Logits at other positions are not computed. On the host, padding is not computed either.
    ///
    /// # Shapes
    ///
    /// - positions: `[count]`, each `row · length + column`
    /// - output: `[count, vocab_size]`
    ///
    /// # Panics
    ///
    /// In the same cases as [`forward`](Self::forward). Also panics if a position is outside the batch.
    pub fn forward_at(&self, input: LlamaInput, positions: Tensor<1, Int>) -> Tensor<2> {
        self.head(self.model.states_at(input, positions))
    }

    /// The model below the head.
    pub fn backbone(&self) -> &Llama {
        &self.model
    }

    fn head<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => tied_head(&self.model.embed_tokens, None).forward(hidden),
        }
    }
}

impl PretrainedModel for LlamaLanguageModel {
    type Config = LlamaConfig;
    type Input = LlamaInput;

    fn skeleton(config: &LlamaConfig, device: &Device) -> Self {
        let head = || zero_linear_with(config.hidden_size, config.vocab_size, false, device);
        Self { model: Llama::skeleton(config, device), lm_head: (!config.tie_word_embeddings).then(head) }
    }
    fn keys(_config: &LlamaConfig) -> &'static KeyTable {
        &LLAMA_LANGUAGE_MODEL
    }
    fn config(&self) -> &LlamaConfig {
        &self.model.config
    }
    fn logits(&self, input: LlamaInput) -> TensorData {
        self.forward(input).into_data()
    }
}
