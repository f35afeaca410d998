//! Settings that are refused: values out of range, and values that contradict each other.

use super::read::{Strings, TokenIds};
use super::settings::DEFAULT_TOP_K;
use super::{EarlyStopping, GenerationConfig, GenerationError};

/// More rows for a prompt than anybody reads, few enough that a slip of the hand cannot fill the memory.
const MOST_ROWS: usize = 1000;

/// New tokens where nothing says how many.
const DEFAULT: usize = 20;

impl GenerationConfig {
    /// The most and the fewest new tokens.
    pub(super) fn lengths(
        &self,
        prompt_length: usize,
        context: Option<usize>,
    ) -> Result<(usize, usize), GenerationError> {
        let refused = |expected: String, help| GenerationError::Prompt { expected, found: prompt_length, help };
        if prompt_length == 0 {
            return Err(refused("at least one token".into(), "begin it with the token that texts begin with"));
        }
        if let Some(context) = context.filter(|context| prompt_length >= *context) {
            let expected = format!("fewer tokens than the {context} that the model sees");
            return Err(refused(expected, "shorten it, so that there is room for an answer"));
        }
        let max_keys = [("max_length", self.max_length), ("max_new_tokens", self.max_new_tokens)];
        let min_keys = [("min_length", self.min_length), ("min_new_tokens", self.min_new_tokens)];
        for keys in [max_keys, min_keys] {
            if let [(key, Some(found)), (other, Some(counted))] = keys
                && self.given.contains(key)
                && self.given.contains(other)
            {
                let conflict = format!("says the same as `{other}` {counted}, in another count");
                return Err(self.conflict(key, found, conflict, "give one of the two"));
            }
        }

        let max = self.maximum(prompt_length, context)?;
        // `min_new_tokens` takes the place of `min_length` as in transformers, also where it is zero.
        let (key, found, min) = match (self.min_new_tokens, self.min_length.unwrap_or(0)) {
            (Some(new), _) => ("min_new_tokens", new, new),
            (None, length) => ("min_length", length, length.saturating_sub(prompt_length)),
        };
        if min > max {
            let conflict = format!("asks for {min} new tokens, of which there can be {max} at most");
            return Err(self.conflict(key, found, conflict, "lower it, or raise the maximum"));
        }
        Ok((max, min))
    }

    /// The most new tokens.
    fn maximum(&self, prompt_length: usize, context: Option<usize>) -> Result<usize, GenerationError> {
        let (key, max) = match (self.max_new_tokens, self.max_length) {
            (Some(0), _) => return Err(self.refuse("max_new_tokens", "at least one", 0)),
            (Some(new), _) => ("max_new_tokens", new),
            (None, Some(length)) if length > prompt_length => ("max_length", length - prompt_length),
            (None, Some(length)) => {
                let expected = format!(
                    "more than the {prompt_length} tokens of the longest prompt, which it counts (or give \
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
                let expected = format!("at most the {context} tokens that the model sees");
                Err(self.refuse(key, expected, prompt_length + max))
            }
            (true, _) => {
                let expected =
                    format!("at most {room}, since the model sees {context} tokens and the prompt has {prompt_length}");
                Err(self.refuse(key, expected, max))
            }
        }
    }

    /// Refuse numbers of beams and rows that do not go together.
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
            return Err(self.conflict("num_return_sequences", rows, conflict, "raise `num_beams`, or return fewer"));
        }
        if beams == 1 && rows > 1 && !do_sample {
            let help = "give `do_sample` true, or as many `num_beams`";
            return Err(self.conflict("num_return_sequences", rows, "needs rows that differ", help));
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
                    let help = "give `num_beams` of two or more, or leave it out";
                    return Err(self.conflict(key, found, "has no effect without beam search", help));
                }
            }
        }
        Ok(())
    }

    /// Refuse ways of drawing that no token could be drawn in, and those given where none is.
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
                let help = "give `do_sample` true, or leave it out";
                return Err(self.conflict(key, found, "has no effect where the most likely token is taken", help));
            }
        }
        Ok(())
    }

    /// Refuse tokens that the vocabulary does not have, and to force what is suppressed.
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
            // Only the answers are padded with it, and only where a user reads them.
            if key == "pad_token_id" && !self.given.contains(key) {
                continue;
            }
            if let Some(found) = tokens.iter().find(|token| **token as usize >= vocab_size) {
                let expected = format!("ids below {vocab_size}, the number of the model's tokens");
                return Err(self.refuse(key, expected, found));
            }
        }
        let suppressed = |tokens: &[u32]| {
            let all = self.suppress_tokens.as_deref().unwrap_or_default();
            !tokens.is_empty() && tokens.iter().all(|token| all.contains(token))
        };
        for (key, forced) in [("forced_bos_token_id", forced_first), ("forced_eos_token_id", forced_last)] {
            if suppressed(&forced) {
                let conflict = "is in `suppress_tokens` too, so that no token would be left";
                return Err(self.conflict(key, format!("{forced:?}"), conflict, "take it from one of the two"));
            }
        }
        // Beams that all end must leave as many that go on.
        if self.num_beams.unwrap_or(1) > 1 && ends.len() >= vocab_size {
            return Err(self.refuse("eos_token_id", format!("fewer than all {vocab_size} tokens"), ends.len()));
        }
        Ok(())
    }

    /// Refuse texts that end a row if the texts of tokens are not known.
    pub(crate) fn check_stop(&self, knows_texts: bool) -> Result<(), GenerationError> {
        match &self.stop_strings {
            Some(Strings(texts)) if !texts.is_empty() && !knows_texts => {
                let help = "generate with a tokenizer, such as by `asym generate`, or give it as null";
                Err(self.conflict("stop_strings", format!("{texts:?}"), "needs the texts of tokens", help))
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
