//! Checks that refuse settings that are out of range or contradict each other.

use super::read::{Strings, TokenIds};
use super::settings::DEFAULT_TOP_K;
use super::{EarlyStopping, GenerationConfig, GenerationError};

/// The maximum number of rows of a prompt. It is larger than any useful number, and small enough that a typing error does
/// not exhaust the memory.
const MOST_ROWS: usize = 1000;

/// The maximum number of new tokens if no setting specifies it.
const DEFAULT: usize = 20;

impl GenerationConfig {
    /// The maximum and the minimum number of new tokens.
    pub(super) fn lengths(
        &self,
        prompt_length: usize,
        context: Option<usize>,
    ) -> Result<(usize, usize), GenerationError> {
        let refused = |expected: String, help| GenerationError::Prompt { expected, found: prompt_length, help };
        if prompt_length == 0 {
            return Err(refused("at least one token".into(), "add the token that texts begin with"));
        }
        if let Some(context) = context.filter(|context| prompt_length >= *context) {
            let expected = format!("fewer tokens than the model's context of {context}");
            return Err(refused(expected, "shorten it to leave room for new tokens"));
        }
        let max_keys = [("max_length", self.max_length), ("max_new_tokens", self.max_new_tokens)];
        let min_keys = [("min_length", self.min_length), ("min_new_tokens", self.min_new_tokens)];
        for keys in [max_keys, min_keys] {
            if let [(key, Some(found)), (other, Some(counted))] = keys
                && self.given.contains(key)
                && self.given.contains(other)
            {
                let conflict = format!("limits the same length as `{other}` {counted}");
                return Err(self.conflict(key, found, conflict, "set only one of them"));
            }
        }

        let max = self.maximum(prompt_length, context)?;
        // `min_new_tokens` replaces `min_length` even if it is zero, as in transformers.
        let (key, found, min) = match (self.min_new_tokens, self.min_length.unwrap_or(0)) {
            (Some(new), _) => ("min_new_tokens", new, new),
            (None, length) => ("min_length", length, length.saturating_sub(prompt_length)),
        };
        if min > max {
            let conflict = format!("requires {min} new tokens, but the maximum is {max}");
            return Err(self.conflict(key, found, conflict, "lower it, or raise the maximum"));
        }
        Ok((max, min))
    }

    /// The maximum number of new tokens.
    fn maximum(&self, prompt_length: usize, context: Option<usize>) -> Result<usize, GenerationError> {
        let (key, max) = match (self.max_new_tokens, self.max_length) {
            (Some(0), _) => return Err(self.refuse("max_new_tokens", "at least one", 0)),
            (Some(new), _) => ("max_new_tokens", new),
            (None, Some(length)) if length > prompt_length => ("max_length", length - prompt_length),
            (None, Some(length)) => {
                let expected = format!(
                    "more than the {prompt_length} tokens of the longest prompt, which it includes (or set \
                    `max_new_tokens`)"
                );
                return Err(self.refuse("max_length", expected, length));
            }
            (None, None) => return Ok(context.map_or(DEFAULT, |context| DEFAULT.min(context - prompt_length))),
        };
        let Some(context) = context.filter(|context| max > context - prompt_length) else {
            return Ok(max);
        };
        let room = context - prompt_length;
        match (self.given.contains(key), key) {
            (false, _) => Ok(room),
            (true, "max_length") => {
                let expected = format!("at most {context}, the model's context in tokens");
                Err(self.refuse(key, expected, prompt_length + max))
            }
            (true, _) => {
                let expected = format!(
                    "at most {room}, since the context has {context} tokens and the prompt has {prompt_length}"
                );
                Err(self.refuse(key, expected, max))
            }
        }
    }

    /// Check the numbers of beams and rows, the penalties, and settings that only affect beam search.
    pub(super) fn check_search(&self, do_sample: bool) -> Result<(), GenerationError> {
        for (key, value) in [("num_beams", self.num_beams), ("num_return_sequences", self.num_return_sequences)] {
            if value == Some(0) {
                return Err(self.refuse(key, "at least one", 0));
            }
            if let Some(found) = value.filter(|value| *value > MOST_ROWS) {
                return Err(self.refuse(key, format!("at most {MOST_ROWS}"), found));
            }
        }
        let (beams, rows) = (self.num_beams.unwrap_or(1), self.num_return_sequences.unwrap_or(1));
        if beams > 1 && rows > beams {
            let conflict = format!("is more than `num_beams` {beams}");
            return Err(self.conflict(
                "num_return_sequences",
                rows,
                conflict,
                "raise `num_beams`, or lower this number",
            ));
        }
        if beams == 1 && rows > 1 && !do_sample {
            let help = "set `do_sample` to true, or `num_beams` to at least this number";
            return Err(self.conflict("num_return_sequences", rows, "would return the same row several times", help));
        }
        if let Some(found) = self.length_penalty.filter(|power| !power.is_finite()) {
            return Err(self.refuse("length_penalty", "a finite number", found));
        }
        if let Some(found) = self.repetition_penalty.filter(|penalty| !(*penalty > 0.0 && penalty.is_finite())) {
            return Err(self.refuse("repetition_penalty", "a number above zero", found));
        }
        if beams == 1 {
            let early = self.early_stopping.filter(|early| *early != EarlyStopping::No).map(|early| early.to_string());
            let power = self.length_penalty.filter(|power| *power != 1.0).map(|power| power.to_string());
            for (key, found) in [("early_stopping", early), ("length_penalty", power)] {
                if let (Some(found), true) = (found, self.given.contains(key)) {
                    let help = "set `num_beams` to at least 2, or remove this setting";
                    return Err(self.conflict(key, found, "has no effect without beam search", help));
                }
            }
        }
        Ok(())
    }

    /// Refuse invalid sampling settings, and sampling settings that a user gives without sampling.
    pub(super) fn check_sampling(&self, do_sample: bool) -> Result<(), GenerationError> {
        let positive = self.temperature.is_none_or(|value| value > 0.0 && value.is_finite());
        let probability = self.top_p.is_none_or(|value| value > 0.0 && value <= 1.0);
        let part = self.min_p.is_none_or(|value| (0.0..=1.0).contains(&value));
        for (key, neutral, value, fits, expected) in [
            ("temperature", 1.0, self.temperature, positive, "a number above zero"),
            ("top_k", DEFAULT_TOP_K as f64, self.top_k.map(|value| value as f64), true, ""),
            ("top_p", 1.0, self.top_p, probability, "a probability above zero, up to 1"),
            ("min_p", 0.0, self.min_p, part, "a number from 0 to 1"),
        ] {
            let given = self.given.contains(key);
            let Some(found) = value.filter(|_| do_sample || given) else {
                continue;
            };
            if !fits {
                return Err(self.refuse(key, expected, found));
            }
            if !do_sample && found != neutral {
                let help = "set `do_sample` to true, or remove this setting";
                return Err(self.conflict(key, found, "has no effect without sampling", help));
            }
        }
        Ok(())
    }

    /// Refuse tokens outside the vocabulary, and forced tokens that are all suppressed.
    pub(super) fn check_tokens(&self, vocab_size: usize) -> Result<(), GenerationError> {
        let one = |id: &Option<u32>| id.iter().copied().collect::<Vec<_>>();
        let list = |ids: &Option<Vec<u32>>| ids.clone().unwrap_or_default();
        let ids = |ids: &Option<TokenIds>| ids.clone().map_or_else(Vec::new, |ids| ids.0);
        let (forced_first, forced_last) = (one(&self.forced_bos_token_id), ids(&self.forced_eos_token_id));
        let ends = ids(&self.eos_token_id);
        let tokens = [
            ("eos_token_id", &ends),
            ("forced_bos_token_id", &forced_first),
            ("forced_eos_token_id", &forced_last),
            ("bos_token_id", &one(&self.bos_token_id)),
            ("pad_token_id", &one(&self.pad_token_id)),
            ("decoder_start_token_id", &one(&self.decoder_start_token_id)),
            ("suppress_tokens", &list(&self.suppress_tokens)),
            ("begin_suppress_tokens", &list(&self.begin_suppress_tokens)),
            ("bad_words_ids", &self.bad_words_ids.iter().flatten().flatten().copied().collect()),
        ];
        for (key, tokens) in tokens {
            // A file's padding token is not checked, since only the returned rows are padded with it.
            if key == "pad_token_id" && !self.given.contains(key) {
                continue;
            }
            if let Some(found) = tokens.iter().find(|token| **token as usize >= vocab_size) {
                let expected = format!("ids below {vocab_size}, the size of the vocabulary");
                return Err(self.refuse(key, expected, found));
            }
        }
        let suppressed = |tokens: &[u32]| {
            let all = self.suppress_tokens.as_deref().unwrap_or_default();
            !tokens.is_empty() && tokens.iter().all(|token| all.contains(token))
        };
        for (key, forced) in [("forced_bos_token_id", forced_first), ("forced_eos_token_id", forced_last)] {
            if suppressed(&forced) {
                let conflict = "is also in `suppress_tokens`, so no token would be left";
                return Err(self.conflict(key, format!("{forced:?}"), conflict, "remove it from one of the settings"));
            }
        }
        // A beam can only continue with a token that does not end it.
        if self.num_beams.unwrap_or(1) > 1 && ends.len() >= vocab_size {
            return Err(self.refuse("eos_token_id", format!("fewer than all {vocab_size} tokens"), ends.len()));
        }
        Ok(())
    }

    /// Refuse `stop_strings` if the texts of tokens are unknown.
    pub(crate) fn check_stop(&self, knows_texts: bool) -> Result<(), GenerationError> {
        match &self.stop_strings {
            Some(Strings(texts)) if !texts.is_empty() && !knows_texts => {
                let help = "generate with a tokenizer, for example with `asym generate`, or set it to null";
                Err(self.conflict("stop_strings", format!("{texts:?}"), "requires a tokenizer", help))
            }
            _ => Ok(()),
        }
    }

    fn conflict(
        &self,
        key: &'static str,
        found: impl ToString,
        conflict: impl Into<String>,
        help: impl Into<String>,
    ) -> GenerationError {
        let (origin, found) = (self.origin(key), found.to_string());
        GenerationError::Conflict { origin, key, found, conflict: conflict.into(), help: help.into() }
    }
}
