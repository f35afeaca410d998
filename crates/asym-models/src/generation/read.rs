//! Reads the values of settings from JSON.

use std::fmt;

use serde_json::Value;

/// The condition for stopping beam search when a prompt has as many finished rows as beams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EarlyStopping {
    /// `false`: stop when the score of the best beam at its current length is not better than that of the worst finished row.
    #[default]
    No,
    /// `true`: stop immediately.
    Yes,
    /// `"never"`: stop when no beam can reach a better score than the worst finished row, even at the maximum length.
    Never,
}

impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "false",
            Self::Yes => "true",
            Self::Never => "\"never\"",
        })
    }
}

/// Token ids, written as one number or as a list that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIds(pub Vec<u32>);

/// Strings that are not empty, written as one string or as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strings(pub Vec<String>);

/// A type of values that can be read from JSON.
pub(super) trait Read: Sized {
    /// The values that are accepted.
    const EXPECTED: &'static str;

    fn read(value: &Value) -> Option<Self>;
}

impl Read for usize {
    const EXPECTED: &'static str = "a whole number, zero or more";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl Read for u64 {
    const EXPECTED: &'static str = "a whole number, zero or more";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64()
    }
}

impl Read for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }
}

impl Read for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Read for u32 {
    const EXPECTED: &'static str = "a token id, a whole number of zero or more";

    fn read(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl Read for Vec<u32> {
    const EXPECTED: &'static str = "a list of token ids, whole numbers of zero or more";

    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(u32::read).collect()
    }
}

impl Read for Vec<Vec<u32>> {
    const EXPECTED: &'static str = "a list of lists of token ids, none of them empty";

    fn read(value: &Value) -> Option<Self> {
        let read = |word| Vec::<u32>::read(word).filter(|word| !word.is_empty());
        value.as_array()?.iter().map(read).collect()
    }
}

impl Read for TokenIds {
    const EXPECTED: &'static str = "a token id or a list of at least one id, whole numbers of zero or more";

    fn read(value: &Value) -> Option<Self> {
        let ids = u32::read(value).map(|id| vec![id]).or_else(|| Vec::read(value))?;
        (!ids.is_empty()).then_some(Self(ids))
    }
}

impl Read for Strings {
    const EXPECTED: &'static str = "a string or a list of strings, none of them empty";

    fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| Some(value.as_str().filter(|text| !text.is_empty())?.to_string());
        match value.as_array() {
            Some(list) => list.iter().map(text).collect::<Option<_>>().map(Self),
            None => text(value).map(|text| Self(vec![text])),
        }
    }
}

impl Read for EarlyStopping {
    const EXPECTED: &'static str = "true, false or \"never\"";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(true) => Some(Self::Yes),
            Value::Bool(false) => Some(Self::No),
            Value::String(word) if word == "never" => Some(Self::Never),
            _ => None,
        }
    }
}
