//! SentencePiece's table of normalized characters, checked before it is read.
//!
//! A table begins with the length of its trie in bytes. For every four bytes of this length, spm_precompiled 0.1 allocates
//! eight bytes, up to 8.6 GB, before it checks whether the table is that long.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::Source;

/// The key of a table in a `tokenizer.json`.
const KEY: &str = "precompiled_charsmap";

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    normalizer: Value,
}

/// Checks that the trie of each table in the bytes of a `tokenizer.json` is complete and not empty. Any other error is left to
/// the reader of the file.
pub(super) fn check(bytes: &[u8]) -> Result<(), Source> {
    serde_json::from_slice(bytes).map_or(Ok(()), |Head { normalizer }| check_value(&normalizer))
}

fn check_value(value: &Value) -> Result<(), Source> {
    match value {
        Value::Object(object) => object.iter().try_for_each(|(key, value)| match value.as_str() {
            Some(text) if key == KEY => check_table(text),
            _ => check_value(value),
        }),
        Value::Array(list) => list.iter().try_for_each(check_value),
        _ => Ok(()),
    }
}

fn check_table(text: &str) -> Result<(), Source> {
    let Ok(table) = STANDARD.decode(text) else { return Ok(()) };
    let Some((length, rest)) = table.split_first_chunk() else { return Ok(()) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > rest.len() {
        return Err(format!("`{KEY}` declares a trie of {length} bytes, but has only {}", rest.len()).into());
    }
    if length < 4 {
        return Err(format!("the trie of `{KEY}` is empty").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_wrong_lengths_are_rejected() {
        let nested = |table: &[u8]| {
            let table = serde_json::json!({"type": "Precompiled", KEY: STANDARD.encode(table)});
            let all = serde_json::json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, table]}});
            check(all.to_string().as_bytes()).map_err(|error| error.to_string())
        };
        assert_eq!(nested(&[4, 0, 0, 0, 1, 2, 3, 4, b'a', 0]), Ok(()));
        let error = nested(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).unwrap_err();
        assert!(error.contains("4294967295 bytes, but has only 4"), "{error}");
        assert!(nested(&[0, 0, 0, 0, b'a', 0]).unwrap_err().contains("empty"));
        // The reader of the file refuses everything else.
        assert_eq!(nested(&[1]), Ok(()));
        assert!(check(b"{").is_ok() && check(b"{}").is_ok());
    }
}
