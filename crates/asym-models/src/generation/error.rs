//! Errors of settings, with the key, the expected and the found value, and how to correct them.

/// Why text cannot be generated as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerationError {
    /// Settings are not a JSON object; the message of `source` has line and column.
    #[error("{origin}: {source}; settings are an object such as {{\"max_new_tokens\": 40}}")]
    Json {
        /// The file, or "generation settings" for what a user gave.
        origin: String,
        /// The problem and its place.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A user gave a setting that neither asym nor transformers knows.
    #[error("generation settings: there is no `{found}`{}; write one of {}", near(*.nearest), known.join(", "))]
    UnknownKey {
        /// The value that was found.
        found: String,
        /// The key that it comes nearest to.
        nearest: Option<&'static str>,
        /// The keys that are allowed there.
        known: Vec<&'static str>,
    },
    /// A setting of transformers that asym does not have, with a value that would change the text.
    #[error(
        "{origin}: `{key}`: asym does not have this: expected {neutral}, found {found}; give `{key}` as null to generate without it"
    )]
    Unsupported {
        /// The file, or "generation settings" for what a user gave.
        origin: String,
        /// The key.
        key: &'static str,
        /// The values that change nothing.
        neutral: String,
        /// The value that was found.
        found: String,
    },
    /// A value has the wrong type for its key, or is out of range.
    #[error("{origin}: `{key}`: expected {expected}, found {found}")]
    Setting {
        /// The file, or "generation settings" for what a user gave.
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
        /// The file, or "generation settings" for what a user gave.
        origin: String,
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The setting that it contradicts.
        conflict: String,
        /// How to correct it.
        help: String,
    },
    /// The model computes no numbers, from which a token could be chosen.
    #[error(
        "prompt {prompt} of the batch: the logits of the next token are not finite (found {found}): the weights, or the adapter with \
        its alpha, are too large for the dtype, or damaged"
    )]
    NotFinite {
        /// The prompt, counted from 1.
        prompt: usize,
        /// A logit.
        found: f32,
    },
    /// A prompt has no token, or leaves no room for one.
    #[error("the longest prompt: expected {expected}, found {found}; {help}")]
    Prompt {
        /// The values that are accepted.
        expected: String,
        /// Its tokens.
        found: usize,
        /// How to correct it.
        help: &'static str,
    },
}

/// The text after an unknown key.
fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}

/// The key of `known` that `found` comes nearest to, if it comes near at all.
pub(super) fn nearest(found: &str, known: &[&'static str]) -> Option<&'static str> {
    let found = found.to_lowercase();
    known
        .iter()
        .map(|key| (strsim::damerau_levenshtein(&found, key), *key))
        .filter(|(distance, key)| *distance <= 1 + key.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}
