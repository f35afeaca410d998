//! Errors of generation, with the key, the expected and the found value, and how to correct the error.

/// An error in the settings of generation, or in generating text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerationError {
    /// Settings are not a JSON object. The message of `source` contains the line and the column.
    #[error("{origin}: {source}; the settings must be an object such as {{\"max_new_tokens\": 40}}")]
    Json {
        /// The file, or "generation settings" for a user's settings.
        origin: String,
        /// The error of the JSON parser.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A user set a key that neither asym nor transformers knows.
    #[error("generation settings: unknown key `{found}`{}; use one of {}", near(*.nearest), known.join(", "))]
    UnknownKey {
        /// The unknown key.
        found: String,
        /// The most similar known key.
        nearest: Option<&'static str>,
        /// The supported keys.
        known: Vec<&'static str>,
    },
    /// A setting of transformers that asym does not support has a value that would change the text.
    #[error(
        "{origin}: `{key}` is not supported: expected {neutral}, found {found}; set `{key}` to null to generate without it"
    )]
    Unsupported {
        /// The file, or "generation settings" for a user's settings.
        origin: String,
        /// The key.
        key: &'static str,
        /// The values that have no effect.
        neutral: String,
        /// The value that was found.
        found: String,
    },
    /// A value has the wrong type for its key, or is out of range.
    #[error("{origin}: `{key}`: expected {expected}, found {found}")]
    Setting {
        /// The file, or "generation settings" for a user's settings.
        origin: String,
        /// The key.
        key: &'static str,
        /// The values that are accepted.
        expected: String,
        /// The value that was found.
        found: String,
    },
    /// Two settings contradict each other, or one has no effect because of the other.
    #[error("{origin}: `{key}` {found} {conflict}; {help}")]
    Conflict {
        /// The file, or "generation settings" for a user's settings.
        origin: String,
        /// The key.
        key: &'static str,
        /// The value of the key.
        found: String,
        /// A description of the conflict.
        conflict: String,
        /// How to correct the error.
        help: String,
    },
    /// The logits of a prompt are not finite, so no token can be chosen.
    #[error(
        "prompt {prompt} of the batch: the logits of the next token are not finite (found {found}): the weights, or the adapter with \
        its alpha, are too large for the dtype, or damaged"
    )]
    NotFinite {
        /// The prompt, counted from 1.
        prompt: usize,
        /// A logit that is not finite.
        found: f32,
    },
    /// A prompt has no token, or it leaves no room for a new token.
    #[error("the longest prompt: expected {expected}, found {found}; {help}")]
    Prompt {
        /// The accepted numbers of tokens.
        expected: String,
        /// The number of tokens of the longest prompt.
        found: usize,
        /// How to correct the error.
        help: &'static str,
    },
}

/// The suggestion that follows an unknown key in the message.
fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}

/// The key in `known` that is most similar to `found`, if any is similar enough.
pub(super) fn nearest(found: &str, known: &[&'static str]) -> Option<&'static str> {
    let found = found.to_lowercase();
    known
        .iter()
        .map(|key| (strsim::damerau_levenshtein(&found, key), *key))
        .filter(|(distance, key)| *distance <= 1 + key.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}
