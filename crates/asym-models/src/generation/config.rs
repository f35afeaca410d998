//! `generation_config.json`, and the same keys as a user gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::nearest;
use super::read::{Read, Strings, TokenIds};
use super::{EarlyStopping, GenerationError};

/// The keys: their type, and the struct of them.
macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident: $kind:ty,)+) => {
        /// The settings in a `generation_config.json`, or the settings that a user gives. Each may be absent.
        ///
        /// Names and meanings are the same as in transformers, except for `seed`, which is specific to asym.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct GenerationConfig {
            $($(#[$doc])* pub $key: Option<$kind>,)+
            /// The keys that a user gave, including keys given as null. The other keys come from a file.
            ///
            /// A key without an effect is ignored in a file, but refused if a user gives it.
            pub given: BTreeSet<&'static str>,
            /// Keys of transformers that asym does not have, with values that would change the text:
            /// [`resolve`](Self::resolve) refuses them, unless the user gives them as null.
            pub unsupported: BTreeMap<&'static str, String>,
            /// The file, for messages.
            pub path: PathBuf,
        }

        impl GenerationConfig {
            /// The keys that asym has.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];

            /// Take the value of a key that asym has. Returns the expected form of another value.
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

            /// Take what `user` gives.
            fn overlay(&mut self, user: &Self) {
                $(if user.$key.is_some() || user.given.contains(stringify!($key)) {
                    self.$key.clone_from(&user.$key);
                    self.given.insert(stringify!($key));
                })+
            }
        }
    };
}

/// Keys of tokens that a model may lack.
const NEGATIVE_IS_NONE: [&str; 3] = ["bos_token_id", "eos_token_id", "pad_token_id"];

keys! {
    /// The maximum number of tokens of a row, including the prompt.
    max_length: usize,
    /// The most new tokens.
    max_new_tokens: usize,
    /// The minimum number of tokens of a row, including the prompt.
    min_length: usize,
    /// The fewest new tokens.
    min_new_tokens: usize,
    /// Whether tokens are sampled; otherwise the most likely tokens are chosen.
    do_sample: bool,
    /// The number of beams; 1 means no beam search.
    num_beams: usize,
    /// How many rows each prompt gets.
    num_return_sequences: usize,
    /// When beam search stops.
    early_stopping: EarlyStopping,
    /// The power of the length that the score of a beam is divided by.
    length_penalty: f64,
    /// The length of the runs of tokens that must not occur twice; 0 for none.
    no_repeat_ngram_size: usize,
    /// The length of the runs of tokens that must not occur if the text that is answered, or the prompt, has them; 0 for none.
    encoder_no_repeat_ngram_size: usize,
    /// The divisor of the scores of tokens that a row has already.
    repetition_penalty: f64,
    /// The divisor of logits before a token is drawn.
    temperature: f64,
    /// How many of the most likely tokens are drawn from; 0 for all.
    top_k: usize,
    /// The probability of the most likely tokens that are drawn from.
    top_p: f64,
    /// The minimum probability of a token that can be sampled, as a fraction of the probability of the most likely
    /// token.
    min_p: f64,
    /// The first new token, after a prompt of one.
    forced_bos_token_id: u32,
    /// The tokens, one of which comes last where a row reaches the maximum.
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
    /// Runs of tokens that must not occur.
    bad_words_ids: Vec<Vec<u32>>,
    /// Tokens that must not occur.
    suppress_tokens: Vec<u32>,
    /// Tokens that must not come first.
    begin_suppress_tokens: Vec<u32>,
    /// Whether scores are made log-probabilities again after all that changes them.
    renormalize_logits: bool,
    /// Whether values that are not finite are replaced by finite ones.
    remove_invalid_values: bool,
    /// Whether a model keeps keys and values of the tokens that it has seen.
    use_cache: bool,
    /// The seed of the random numbers.
    seed: u64,
}

/// A key of transformers that asym does not have.
struct Missing {
    key: &'static str,
    /// The number that changes nothing. null and false change nothing either.
    neutral: Option<f64>,
    /// Whether it acts where tokens are drawn, and not else.
    sampling: bool,
}

const fn missing(key: &'static str, neutral: Option<f64>) -> Missing {
    Missing { key, neutral, sampling: false }
}

const fn of_sampling(key: &'static str, neutral: Option<f64>) -> Missing {
    Missing { key, neutral, sampling: true }
}

/// Keys that would change the text.
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

/// Further keys of transformers. They change the form of the result or the speed, but not the text.
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

    /// The values that change nothing, in words.
    fn neutral(&self) -> String {
        self.neutral.map_or_else(|| "null".into(), |neutral| format!("{neutral} or null"))
    }
}

/// The name in messages of settings that a user gave.
pub(super) const USER: &str = "generation settings";

impl GenerationConfig {
    /// Parse the text of a `generation_config.json`, or of a `config.json` of old, which had these keys among its own:
    /// unknown keys are ignored. `path` is used only in messages.
    ///
    /// # Errors
    ///
    /// [`GenerationError::Json`]; [`GenerationError::Setting`] for a value of another type than its key's.
    pub fn parse(text: &str, path: &Path) -> Result<Self, GenerationError> {
        Self { path: path.into(), ..Self::default() }.reading(text)
    }

    /// The same settings, overridden by the settings of a file; a `null` in the file removes a default. They count as settings of
    /// a file and not of the user.
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

    /// Parse the settings that a user gives, a JSON object.
    ///
    /// # Errors
    ///
    /// The errors of [`parse`](Self::parse); [`GenerationError::UnknownKey`] with the nearest known one, and
    /// [`GenerationError::Unsupported`] for a key of transformers that asym does not have, unless its value changes
    /// nothing.
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

    /// These settings, overridden by the settings in `user`. A setting that is given as null counts as not set.
    ///
    /// A maximum or minimum replaces the corresponding setting of the other kind: a user's `max_length` replaces
    /// `max_new_tokens` of a file, which transformers would prefer.
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

    /// The token that a decoder starts with: `decoder_start_token_id`, else `bos_token_id`.
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

    /// The error of a key that asym does not have.
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

    /// Where a key's value comes from.
    pub(super) fn origin(&self, key: &str) -> String {
        match self.given.contains(key) || self.path.as_os_str().is_empty() {
            true => USER.into(),
            false => self.path.display().to_string(),
        }
    }

    /// The error of a value.
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
