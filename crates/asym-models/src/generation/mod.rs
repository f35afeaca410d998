//! Text from a model that gives logits of the next token: greedily, by sampling, by beam search.
//!
//! The settings, their defaults and the generated token ids are the same as those of `generate` in transformers 5. The
//! settings are read from a checkpoint's `generation_config.json` ([`GenerationConfig`]), overridden by the settings of
//! a user, and resolved for a batch of prompts ([`Generation`]). Contradicting settings are refused at this point,
//! before anything is computed.
//!
//! ```
//! use std::path::Path;
//!
//! use asym_models::generation::{GenerationConfig, NextToken, generate};
//!
//! /// After each token comes the next higher one.
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
//! # Where the result is another than that of transformers
//!
//! - Each row is generated as if it were alone. In a padded batch, `no_repeat_ngram_size` and `bad_words_ids` of
//!   transformers see the padding of a shorter prompt too, which forbids the padding token or, at worst, what ends a row.
//!   Lengths do count padding, as there: see [`GenerationConfig::resolve`].
//! - Of equal scores the lower row and token is taken, where `torch.topk` takes any. NaN is as minus infinity.
//! - Where everything is forbidden, a beam has its prompt alone and the score -1e9; transformers returns some beam then.
//! - The random numbers of sampling are others; the probabilities are the same. Beams that are drawn are sorted by their
//!   scores, as transformers does since 5.24.
//! - A row that beam search ends early is padded with `pad_token_id`; transformers takes the first of `eos_token_id`
//!   where `pad_token_id` is 0.
//! - A user's `max_length` takes the place of a file's `max_new_tokens`, and no maximum goes beyond the model's context.

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

/// The interface of a model to the generation: logits of the next token, row by row.
pub trait NextToken {
    /// Number of tokens.
    fn vocab_size(&self) -> usize;

    /// Take in the prompts: logits after the last token of each, `[rows, vocab_size]`.
    fn start(&mut self) -> Vec<f32>;

    /// Row i continues what row `rows[i]` of the last call was, with `tokens[i]`; its logits, `[rows.len(), vocab_size]`.
    ///
    /// Rows may be repeated, come in any order, and be left out, which ends them.
    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32>;

    /// Whether the last of `tokens` (a prompt and its continuation) completes one of the texts in
    /// [`Generation::stop_strings`]. A model without a tokenizer returns `false`.
    fn ends(&self, _tokens: &[u32]) -> bool {
        false
    }

    /// Called when `tokens` (a prompt and its continuation) have a new last token. Beam search does not call it, since its rows
    /// may change.
    fn grown(&self, _tokens: &[u32]) {}
}

/// A prompt and its continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The prompt and its continuation, up to and including the token that ends it, without padding.
    pub tokens: Vec<u32>,
    /// How many of the tokens are the prompt's.
    pub prompt_length: usize,
    /// The score of a beam: the sum of the log-probabilities, divided by the number of new tokens to the power of
    /// `length_penalty`. It is `sequences_scores` of transformers.
    pub score: Option<f32>,
}

impl Generated {
    /// The new tokens.
    pub fn continuation(&self) -> &[u32] {
        &self.tokens[self.prompt_length..]
    }
}

/// Continue `prompts`, the tokens that `model` starts with: `num_return_sequences` rows for each, in the order of the
/// prompts, best first with beam search.
///
/// The prompts are without padding: for a decoder alone the texts, for an encoder-decoder what the decoder starts with.
/// `settings` are resolved for them. After each step, `progress` gets the number of new tokens of the unfinished rows, out
/// of at most [`Generation::max_new_tokens`]. Finished rows leave the batch and cost nothing.
///
/// # Errors
///
/// [`GenerationError::NotFinite`] if the logits of a row choose no token: one of them is infinite, or none is a number.
///
/// # Panics
///
/// If the model returns a wrong number of logits, or a prompt is empty.
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

/// Check what a model answered for rows of these prompts.
fn checked(
    logits: Vec<f32>,
    prompts: impl ExactSizeIterator<Item = usize>,
    vocab_size: usize,
) -> Result<Vec<f32>, GenerationError> {
    let rows = prompts.len();
    assert_eq!(logits.len(), rows * vocab_size, "a model gives {vocab_size} logits for each of {rows} rows");
    for (prompt, row) in prompts.zip(logits.chunks(vocab_size)) {
        // Rows of minus infinity in a tied embedding are tokens that no text has. Their logits are not numbers.
        let highest = scores::maximum(row);
        if !highest.is_finite() {
            let found = if highest == f32::INFINITY { highest } else { row[0] };
            return Err(GenerationError::NotFinite { prompt: prompt + 1, found });
        }
    }
    Ok(logits)
}
