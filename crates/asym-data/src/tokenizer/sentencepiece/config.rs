//! `tokenizer_config.json` and `added_tokens.json`, which are next to SentencePiece's file.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

use super::error::SentencePieceError;
use super::{ROLES, Settings};

/// Reads a file that contains a JSON object.
pub(super) fn object(path: &Path) -> Result<Map<String, Value>, SentencePieceError> {
    let bytes = std::fs::read(path).map_err(|source| SentencePieceError::Io { path: path.to_owned(), source })?;
    let no_object = |problem: String| SentencePieceError::Config { path: path.to_owned(), problem };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(keys)) => Ok(keys),
        Ok(other) => Err(no_object(format!("found {}", shown(&other)))),
        Err(source) => Err(no_object(source.to_string())),
    }
}

/// Reads `tokenizer_config.json`. A key that is absent or null has its default, but a token whose key is null is removed.
pub(super) fn settings(path: &Path) -> Result<Settings, SentencePieceError> {
    let keys = object(path)?;
    let config = Config { path, keys: &keys };
    if let Some(class) = config.get("tokenizer_class") {
        let class = class.as_str().ok_or_else(|| config.wrong("tokenizer_class", class, "a text"))?;
        if class.strip_suffix("Fast").unwrap_or(class) != "LlamaTokenizer" {
            return Err(SentencePieceError::Class { path: path.to_owned(), found: class.to_owned() });
        }
    }
    let default = Settings::default();
    Ok(Settings {
        add_bos_token: config.flag("add_bos_token", default.add_bos_token)?,
        add_eos_token: config.flag("add_eos_token", default.add_eos_token)?,
        legacy: config.flag("legacy", default.legacy)?,
        add_prefix_space: config.flag("add_prefix_space", default.add_prefix_space)?,
        named: config.named()?,
        added: config.added()?,
        extra: config.extra()?,
    })
}

/// A `tokenizer_config.json` that is being read.
struct Config<'a> {
    path: &'a Path,
    keys: &'a Map<String, Value>,
}

const TOKEN: &str = "a text, or an object with its `content` and true or false for each property";

impl Config<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, found: &Value, expected: &'static str) -> SentencePieceError {
        SentencePieceError::Value { path: self.path.to_owned(), key: key.to_owned(), found: shown(found), expected }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, SentencePieceError> {
        self.get(key)
            .map_or(Ok(default), |value| value.as_bool().ok_or_else(|| self.wrong(key, value, "true or false")))
    }

    /// Reads a token. A token that is a text is always special, and a token that is an object is special if it has this
    /// property. A token with a role is always special.
    fn token(&self, key: &str, value: &Value, role: bool) -> Result<AddedToken, SentencePieceError> {
        let wrong = || self.wrong(key, value, TOKEN);
        if let Some(content) = value.as_str() {
            return Ok(AddedToken::from(content, true));
        }
        let content = value.get("content").and_then(Value::as_str).ok_or_else(wrong)?;
        let property = |name: &str, default: bool| match value.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(property)) => Ok(*property),
            Some(_) => Err(wrong()),
        };
        let special = property("special", false)? || role;
        Ok(AddedToken::from(content, special)
            .normalized(property("normalized", !special)?)
            .single_word(property("single_word", false)?)
            .lstrip(property("lstrip", false)?)
            .rstrip(property("rstrip", false)?))
    }

    /// The tokens of all keys that end in `_token`, and of an object `extra_special_tokens`. In addition to the standard keys,
    /// a model may have further keys, such as `image_token`.
    fn named(&self) -> Result<Vec<(String, AddedToken)>, SentencePieceError> {
        let mut named = Vec::new();
        for (key, default) in ROLES {
            match (self.keys.get(key), default) {
                (None, Some(token)) => named.push((key.to_owned(), AddedToken::from(token, true))),
                (None | Some(Value::Null), _) => {}
                (Some(value), _) => named.push((key.to_owned(), self.token(key, value, true)?)),
            }
        }
        for (key, value) in self.keys {
            let standard = ROLES.iter().any(|(role, _)| role == key);
            if key.ends_with("_token") && !standard && (value.is_string() || value.is_object()) {
                named.push((key.clone(), self.token(key, value, true)?));
            }
        }
        if let Some(Value::Object(own)) = self.get("extra_special_tokens") {
            for (key, value) in own {
                named.push((key.clone(), self.token(&format!("extra_special_tokens.{key}"), value, true)?));
            }
        }
        Ok(named)
    }

    fn added(&self) -> Result<Vec<(u32, AddedToken)>, SentencePieceError> {
        let key = "added_tokens_decoder";
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let tokens = value.as_object().ok_or_else(|| self.wrong(key, value, "an object of ids and tokens"))?;
        let mut added = Vec::with_capacity(tokens.len());
        for (id, token) in tokens {
            let number = id.parse().map_err(|_| self.wrong(key, &json!(id), "ids from 0 to 4294967295 as keys"))?;
            added.push((number, self.token(&format!("{key}.{id}"), token, false)?));
        }
        added.sort_by_key(|(id, _)| *id);
        Ok(added)
    }

    /// The extra special tokens. The newer key is used if it has any tokens or if the older key is absent, otherwise the older
    /// key is used.
    fn extra(&self) -> Result<Option<Vec<AddedToken>>, SentencePieceError> {
        let (newer, older) = ("extra_special_tokens", "additional_special_tokens");
        let empty = |value: &Value| match value {
            Value::Array(list) => list.is_empty(),
            Value::Object(own) => own.is_empty(),
            other => other.is_null(),
        };
        let key = if self.keys.get(newer).is_none_or(empty) && self.keys.contains_key(older) { older } else { newer };
        match self.keys.get(key) {
            // An object assigns roles to tokens and does not replace the model's own pieces. The model's own pieces are also
            // used if there is no list.
            None | Some(Value::Object(_)) => Ok(None),
            Some(Value::Null) => Ok(Some(Vec::new())),
            Some(Value::Array(list)) => {
                list.iter().map(|token| self.token(key, token, false)).collect::<Result<_, _>>().map(Some)
            }
            Some(other) => Err(self.wrong(key, other, "a list of tokens")),
        }
    }
}

/// A value for a message, truncated if it is long.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}
