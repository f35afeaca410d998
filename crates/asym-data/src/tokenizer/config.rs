//! `tokenizer_config.json`: settings that override those of `tokenizer.json`, as in transformers, and added tokens.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use super::error::TokenizerError;

const FILE: &str = "tokenizer_config.json";

/// The settings that are read. All other settings concern only Python's classes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenizerConfig {
    /// BERT: whether texts are lower-cased.
    pub(super) do_lower_case: Option<bool>,
    /// BERT: whether accents are removed. If this is absent, accents are removed if texts are lower-cased.
    strip_accents: Option<bool>,
    /// BERT: whether each Chinese character is a word.
    tokenize_chinese_chars: Option<bool>,
    /// The side on which a text is truncated.
    truncation_side: Option<Side>,
    /// Tokens by their ids.
    added_tokens_decoder: BTreeMap<u32, Token>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Left,
    Right,
}

#[derive(Clone, Debug, Deserialize)]
struct Token {
    content: String,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    special: bool,
}

impl TokenizerConfig {
    /// Reads the file in `folder`. If there is no file, nothing is set.
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(TokenizerError::Io { path, source }),
        };
        let unreadable = |error: serde_json::Error| TokenizerError::UnreadableTokenizer {
            path: path.display().to_string(),
            source: Box::new(error),
        };
        serde_json::from_slice(&bytes).map_err(unreadable)
    }

    /// The side on which a text is truncated, if the file sets it.
    pub(super) fn direction(&self) -> Option<TruncationDirection> {
        self.truncation_side.map(|side| match side {
            Side::Left => TruncationDirection::Left,
            Side::Right => TruncationDirection::Right,
        })
    }

    /// BERT's normalizer with the settings of the file. Settings that are not in the file are those of `before`.
    pub(super) fn normalizer(&self, before: &BertNormalizer) -> BertNormalizer {
        BertNormalizer::new(
            before.clean_text,
            self.tokenize_chinese_chars.unwrap_or(before.handle_chinese_chars),
            self.strip_accents.or(before.strip_accents),
            self.do_lower_case.unwrap_or(before.lowercase),
        )
    }

    /// Applies the settings of the file to `tokenizer`: those of BERT's normalizer, and the tokens that the vocabulary lacks.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::AddedToken`] for a token that would not get its id in the file, and
    /// [`TokenizerError::UnreadableTokenizer`] if the tokenizers crate fails.
    pub(super) fn apply(&self, name: &str, tokenizer: &mut Tokenizer) -> Result<(), TokenizerError> {
        let unreadable = |source| TokenizerError::UnreadableTokenizer { path: name.to_owned(), source };
        if let Some(NormalizerWrapper::BertNormalizer(before)) = tokenizer.get_normalizer() {
            let normalizer = self.normalizer(before);
            tokenizer.with_normalizer(Some(normalizer)).map_err(unreadable)?;
        }
        for (id, token) in &self.added_tokens_decoder {
            if tokenizer.token_to_id(&token.content) == Some(*id) {
                continue;
            }
            let Token { content, lstrip, rstrip, normalized, single_word, special } = token.clone();
            let added = AddedToken { content, single_word, lstrip, rstrip, normalized, special };
            if special { tokenizer.add_special_tokens([added]) } else { tokenizer.add_tokens([added]) }
                .map_err(unreadable)?;
            let found = tokenizer.token_to_id(&token.content);
            if found != Some(*id) {
                let (path, token) = (name.to_owned(), token.content.clone());
                return Err(TokenizerError::AddedToken { path, token, expected: *id, found });
            }
        }
        Ok(())
    }
}
