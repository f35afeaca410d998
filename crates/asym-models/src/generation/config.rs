//! The settings in `generation_config.json`, and the same settings given by a user.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::nearest;
use super::read::{Read, Strings, TokenIds};
use super::{EarlyStopping, GenerationError};

/// Defines the settings: the struct, with a field for each key and type, and the functions that handle every key.
macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident: $kind:ty,)+) => {
        /// The settings in a `generation_config.json`, or the settings that a user gives. Each may be absent.
        ///
        /// Names and meanings are the same as in transformers, except for `seed`, which is specific to asym.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct GenerationConfig {
            $($(#[$doc])* pub $key: Option<$kind>,)+
            /// The keys that a user set, including keys that are set to null. The other keys come from a file.
            ///
            /// A key without an effect is ignored in a file, but refused if a user sets it.
            pub given: BTreeSet<&'static str>,
            /// Keys of transformers that asym does not support, with values that would change the text.
            /// [`resolve`](Self::resolve) refuses them, unless the user sets them to null.
            pub unsupported: BTreeMap<&'static str, String>,
            /// The path of the file, for messages.
            pub path: PathBuf,
        }

        impl GenerationConfig {
            /// The keys that asym supports.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];

            /// Set the value of a key. Other keys are ignored. If the value is invalid, the error is a description of the
            /// valid values.
            fn set(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
                match key {
                    $(stringify!($key) => {
                        self.$key = match value {
                            Value::Null => None,
                            value => Some(<$kind>::read(value).ok_or(<$kind>::EXPECTED)?),
                        };
                    })+
                    _ => {}
                }
                Ok(())
            }

            /// Override these settings with those that `user` sets.
            fn overlay(&mut self, user: &Self) {
                $(if user.$key.is_some() || user.given.contains(stringify!($key)) {
                    self.$key.clone_from(&user.$key);
                    self.given.insert(stringify!($key));
                })+
            }
        }
    };
}

/// Keys of tokens that a model may lack. A negative value in a file means that the token is missing.
const NEGATIVE_IS_NONE: [&str; 3] = ["bos_token_id", "eos_token_id", "pad_token_id"];

keys! {
    /// The maximum number of tokens of a row, including the prompt.
    max_length: usize,
    /// The maximum number of new tokens of a row.
    max_new_tokens: usize,
    /// The minimum number of tokens of a row, including the prompt.
    min_length: usize,
    /// The minimum number of new tokens of a row.
    min_new_tokens: usize,
    /// Whether tokens are sampled; otherwise the most likely tokens are chosen.
    do_sample: bool,
    /// The number of beams; 1 means no beam search.
    num_beams: usize,
    /// The number of rows that are returned for each prompt.
    num_return_sequences: usize,
    /// When beam search stops.
    early_stopping: EarlyStopping,
    /// The exponent p in the divisor lengthᵖ of a beam's score.
    length_penalty: f64,
    /// The length of the n-grams that must not occur twice; 0 for none.
    no_repeat_ngram_size: usize,
    /// The length of the n-grams of the encoder's input, or of the prompt of a decoder-only model, that must not occur; 0
    /// for none.
    encoder_no_repeat_ngram_size: usize,
    /// The divisor of the positive scores, and the factor of the negative scores, of tokens that a row already contains.
    repetition_penalty: f64,
    /// The divisor of the logits before a token is sampled.
    temperature: f64,
    /// The number of most likely tokens to sample from; 0 for all.
    top_k: usize,
    /// The total probability of the most likely tokens to sample from.
    top_p: f64,
    /// The minimum probability of a token that can be sampled, as a fraction of the probability of the most likely
    /// token.
    min_p: f64,
    /// The token that is forced as the first new token after a prompt of one token.
    forced_bos_token_id: u32,
    /// The tokens of which one is forced as the last token of a row that reaches the maximum length.
    forced_eos_token_id: TokenIds,
    /// The tokens that end a row.
    eos_token_id: TokenIds,
    /// The texts that end a row.
    stop_strings: Strings,
    /// The token that texts begin with.
    bos_token_id: u32,
    /// The token that rows are padded with.
    pad_token_id: u32,
    /// The token that a decoder starts with.
    decoder_start_token_id: u32,
    /// Sequences of tokens that must not occur.
    bad_words_ids: Vec<Vec<u32>>,
    /// Tokens that must not occur.
    suppress_tokens: Vec<u32>,
    /// Tokens that must not be the first new token.
    begin_suppress_tokens: Vec<u32>,
    /// Whether the scores are normalized to log-probabilities after all changes.
    renormalize_logits: bool,
    /// Whether scores that are not finite are replaced by finite ones.
    remove_invalid_values: bool,
    /// Whether the model caches the keys and values of the tokens that it has processed.
    use_cache: bool,
    /// The seed of the random numbers.
    seed: u64,
}

/// A key of transformers that asym does not support.
struct Missing {
    key: &'static str,
    /// The number that has no effect. null and false have no effect either.
    neutral: Option<f64>,
    /// Whether the key only has an effect with sampling.
    sampling: bool,
}

const fn missing(key: &'static str, neutral: Option<f64>) -> Missing {
    Missing { key, neutral, sampling: false }
}

const fn of_sampling(key: &'static str, neutral: Option<f64>) -> Missing {
    Missing { key, neutral, sampling: true }
}

/// The unsupported keys that can change the text.
const MISSING: &[Missing] = &[
    missing("constraints", None),
    missing("diversity_penalty", Some(0.0)),
    missing("dola_layers", None),
    missing("encoder_repetition_penalty", Some(1.0)),
    missing("exponential_decay_length_penalty", None),
    missing("force_words_ids", None),
    missing("guidance_scale", Some(1.0)),
    missing("max_time", None),
    missing("num_beam_groups", Some(1.0)),
    missing("penalty_alpha", Some(0.0)),
    missing("sequence_bias", None),
    missing("token_healing", None),
    missing("use_mtp", None),
    missing("watermarking_config", None),
    of_sampling("epsilon_cutoff", Some(0.0)),
    of_sampling("eta_cutoff", Some(0.0)),
    of_sampling("top_h", None),
    of_sampling("typical_p", Some(1.0)),
];

/// Further keys of transformers. They affect the form of the result or the speed, but not the text.
const HARMLESS: &[&str] = &[
    "_commit_hash",
    "_from_model_config",
    "assistant_confidence_threshold",
    "assistant_early_exit",
    "assistant_ensemble_weight",
    "assistant_lookbehind",
    "cache_config",
    "cache_implementation",
    "compile_config",
    "continuous_batching_config",
    "disable_compile",
    "is_assistant",
    "low_memory",
    "max_cache_len",
    "max_matching_ngram_size",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "prefill_chunk_size",
    "prompt_lookup_num_tokens",
    "return_dict_in_generate",
    "speculation_type",
    "target_lookbehind",
    "transformers_version",
];

impl Missing {
    fn changes_nothing(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(false) => true,
            value => value.as_f64().is_some_and(|value| self.neutral == Some(value)),
        }
    }

    /// A description of the values that have no effect.
    fn neutral(&self) -> String {
        self.neutral.map_or_else(|| "null".into(), |neutral| format!("{neutral} or null"))
    }
}

/// The origin of a user's settings in messages.
pub(super) const USER: &str = "generation settings";

impl GenerationConfig {
    /// Parse the text of a `generation_config.json`, or of an old `config.json`, which contains these keys too. Unknown
    /// keys are ignored. `path` is used only in messages.
    ///
    /// # Errors
    ///
    /// [`GenerationError::Json`] if the text is not a JSON object; [`GenerationError::Setting`] if a value has the wrong type.
    pub fn parse(text: &str, path: &Path) -> Result<Self, GenerationError> {
        Self { path: path.into(), ..Self::default() }.reading(text)
    }

    /// These settings, overridden by the settings of a file. A `null` in the file removes a default. The result has the
    /// settings of a file, not of a user.
    ///
    /// # Errors
    ///
    /// The errors of [`parse`](Self::parse).
    pub fn reading(mut self, text: &str) -> Result<Self, GenerationError> {
        for (key, value) in object(text, &self.path.display().to_string())? {
            // Older files use -1 for a missing token.
            let none = NEGATIVE_IS_NONE.contains(&key.as_str()) && value.as_i64().is_some_and(|id| id < 0);
            self.take(&key, if none { &Value::Null } else { &value })?;
        }
        Ok(self)
    }

    /// Parse a user's settings, which are a JSON object.
    ///
    /// # Errors
    ///
    /// The errors of [`parse`](Self::parse). Also returns [`GenerationError::UnknownKey`] with the most similar key, and
    /// [`GenerationError::Unsupported`] for a key of transformers that asym does not support, unless its value has no
    /// effect.
    pub fn strict(text: &str) -> Result<Self, GenerationError> {
        let mut config = Self::default();
        for (key, value) in object(text, USER)? {
            let names = || Self::KEYS.iter().copied().chain(MISSING.iter().map(|missing| missing.key));
            match names().find(|name| *name == key) {
                Some(name) => {
                    config.given.insert(name);
                    config.take(name, &value)?;
                }
                None if HARMLESS.contains(&key.as_str()) => {}
                None => {
                    let known: Vec<_> = names().collect();
                    let nearest = nearest(&key, &known);
                    return Err(GenerationError::UnknownKey { found: key, nearest, known: Self::KEYS.to_vec() });
                }
            }
        }
        config.refuse_unsupported(true).map_or(Ok(config), Err)
    }

    /// These settings, overridden by the settings in `user`. A setting with the value null is treated as not set.
    ///
    /// A user's `max_length` or `max_new_tokens` replaces both settings, and so does `min_length` or `min_new_tokens`. In
    /// transformers, a file's `max_new_tokens` would take precedence over a user's `max_length`.
    #[must_use]
    pub fn overlaid_with(&self, user: &Self) -> Self {
        let mut both = self.clone();
        if user.max_length.or(user.max_new_tokens).is_some() {
            (both.max_length, both.max_new_tokens) = (None, None);
        }
        if user.min_length.or(user.min_new_tokens).is_some() {
            (both.min_length, both.min_new_tokens) = (None, None);
        }
        both.overlay(user);
        both.given.extend(&user.given);
        both.unsupported.retain(|key, _| !user.given.contains(key));
        both.unsupported.extend(user.unsupported.clone());
        both
    }

    /// The token that a decoder starts with: `decoder_start_token_id`, or else `bos_token_id`.
    pub fn decoder_start(&self) -> Option<u32> {
        self.decoder_start_token_id.or(self.bos_token_id)
    }

    fn take(&mut self, key: &str, value: &Value) -> Result<(), GenerationError> {
        let known = Self::KEYS.iter().find(|name| **name == key);
        match MISSING.iter().find(|missing| missing.key == key) {
            Some(missing) if !missing.changes_nothing(value) => {
                self.unsupported.insert(missing.key, value.to_string());
                Ok(())
            }
            _ => self.set(key, value).map_err(|expected| self.refuse(known.unwrap_or(&"key"), expected, value)),
        }
    }

    /// The error for the first unsupported key, if there is one. Without `sampling`, keys that only affect sampling are
    /// ignored.
    pub(super) fn refuse_unsupported(&self, sampling: bool) -> Option<GenerationError> {
        let acts = |missing: &&Missing| sampling || !missing.sampling;
        let (missing, found) =
            MISSING.iter().filter(acts).find_map(|missing| Some((missing, self.unsupported.get(missing.key)?)))?;
        Some(GenerationError::Unsupported {
            origin: self.origin(missing.key),
            key: missing.key,
            neutral: missing.neutral(),
            found: found.clone(),
        })
    }

    /// The origin of a key's value, for messages: the file, or the settings of a user.
    pub(super) fn origin(&self, key: &str) -> String {
        match self.given.contains(key) || self.path.as_os_str().is_empty() {
            true => USER.into(),
            false => self.path.display().to_string(),
        }
    }

    /// The error for an invalid value.
    pub(super) fn refuse(
        &self,
        key: &'static str,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> GenerationError {
        let origin = self.origin(key);
        GenerationError::Setting { origin, key, expected: expected.into(), found: found.to_string() }
    }
}

fn object(text: &str, origin: &str) -> Result<Map<String, Value>, GenerationError> {
    serde_json::from_str(text).map_err(|source| GenerationError::Json { origin: origin.into(), source: source.into() })
}
