//! Text generation for a batch with the language models of this crate.

use std::borrow::Cow;

use burn::tensor::{Int, Tensor, TensorData};

use crate::bart::{BartConfig, BartDecoder, BartInput, BartLanguageModel};
use crate::config::Config;
use crate::decode::Prompts;
use crate::generation::{Generated, Generation, GenerationConfig, GenerationError, NextToken, generate};
use crate::llama::{LlamaConfig, LlamaDecoder, LlamaInput, LlamaLanguageModel};
use crate::{Checkpoint, ModelError, PretrainedModel};

/// A model that generates text.
pub trait GenerativeModel: PretrainedModel {
    /// The model with its state for one batch.
    type Decoder<'a>: NextToken
    where
        Self: 'a;

    /// The first tokens of each row. For a decoder-only model, these are the prompts without padding. For an
    /// encoder-decoder, these are the decoder's input ids. If the input has none, each row starts with `start` or, if it
    /// is `None`, with the configuration's `decoder_start_token_id`.
    fn prompts(config: &Self::Config, input: &Self::Input, start: Option<u32>) -> Vec<Vec<u32>>;

    /// A decoder for `input` and its `prompts`, for sequences of at most `capacity` tokens. `cached` is whether it caches
    /// keys and values.
    fn decoder(&self, input: &Self::Input, prompts: &[Vec<u32>], capacity: usize, cached: bool) -> Self::Decoder<'_>;

    /// The maximum length of a sequence, and the size of the vocabulary.
    fn limits(config: &Self::Config) -> (usize, usize);

    /// The source text of each row, without padding. This is the prompt of a decoder-only model, or the encoder's input
    /// of an encoder-decoder.
    fn sources(input: &Self::Input, prompts: &[Vec<u32>]) -> Vec<Vec<u32>>;

    /// The beginning of each sequence as transformers returns it: the prompt with its padding on either side.
    fn padded_prompts(&self, input: &Self::Input, prompts: &[Vec<u32>]) -> Vec<Vec<u32>>;
}

/// The generated texts of a batch.
#[derive(Debug, Clone)]
pub struct Sequences {
    /// The generated rows: `num_return_sequences` for each row of the batch.
    pub rows: Vec<Generated>,
    /// The beginning of each row of the batch, including its padding.
    begin: Vec<Vec<u32>>,
    /// The settings that were used.
    pub settings: Generation,
}

impl Sequences {
    /// The rows as one tensor, `[rows, length]`, like `sequences` of transformers. Each row is a row of the batch with
    /// its continuation, padded on the right.
    pub fn to_data(&self) -> TensorData {
        // With beam search, transformers treats the padding token 0 as missing and uses the first token of `eos_token_id`.
        let pad = self.settings.pad_token_id.filter(|pad| *pad != 0 || self.settings.num_beams == 1);
        let pad = pad.or(self.settings.eos_token_id.first().copied()).unwrap_or(0);
        let each = self.settings.num_return_sequences;
        let new = self.rows.iter().map(|row| row.continuation().len()).max().unwrap_or(0);
        let width = self.begin.first().map_or(0, Vec::len) + new;
        let padded = |(index, row): (usize, &Generated)| {
            let mut tokens = [self.begin[index / each].as_slice(), row.continuation()].concat();
            tokens.resize(width, pad);
            tokens.into_iter().map(i64::from)
        };
        let values: Vec<i64> = self.rows.iter().enumerate().flat_map(padded).collect();
        TensorData::new(values, [self.rows.len(), width])
    }
}

/// The prompts of a batch and the settings for them. This function makes the same checks as [`generate_batch`], but it
/// does not need a model.
///
/// # Errors
///
/// The errors of [`GenerationConfig::resolve`].
pub fn resolve_batch<M: GenerativeModel>(
    config: &M::Config,
    input: &M::Input,
    asked: &GenerationConfig,
) -> Result<(Vec<Vec<u32>>, Generation), GenerationError> {
    let prompts = M::prompts(config, input, asked.decoder_start());
    let (context, vocab_size) = M::limits(config);
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    // A row that consists only of padding cannot be continued, even if other rows are longer.
    let length = if prompts.iter().any(Vec::is_empty) { 0 } else { longest };
    let settings = asked.resolve(length, Some(context), vocab_size)?;
    Ok((prompts, settings))
}

/// Generate continuations of a batch, like `generate` of transformers.
///
/// `first` is the index of the batch's first row among the rows of all batches. The tokens that are sampled for a row
/// then do not depend on how the rows are batched. `progress` gets the number of new tokens of each unfinished row and
/// the maximum number.
///
/// The model must be on a device without autodiff: [`Module::valid`](burn::module::Module::valid).
///
/// # Errors
///
/// The errors of [`GenerationConfig::resolve`], before anything is computed. [`GenerationError::NotFinite`] if the logits
/// of a row are not finite.
pub fn generate_batch<M: GenerativeModel>(
    model: &M,
    input: &M::Input,
    config: &GenerationConfig,
    first: u64,
    progress: impl FnMut(usize, usize),
) -> Result<Sequences, GenerationError> {
    generate_until(model, input, config, first, (progress, None))
}

/// A function that decides from the text of a sequence whether its last token ends it. The arguments are the tokens of
/// the sequence and the texts in `stop_strings`.
pub type Ends<'a> = &'a dyn Fn(&[u32], &[String]) -> bool;

/// Like [`generate_batch`], for settings with `stop_strings`. `ends` finds them in the text, which requires the tokenizer.
///
/// # Errors
///
/// The errors of [`generate_batch`]. Also returns [`GenerationError::Conflict`] for `stop_strings` without `ends`.
pub fn generate_until<M: GenerativeModel>(
    model: &M,
    input: &M::Input,
    config: &GenerationConfig,
    first: u64,
    (progress, ends): (impl FnMut(usize, usize), Option<Ends<'_>>),
) -> Result<Sequences, GenerationError> {
    run(model, input, config, first, progress, (None, ends))
}

/// A function that is called with a sequence after each new token.
pub type Grown<'a> = &'a dyn Fn(&[u32]);

/// Like [`generate_until`], for output that is shown while it is generated. `grown` is called with a sequence, including
/// its prompt, after each new token. Beam search does not call it, since its rows may change.
///
/// # Errors
///
/// The errors of [`generate_until`].
pub fn generate_aloud<M: GenerativeModel>(
    model: &M,
    input: &M::Input,
    config: &GenerationConfig,
    first: u64,
    (grown, ends): (Grown<'_>, Option<Ends<'_>>),
) -> Result<Sequences, GenerationError> {
    run(model, input, config, first, |_, _| (), (Some(grown), ends))
}

/// The common part of [`generate_until`] and [`generate_aloud`].
fn run<M: GenerativeModel>(
    model: &M,
    input: &M::Input,
    config: &GenerationConfig,
    first: u64,
    mut progress: impl FnMut(usize, usize),
    (grown, ends): (Option<Grown<'_>>, Option<Ends<'_>>),
) -> Result<Sequences, GenerationError> {
    let (prompts, settings) = resolve_batch::<M>(model.config(), input, config)?;
    config.check_stop(ends.is_some())?;
    let longest = settings.prompt_length;
    let mut settings = settings.of_rows(first..first + prompts.len() as u64);
    if settings.encoder_no_repeat_ngram_size > 0 {
        settings.sources = M::sources(input, &prompts);
    }
    let most = settings.max_new_tokens;
    let decoder = model.decoder(input, &prompts, longest + most, settings.use_cache);
    let mut decoder = Stopping { decoder, ends, grown, strings: settings.stop_strings.clone() };
    let rows = generate(&mut decoder, &prompts, &settings, |done| progress(done, most))?;
    Ok(Sequences { rows, begin: model.padded_prompts(input, &prompts), settings })
}

/// A decoder that also ends rows at stop strings and reports each new token.
struct Stopping<'a, D> {
    decoder: D,
    ends: Option<Ends<'a>>,
    grown: Option<Grown<'a>>,
    strings: Vec<String>,
}

impl<D: NextToken> NextToken for Stopping<'_, D> {
    fn vocab_size(&self) -> usize {
        self.decoder.vocab_size()
    }
    fn start(&mut self) -> Vec<f32> {
        self.decoder.start()
    }
    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32> {
        self.decoder.step(rows, tokens)
    }
    fn ends(&self, tokens: &[u32]) -> bool {
        !self.strings.is_empty() && self.ends.is_some_and(|ends| ends(tokens, &self.strings))
    }
    fn grown(&self, tokens: &[u32]) {
        if let Some(grown) = self.grown {
            grown(tokens);
        }
    }
}

impl GenerativeModel for LlamaLanguageModel {
    type Decoder<'a> = LlamaDecoder<'a>;

    fn prompts(_: &LlamaConfig, input: &LlamaInput, _start: Option<u32>) -> Vec<Vec<u32>> {
        Prompts::new(&input.input_ids, input.attention_mask.as_ref()).rows().to_vec()
    }
    fn decoder(&self, _: &LlamaInput, prompts: &[Vec<u32>], capacity: usize, cached: bool) -> LlamaDecoder<'_> {
        LlamaDecoder::new(self, prompts, capacity, cached)
    }
    fn limits(config: &LlamaConfig) -> (usize, usize) {
        (config.max_position_embeddings, config.vocab_size)
    }
    fn sources(_: &LlamaInput, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        prompts.to_vec()
    }
    fn padded_prompts(&self, input: &LlamaInput, _prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        rows(&input.input_ids)
    }
}

impl GenerativeModel for BartLanguageModel {
    type Decoder<'a> = BartDecoder<'a>;

    fn prompts(config: &BartConfig, input: &BartInput, start: Option<u32>) -> Vec<Vec<u32>> {
        let [batch, _] = input.input_ids.dims();
        match &input.decoder_input_ids {
            Some(ids) => rows(ids),
            None => vec![vec![start.unwrap_or(config.decoder_start_token_id as u32)]; batch],
        }
    }
    fn decoder(&self, input: &BartInput, prompts: &[Vec<u32>], capacity: usize, cached: bool) -> BartDecoder<'_> {
        BartDecoder::new(self, input, prompts, capacity, cached)
    }
    fn limits(config: &BartConfig) -> (usize, usize) {
        (config.max_position_embeddings, config.vocab_size)
    }
    fn sources(input: &BartInput, _: &[Vec<u32>]) -> Vec<Vec<u32>> {
        Prompts::new(&input.input_ids, input.attention_mask.as_ref()).rows().to_vec()
    }
    fn padded_prompts(&self, _input: &BartInput, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        prompts.to_vec()
    }
}

fn rows(ids: &Tensor<2, Int>) -> Vec<Vec<u32>> {
    let [_, length] = ids.dims();
    let values: Vec<u32> = ids.to_data().iter::<i64>().map(|id| id as u32).collect();
    values.chunks(length).map(<[u32]>::to_vec).collect()
}

impl Checkpoint {
    /// The generation settings of the checkpoint, from `generation_config.json`. If this file is missing, they come from
    /// the same keys of `config.json`, where older checkpoints store them, with the defaults of the family.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if the file cannot be read; [`ModelError::Generation`] if it is invalid.
    pub fn generation_config(&self) -> Result<GenerationConfig, ModelError> {
        let own = self.path().join("generation_config.json");
        let is_own = own.is_file();
        let (path, text, family) = if is_own {
            let text = std::fs::read_to_string(&own).map_err(|source| ModelError::Io { path: own.clone(), source })?;
            (own, Cow::Owned(text), "{}")
        } else {
            let family = match self.config() {
                Config::Bart(_) => {
                    r#"{"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2,
                        "forced_eos_token_id": 2}"#
                }
                Config::Llama(_) => r#"{"bos_token_id": 1, "eos_token_id": 2}"#,
                _ => "{}",
            };
            (self.path().join("config.json"), Cow::Borrowed(self.config_text.as_str()), family)
        };
        let config = GenerationConfig::parse(family, &path).and_then(|config| config.reading(&text));
        let mut config = config.map_err(ModelError::Generation)?;
        // The predecessor of `forced_bos_token_id` is a boolean among the keys of the model.
        let old = self.config().other().get::<bool>("force_bos_token_to_be_generated");
        if !is_own && old == Some(true) {
            config.forced_bos_token_id = config.bos_token_id;
        }
        Ok(config)
    }
}
