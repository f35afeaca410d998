//! Generates text with a model that computes the logits of the next token: by greedy search, sampling or beam search.
//!
//! The settings, their defaults and the generated token ids are the same as those of `generate` in transformers 5. The
//! settings are read from a checkpoint's `generation_config.json` ([`GenerationConfig`]), overridden by the settings of a
//! user, and resolved for a batch of prompts ([`Generation`]). Settings that contradict each other are refused when they
//! are resolved, before anything is computed.
//!
//! ```
//! use std::path::Path;
//!
//! use asym_models::generation::{GenerationConfig, NextToken, generate};
//!
//! /// The next token is always one higher than the last token.
//! struct Counting(Vec<Vec<u32>>);
//!
//! impl NextToken for Counting {
//!     fn vocab_size(&self) -> usize {
//!         10
//!     }
//!
//!     fn start(&mut self) -> Vec<f32> {
//!         let last: Vec<u32> = self.0.iter().map(|prompt| prompt[prompt.len() - 1]).collect();
//!         self.step(&[], &last)
//!     }
//!
//!     fn step(&mut self, _rows: &[usize], tokens: &[u32]) -> Vec<f32> {
//!         tokens.iter().flat_map(|token| (0..10).map(move |next| f32::from(next == token + 1))).collect()
//!     }
//! }
//!
//! # fn main() -> Result<(), asym_models::generation::GenerationError> {
//! let file = GenerationConfig::parse(r#"{"eos_token_id": 9}"#, Path::new("generation_config.json"))?;
//! let user = GenerationConfig::strict(r#"{"max_new_tokens": 5}"#)?;
//! let prompts = vec![vec![1, 2], vec![7]];
//! let settings = file.overlaid_with(&user).resolve(2, None, 10)?;
//! let texts = generate(&mut Counting(prompts.clone()), &prompts, &settings, |_| ())?;
//! assert_eq!(texts[0].tokens, [1, 2, 3, 4, 5, 6, 7]);
//! assert_eq!(texts[1].continuation(), [8, 9]);
//! # Ok(())
//! # }
//! ```
//!
//! # Differences from transformers
//!
//! - Each row is generated as if it were alone in the batch. In transformers, `no_repeat_ngram_size` and `bad_words_ids`
//!   also apply to the padding of shorter prompts. This can forbid the padding token or even a token that ends a row.
//!   Lengths include padding, as in transformers: see [`GenerationConfig::resolve`].
//! - If scores are equal, the one with the lowest row and token is chosen. `torch.topk` may choose any of them. NaN is
//!   treated as minus infinity.
//! - If all tokens are forbidden, a beam consists of only its prompt and has the score -1e9. transformers returns an
//!   arbitrary beam in this case.
//! - Sampling uses different random numbers with the same probabilities. Sampled beams are sorted by their scores, as in
//!   transformers since 5.24.
//! - The rows are returned without padding. [`Sequences::to_data`](crate::Sequences::to_data) pads them as transformers does.
//! - A user's `max_length` replaces a file's `max_new_tokens`, and no maximum exceeds the model's context.

mod beam;
mod checks;
mod config;
mod error;
mod processors;
mod read;
mod scores;
mod search;
mod settings;
#[cfg(test)]
mod tests;

pub use config::GenerationConfig;
pub use error::GenerationError;
pub use read::EarlyStopping;
pub use read::{Strings, TokenIds};
pub use settings::{Generation, Sampling};

/// A model that computes the logits of the next token of each row.
pub trait NextToken {
    /// Number of tokens in the vocabulary.
    fn vocab_size(&self) -> usize;

    /// Process the prompts. Returns the logits after the last token of each prompt, `[rows, vocab_size]`.
    fn start(&mut self) -> Vec<f32>;

    /// Append one token to each row: row i becomes row `rows[i]` of the previous call, followed by `tokens[i]`. Returns
    /// the logits after the last token of each row, `[rows.len(), vocab_size]`.
    ///
    /// Rows may be repeated and in any order. A row that is left out has ended.
    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32>;

    /// Whether the last of `tokens` (a prompt and its continuation) completes one of the texts in
    /// [`Generation::stop_strings`]. A model without a tokenizer returns `false`.
    fn ends(&self, _tokens: &[u32]) -> bool {
        false
    }

    /// This is called after a token was appended to `tokens` (a prompt and its continuation). Beam search does not call
    /// it, since its rows may change.
    fn grown(&self, _tokens: &[u32]) {}
}

/// A prompt and its continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The prompt and its continuation, up to and including the token that ends it, without padding.
    pub tokens: Vec<u32>,
    /// The number of tokens of the prompt.
    pub prompt_length: usize,
    /// The score of a beam, which is `sequences_scores` of transformers: the sum of the log-probabilities, divided by the
    /// number of new tokens to the power of `length_penalty`. `None` without beam search.
    pub score: Option<f32>,
}

impl Generated {
    /// The new tokens.
    pub fn continuation(&self) -> &[u32] {
        &self.tokens[self.prompt_length..]
    }
}

/// Generate continuations of `prompts`, the tokens that `model` starts with. Returns `num_return_sequences` rows for each
/// prompt, in the order of the prompts. The rows of beam search are sorted by their scores, best first.
///
/// The prompts have no padding. For a decoder-only model, they are the texts. For an encoder-decoder, they are the tokens
/// that the decoder starts with. `settings` must be resolved for these prompts. After each step, `progress` gets the
/// number of new tokens of the unfinished rows, which is at most [`Generation::max_new_tokens`]. Finished rows are
/// removed from the batch.
///
/// # Errors
///
/// [`GenerationError::NotFinite`] if a logit of a row is plus infinity, or if no logit of a row is finite.
///
/// # Panics
///
/// Panics if the model returns a wrong number of logits, or if a prompt is empty.
pub fn generate(
    model: &mut impl NextToken,
    prompts: &[Vec<u32>],
    settings: &Generation,
    progress: impl FnMut(usize),
) -> Result<Vec<Generated>, GenerationError> {
    assert!(prompts.iter().all(|prompt| !prompt.is_empty()), "a prompt has no token");
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    match settings.num_beams {
        0 | 1 => search::search(model, prompts, settings, progress),
        _ => beam::search(model, prompts, settings, progress),
    }
}

/// Check the logits that a model returned for rows. `prompts` are the indices of the rows' prompts.
fn checked(
    logits: Vec<f32>,
    prompts: impl ExactSizeIterator<Item = usize>,
    vocab_size: usize,
) -> Result<Vec<f32>, GenerationError> {
    let rows = prompts.len();
    assert_eq!(logits.len(), rows * vocab_size, "a model must return {vocab_size} logits for each of {rows} rows");
    for (prompt, row) in prompts.zip(logits.chunks(vocab_size)) {
        // A tied embedding may have rows of minus infinity for tokens that no text contains. Their logits are NaN.
        let highest = scores::maximum(row);
        if !highest.is_finite() {
            let found = if highest == f32::INFINITY { highest } else { row[0] };
            return Err(GenerationError::NotFinite { prompt: prompt + 1, found });
        }
    }
    Ok(logits)
}
