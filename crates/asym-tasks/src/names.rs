//! Suggestions for mistyped names, and the field names that serde expects.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// One name, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One name.
    One(String),
    /// Several names.
    Several(Vec<String>),
}

impl Names {
    /// The names.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// The word of `known` that is most similar to `found`, if one is similar enough.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&found, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The hint that follows an unknown name in a message.
pub(crate) fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}

/// The names of the fields of `T`, which must deny unknown fields.
pub(crate) fn fields<T: DeserializeOwned>() -> Vec<String> {
    // No field has a name that consists of spaces.
    let probe = Table::from_iter([("  ".to_string(), Value::Boolean(true))]);
    let error = probe.try_into::<T>().err();
    error.and_then(|error| unknown(error.message())).map(|(_, known)| known).unwrap_or_default()
}

/// The unknown name and the known names in an error message of serde: "unknown field `x`, expected one of `a`, `b`". serde
/// provides them only in its messages. A test checks that the format is unchanged.
pub(crate) fn unknown(message: &str) -> Option<(String, Vec<String>)> {
    let (_, rest) = message.strip_prefix("unknown ")?.split_once('`')?;
    // The unknown name can contain any characters, including these separators. The known names do not contain them.
    let (found, known) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    Some((found.to_owned(), known.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()))
}
