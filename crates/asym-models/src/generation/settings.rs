//! The resolved settings of a batch of prompts.

use super::read::TokenIds;
use super::{EarlyStopping, GenerationConfig, GenerationError};

/// The settings of sampling.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// The divisor of the logits.
    pub temperature: f64,
    /// The number of most likely tokens to sample from; 0 for all.
    pub top_k: usize,
    /// The total probability of the most likely tokens to sample from.
    pub top_p: f64,
    /// The minimum probability of a token that can be sampled, as a fraction of the probability of the most likely
    /// token.
    pub min_p: Option<f64>,
    /// The seed of the random numbers.
    pub seed: u64,
    /// The index of each prompt among the prompts of all batches. If it is missing, the index in the batch is used.
    ///
    /// The random numbers of a row depend only on the seed, this index, and the index of the row among the prompt's rows.
    /// The sampled tokens therefore depend neither on the batch nor on the order of the prompts.
    pub rows: Vec<u64>,
}

/// The settings of one batch of prompts, without contradictions. [`GenerationConfig::resolve`] creates them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Generation {
    /// The number of tokens of the longest prompt.
    pub prompt_length: usize,
    /// The maximum number of new tokens of a row, at least one.
    pub max_new_tokens: usize,
    /// The minimum number of new tokens of a row.
    pub min_new_tokens: usize,
    /// The settings of sampling. If this is absent, the most likely tokens are chosen.
    pub sampling: Option<Sampling>,
    /// The number of beams; 1 means no beam search.
    pub num_beams: usize,
    /// The number of rows that are returned for each prompt.
    pub num_return_sequences: usize,
    /// When beam search stops.
    pub early_stopping: EarlyStopping,
    /// The exponent p in the divisor lengthᵖ of a beam's score.
    pub length_penalty: f64,
    /// The length of the n-grams that must not occur twice; 0 for none.
    pub no_repeat_ngram_size: usize,
    /// The length of the n-grams of `sources` that must not occur; 0 for none.
    pub encoder_no_repeat_ngram_size: usize,
    /// The source text of each prompt, for `encoder_no_repeat_ngram_size`. The rows of a prompt without a source may contain any
    /// n-gram.
    pub sources: Vec<Vec<u32>>,
    /// The divisor of the positive scores, and the factor of the negative scores, of tokens that a row already contains.
    pub repetition_penalty: f64,
    /// The token that is forced as the first new token after a prompt of one token.
    pub forced_bos_token_id: Option<u32>,
    /// The tokens of which one is forced as the last token of a row that reaches the maximum length. If empty, no token
    /// is forced.
    pub forced_eos_token_id: Vec<u32>,
    /// The tokens that end a row.
    pub eos_token_id: Vec<u32>,
    /// The texts that end a row. [`NextToken::ends`](super::NextToken::ends) finds them.
    pub stop_strings: Vec<String>,
    /// The token that rows are padded with: `pad_token_id`, or else the first token of `eos_token_id`.
    pub pad_token_id: Option<u32>,
    /// Sequences of tokens that must not occur.
    pub bad_words_ids: Vec<Vec<u32>>,
    /// Tokens that must not occur.
    pub suppress_tokens: Vec<u32>,
    /// Tokens that must not be the first new token.
    pub begin_suppress_tokens: Vec<u32>,
    /// Whether the scores are normalized to log-probabilities after all changes.
    pub renormalize_logits: bool,
    /// Whether scores that are not finite are replaced by finite ones.
    pub remove_invalid_values: bool,
    /// Whether the model caches the keys and values of the tokens that it has processed.
    pub use_cache: bool,
}

/// The default of `top_k`.
pub(super) const DEFAULT_TOP_K: usize = 50;

impl GenerationConfig {
    /// Resolve the settings for a batch of prompts. `prompt_length` is the number of tokens of the longest prompt,
    /// `context` is the maximum length of a sequence, and `vocab_size` is the size of the vocabulary.
    ///
    /// Absent settings have the defaults of transformers: greedy search and at most 20 new tokens. `max_length` and
    /// `min_length` include the tokens of the longest prompt in the batch, since transformers includes padding. A maximum
    /// beyond the context is reduced to the context if it comes from a file, and refused if a user sets it.
    ///
    /// # Errors
    ///
    /// - [`GenerationError::Prompt`] if a prompt has no token, or if it leaves no room for a new token.
    /// - [`GenerationError::Setting`] if a value is out of range, or if a token is not in the vocabulary.
    /// - [`GenerationError::Conflict`] if settings contradict each other, or if a user sets a setting that has no effect.
    ///   Settings of a file that have no effect are ignored.
    /// - [`GenerationError::Unsupported`] if asym does not support a setting.
    pub fn resolve(
        &self,
        prompt_length: usize,
        context: Option<usize>,
        vocab_size: usize,
    ) -> Result<Generation, GenerationError> {
        let do_sample = self.do_sample.unwrap_or(false);
        if let Some(error) = self.refuse_unsupported(do_sample) {
            return Err(error);
        }
        let (max_new_tokens, min_new_tokens) = self.lengths(prompt_length, context)?;
        self.check_search(do_sample)?;
        self.check_tokens(vocab_size)?;
        self.check_sampling(do_sample)?;
        let sampling = do_sample.then(|| Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: self.top_k.unwrap_or(DEFAULT_TOP_K),
            top_p: self.top_p.unwrap_or(1.0),
            min_p: self.min_p,
            seed: self.seed.unwrap_or(0),
            rows: Vec::new(),
        });
        let ids = |ids: &Option<TokenIds>| ids.clone().map_or_else(Vec::new, |ids| ids.0);
        let eos_token_id = ids(&self.eos_token_id);
        Ok(Generation {
            prompt_length,
            max_new_tokens,
            min_new_tokens,
            sampling,
            num_beams: self.num_beams.unwrap_or(1),
            num_return_sequences: self.num_return_sequences.unwrap_or(1),
            early_stopping: self.early_stopping.unwrap_or_default(),
            length_penalty: self.length_penalty.unwrap_or(1.0),
            no_repeat_ngram_size: self.no_repeat_ngram_size.unwrap_or(0),
            encoder_no_repeat_ngram_size: self.encoder_no_repeat_ngram_size.unwrap_or(0),
            sources: Vec::new(),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            forced_bos_token_id: self.forced_bos_token_id,
            forced_eos_token_id: ids(&self.forced_eos_token_id),
            pad_token_id: self.pad_token_id.or(eos_token_id.first().copied()),
            eos_token_id,
            stop_strings: self.stop_strings.clone().map_or_else(Vec::new, |texts| texts.0),
            bad_words_ids: self.bad_words_ids.clone().unwrap_or_default(),
            suppress_tokens: self.suppress_tokens.clone().unwrap_or_default(),
            begin_suppress_tokens: self.begin_suppress_tokens.clone().unwrap_or_default(),
            renormalize_logits: self.renormalize_logits.unwrap_or(false),
            remove_invalid_values: self.remove_invalid_values.unwrap_or(false),
            use_cache: self.use_cache.unwrap_or(true),
        })
    }
}

impl Generation {
    /// The same settings, with the indices of the prompts among the prompts of all batches. The tokens that are sampled
    /// for a prompt then do not depend on its batch. Without sampling, this has no effect.
    #[must_use]
    pub fn of_rows(mut self, rows: impl IntoIterator<Item = u64>) -> Self {
        if let Some(sampling) = &mut self.sampling {
            sampling.rows = rows.into_iter().collect();
        }
        self
    }
}
