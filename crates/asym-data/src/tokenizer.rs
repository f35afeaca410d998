//! A checkpoint's tokenizer, which converts texts to token ids with special tokens and truncates them like Hugging Face's
//! transformers.
//!
//! `tokenizer.json` may contain settings for padding and truncation, which the `tokenizers` crate then applies to each text.
//! Both are switched off when the file is read, because truncation is an argument of [`Tokenizer::encode`], and the caller pads
//! the texts.

use std::path::Path;

use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings};
use tokenizers::{AddedToken, PostProcessor};

mod charsmap;
mod chat;
mod config;
mod error;
mod piece;
mod sentencepiece;
mod spans;

pub use chat::{ChatTemplate, Message, special_tokens};
use config::TokenizerConfig;
pub use error::TokenizerError;
use piece::Pieces;
pub use sentencepiece::{SentencePieceError, Source};
pub use spans::{SpanTokenizer, Spans};

use crate::panics::caught;

/// The sizes of a model that limit its tokenizer, from the model's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// The number of rows of the word embedding.
    pub vocab_size: usize,
    /// The largest number of tokens in a sequence. RoBERTa's positions begin after the padding id, so its number is
    /// `max_position_embeddings - pad_token_id - 1`.
    pub positions: usize,
    /// The number of rows of the token type embedding. If there is only one row, the model gets no token types.
    pub type_vocab_size: usize,
}

/// A text, or a pair of texts, as token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The ids, special tokens included.
    pub input_ids: Vec<u32>,
    /// The segment of each token, also called token type: 0, or 1 for the second text of a pair in some tokenizers.
    pub type_ids: Vec<u32>,
    /// The number of tokens that were cut off. It is an estimate if the text was so long that only a part of it was encoded.
    pub cut: usize,
}

/// A tokenizer whose own padding and truncation are off.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file, or the name of the bytes, for errors.
    name: String,
    /// The side on which a text is truncated. It is read from the file, but the maximum length in the file is not used.
    direction: TruncationDirection,
    pad_id: Option<u32>,
    /// The number of rows of the model's embedding, if it is known. A text with a token beyond the last row is refused.
    rows: Option<usize>,
}

impl Tokenizer {
    /// Reads a checkpoint's folder: `tokenizer.json`, else RoBERTa's `vocab.json` and `merges.txt`, else SentencePiece's
    /// `tokenizer.model`, as Llama has it, else BERT's `vocab.txt`. Settings of `tokenizer_config.json` take precedence over
    /// those of `tokenizer.json`: lower case, accents, Chinese characters, the side of truncation, added tokens.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::MissingFile`], [`TokenizerError::Io`], [`TokenizerError::UnreadableTokenizer`],
    /// [`TokenizerError::MissingToken`], [`TokenizerError::AddedToken`], [`TokenizerError::NoSpecialTokens`],
    /// [`TokenizerError::SentencePiece`].
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let tokenizer = Self::for_generation(folder)?;
        tokenizer.check_special_tokens()?;
        Ok(tokenizer)
    }

    /// Reads a folder as [`from_folder`](Self::from_folder) does, but accepts a tokenizer without special tokens. A classifier
    /// needs the first special token, but a model that continues a text does not.
    ///
    /// # Errors
    ///
    /// The errors of [`from_folder`](Self::from_folder), except [`TokenizerError::NoSpecialTokens`].
    pub fn for_generation(folder: &Path) -> Result<Self, TokenizerError> {
        let config = TokenizerConfig::read(folder)?;
        let mut tokenizer = Self::of_files(folder, &config)?;
        config.apply(&tokenizer.name, &mut tokenizer.inner)?;
        tokenizer.direction = config.direction().unwrap_or(tokenizer.direction);
        Ok(tokenizer)
    }

    /// The tokenizer of the files in `folder`. Only BERT's `vocab.txt` is read with the settings of `config`.
    fn of_files(folder: &Path, config: &TokenizerConfig) -> Result<Self, TokenizerError> {
        let whole = folder.join("tokenizer.json");
        let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        let words = folder.join("vocab.txt");
        if whole.is_file() {
            let bytes = std::fs::read(&whole).map_err(|source| TokenizerError::Io { path: whole.clone(), source })?;
            Self::parse(&whole.display().to_string(), &bytes)
        } else if vocab.is_file() && merges.is_file() {
            Self::roberta(&vocab, &merges)
        } else if folder.join(sentencepiece::MODEL).is_file() {
            let inner = sentencepiece::from_folder(folder)?;
            Self::new(folder.join(sentencepiece::MODEL).display().to_string(), inner)
        } else if words.is_file() {
            Self::bert(&words, config)
        } else {
            Err(TokenizerError::MissingFile {
                folder: folder.to_owned(),
                looked_for: vec!["tokenizer.json", "vocab.json and merges.txt", sentencepiece::MODEL, "vocab.txt"],
            })
        }
    }

    /// Reads the bytes of a `tokenizer.json`. `name` is the name of the file in errors.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnreadableTokenizer`], [`TokenizerError::NoSpecialTokens`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, TokenizerError> {
        let tokenizer = Self::parse(name, bytes)?;
        tokenizer.check_special_tokens()?;
        Ok(tokenizer)
    }

    fn parse(name: &str, bytes: &[u8]) -> Result<Self, TokenizerError> {
        let inner = charsmap::check(bytes)
            .and_then(|()| guarded(|| tokenizers::Tokenizer::from_bytes(bytes)))
            .map_err(|source| TokenizerError::UnreadableTokenizer { path: name.to_owned(), source })?;
        Self::new(name.to_owned(), inner)
    }

    /// Byte-level BPE between `<s>` and `</s>`, as transformers builds it from the same two files.
    fn roberta(vocab: &Path, merges: &Path) -> Result<Self, TokenizerError> {
        let name = vocab.display().to_string();
        let unreadable =
            |source| TokenizerError::UnreadableTokenizer { path: format!("{name} with {}", merges.display()), source };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let model = BPE::builder().files(text(vocab), text(merges)).build().map_err(unreadable)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        let id = |token: &'static str| {
            inner.token_to_id(token).ok_or(TokenizerError::MissingToken { path: name.clone(), token })
        };
        let (start, end) = (id("<s>")?, id("</s>")?);
        id("<pad>")?;
        // Only tokens of the vocabulary are added. Any other token would get an id beyond the last row of the embedding.
        let special: Vec<AddedToken> = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
            .into_iter()
            .filter(|token| inner.token_to_id(token).is_some())
            .map(|token| AddedToken::from(token, true))
            .collect();
        inner.add_special_tokens(special).map_err(unreadable)?;
        inner.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
        inner.with_decoder(Some(ByteLevel::default()));
        inner.with_post_processor(Some(
            RobertaProcessing::new(("</s>".to_owned(), end), ("<s>".to_owned(), start)).add_prefix_space(false),
        ));
        Self::new(name, inner)
    }

    /// Word pieces between `[CLS]` and `[SEP]`, as transformers builds them from the vocabulary alone.
    fn bert(vocab: &Path, config: &TokenizerConfig) -> Result<Self, TokenizerError> {
        let name = vocab.display().to_string();
        let unreadable = |source| TokenizerError::UnreadableTokenizer { path: name.clone(), source };
        let pieces = WordPiece::from_file(&vocab.to_string_lossy()).unk_token("[UNK]".to_owned());
        let mut inner = tokenizers::Tokenizer::new(pieces.build().map_err(unreadable)?);
        let id = |token: &'static str| {
            inner.token_to_id(token).ok_or(TokenizerError::MissingToken { path: name.clone(), token })
        };
        let (start, end) = (id("[CLS]")?, id("[SEP]")?);
        id("[UNK]")?;
        let special: Vec<AddedToken> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            .into_iter()
            .filter(|token| inner.token_to_id(token).is_some())
            .map(|token| AddedToken::from(token, true))
            .collect();
        inner.with_normalizer(Some(config.normalizer(&BertNormalizer::default()))).map_err(unreadable)?;
        inner.add_special_tokens(special).map_err(unreadable)?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(WordPieceDecoder::default()));
        inner.with_post_processor(Some(BertProcessing::new(("[SEP]".to_owned(), end), ("[CLS]".to_owned(), start))));
        Self::new(name, inner)
    }

    fn new(name: String, mut inner: tokenizers::Tokenizer) -> Result<Self, TokenizerError> {
        let pad_id = inner
            .get_padding()
            .and_then(|padding| inner.token_to_id(&padding.pad_token))
            .or_else(|| inner.token_to_id("<pad>"))
            .or_else(|| inner.token_to_id("[PAD]"));
        let direction = inner.get_truncation().map_or(TruncationDirection::Right, |truncation| truncation.direction);
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|source| TokenizerError::UnreadableTokenizer { path: name.clone(), source })?;
        Ok(Self { inner, name, direction, pad_id, rows: None })
    }

    /// The same tokenizer for a model with `rows` rows in its embedding. A token beyond the last row is an error only if a text
    /// contains it.
    pub fn for_rows(self, rows: usize) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// Refuses a tokenizer that adds no special tokens. The head of an encoder reads the first special token.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::NoSpecialTokens`].
    pub fn check_special_tokens(&self) -> Result<(), TokenizerError> {
        if self.added_tokens(false) == 0 {
            return Err(TokenizerError::NoSpecialTokens { path: self.name.clone() });
        }
        Ok(())
    }

    /// The text of a `tokenizer.json` for this tokenizer, without settings for padding and truncation.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnreadableTokenizer`] if the tokenizers crate cannot write it.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner
            .to_string(true)
            .map_err(|source| TokenizerError::UnreadableTokenizer { path: self.name.clone(), source })
    }

    /// The size of the vocabulary: one more than its largest id, even if some smaller ids are unused.
    pub fn vocab_size(&self) -> usize {
        self.largest().map_or(0, |(_, id)| id + 1)
    }

    /// The id of a token.
    pub fn token_id(&self, token: &str) -> Option<usize> {
        self.inner.token_to_id(token).map(|id| id as usize)
    }

    /// The padding id, if the tokenizer's file names a padding token or the vocabulary has one of the usual names.
    pub fn pad_id(&self) -> Option<usize> {
        self.pad_id.map(|id| id as usize)
    }

    /// The number of special tokens that are added to a text, or to a pair of texts.
    pub fn added_tokens(&self, pair: bool) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }

    /// Checks that the model supports the special tokens and segments of this tokenizer, and `max_length` tokens, special
    /// tokens included. The ids of other tokens are checked when a text is encoded. The padding id is not checked, because it
    /// comes from the model's configuration.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::TokenizerTooLarge`], [`TokenizerError::TooManySegments`], [`TokenizerError::MaxLengthTooLarge`].
    pub fn check(&self, limits: &ModelLimits, max_length: usize) -> Result<(), TokenizerError> {
        if max_length > limits.positions {
            return Err(TokenizerError::MaxLengthTooLarge { max_length, positions: limits.positions });
        }
        let probe = self.encode("a", Some("b"), usize::MAX)?;
        self.check_ids(&probe.input_ids, limits.vocab_size)?;
        let segment = probe.type_ids.iter().copied().max().unwrap_or(0) as usize;
        // A model with only one token type gets no token types.
        if limits.type_vocab_size > 1 && segment >= limits.type_vocab_size {
            return Err(TokenizerError::TooManySegments {
                path: self.name.clone(),
                found: segment,
                type_vocab_size: limits.type_vocab_size,
            });
        }
        Ok(())
    }

    /// Encodes a text, or a pair of texts, into at most `max_length` tokens, special tokens included.
    ///
    /// A longer text loses its last tokens, or its first tokens if the tokenizer truncates on the left. In a pair, the longer
    /// text loses tokens first, as with `truncation=True` in transformers.
    ///
    /// If a text has more than 16 KiB, only the part that is needed for `max_length` tokens is encoded, so time and memory
    /// depend on `max_length` and not on the length of the text. This part has at most 256 bytes for each token, or 128 KiB if
    /// that is more. The rest of the text is cut off, even if the part has fewer than `max_length` tokens.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::MaxLengthTooSmall`], [`TokenizerError::Encode`], [`TokenizerError::TokenizerTooLarge`].
    pub fn encode(&self, first: &str, second: Option<&str>, max_length: usize) -> Result<Encoding, TokenizerError> {
        let added = self.added_tokens(second.is_some());
        let minimum = added + if second.is_some() { 2 } else { 1 };
        if max_length < minimum {
            return Err(TokenizerError::MaxLengthTooSmall { max_length, minimum });
        }
        let encoding =
            self.encode_cut(first, second, max_length - added).map_err(|source| TokenizerError::Encode { source })?;
        if let Some(rows) = self.rows {
            self.check_ids(&encoding.input_ids, rows)?;
        }
        Ok(encoding)
    }

    /// Encodes a text that already has its special tokens, such as the result of a chat template, into at most `max_length`
    /// tokens.
    ///
    /// # Errors
    ///
    /// The errors of [`encode`](Self::encode).
    pub fn encode_whole(&self, text: &str, max_length: usize) -> Result<Encoding, TokenizerError> {
        let (encoding, tokens) =
            self.encode_enough(text, max_length).map_err(|source| TokenizerError::Encode { source })?;
        let mut input_ids = encoding.get_ids().to_vec();
        match self.direction {
            TruncationDirection::Left => drop(input_ids.drain(..input_ids.len().saturating_sub(max_length))),
            TruncationDirection::Right => input_ids.truncate(max_length),
        }
        self.check_ids(&input_ids, self.rows.unwrap_or(usize::MAX))?;
        Ok(Encoding { type_ids: vec![0; input_ids.len()], input_ids, cut: tokens.saturating_sub(max_length) })
    }

    /// Checks that ids are below the number of rows of an embedding.
    fn check_ids(&self, ids: &[u32], rows: usize) -> Result<(), TokenizerError> {
        match ids.iter().find(|id| **id as usize >= rows) {
            Some(id) => Err(TokenizerError::TokenizerTooLarge {
                path: self.name.clone(),
                token: self.inner.id_to_token(*id).unwrap_or_default(),
                id: *id as usize,
                vocab_size: rows,
            }),
            None => Ok(()),
        }
    }

    /// Encodes each text, then truncates the texts together to `length` tokens, special tokens not included. The truncation of
    /// the tokenizers crate's `encode` is not used, because version 0.23.2 truncates each text of a pair to `length` before it
    /// compares their lengths, so an odd token goes to the wrong text.
    fn encode_cut(&self, first: &str, second: Option<&str>, length: usize) -> Result<Encoding, Source> {
        let (first, mut tokens) = self.encode_enough(first, length)?;
        let second = match second {
            Some(text) => {
                let (mut encoding, more) = self.encode_enough(text, length)?;
                // Some post-processors set the segments themselves. BERT's post-processor uses these segments.
                encoding.set_type_ids(vec![1; encoding.len()]);
                tokens = tokens.saturating_add(more);
                Some(encoding)
            }
            None => None,
        };
        let params = TruncationParams {
            direction: self.direction,
            max_length: length,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let (mut first, mut second) = truncate_encodings(first, second, &params)?;
        // Special tokens would be added to the overflowing tokens as well.
        first.take_overflowing();
        second.iter_mut().for_each(|encoding| drop(encoding.take_overflowing()));
        let encoding = guarded(|| self.inner.post_process(first, second, true))?;
        Ok(Encoding {
            input_ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            cut: tokens.saturating_sub(length),
        })
    }

    /// Encodes as much of a text as its first or last `length` tokens need, without special tokens. Also returns the number of
    /// tokens of the whole text, which is an estimate if only a part was encoded.
    fn encode_enough(&self, text: &str, length: usize) -> Result<(tokenizers::Encoding, usize), Source> {
        let mut pieces = Pieces::new(text, length, self.direction);
        loop {
            let piece = pieces.get();
            let encoding = guarded(|| self.inner.encode_fast(piece, false))?;
            if let Some(tokens) = pieces.tokens(encoding.len()) {
                return Ok((encoding, tokens));
            }
        }
    }

    /// The tokens of `ids` as the vocabulary spells them. An unknown id is `?`.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.inner.id_to_token(*id).unwrap_or_else(|| "?".to_owned())).collect()
    }

    /// The text of `ids`, without special tokens.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnreadableTokenizer`] if the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let unreadable = |source| TokenizerError::UnreadableTokenizer { path: self.name.clone(), source };
        guarded(|| self.inner.decode(ids, true)).map_err(unreadable)
    }

    /// Whether the last of `ids` completes one of `strings` in the text of `ids`. Special tokens are part of the text.
    pub fn ends_with_any(&self, ids: &[u32], strings: &[String]) -> bool {
        // Tokens with an empty text are rare, so twice as many tokens as the longest string has bytes are enough.
        let longest = strings.iter().map(String::len).max().unwrap_or(0);
        let tail = &ids[ids.len().saturating_sub(2 * longest + 1)..];
        let text = |ids: &[u32]| guarded(|| self.inner.decode(ids, false)).unwrap_or_default();
        let (before, whole) = (text(&tail[..tail.len().saturating_sub(1)]), text(tail));
        strings.iter().any(|string| whole.matches(string.as_str()).count() > before.matches(string.as_str()).count())
    }

    /// The token with the largest id.
    fn largest(&self) -> Option<(String, usize)> {
        self.inner.get_vocab(true).into_iter().max_by_key(|(_, id)| *id).map(|(token, id)| (token, id as usize))
    }
}

/// Calls the tokenizers crate and converts a panic to an error. Parts of this crate panic on inconsistent files.
fn guarded<T>(work: impl FnOnce() -> Result<T, Source>) -> Result<T, Source> {
    caught(work).unwrap_or_else(|panic| Err(Box::new(panic)))
}

#[cfg(test)]
mod config_tests;
#[cfg(test)]
mod tests;
