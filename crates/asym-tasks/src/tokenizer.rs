//! A checkpoint's tokenizer: text in, ids with special tokens out, truncated as Hugging Face does.
//!
//! `tokenizer.json` may fix padding and truncation, and the `tokenizers` crate obeys silently. Both are switched off on
//! reading: truncation is an argument of [`Tokenizer::encode`], padding is the batch's.

use std::path::Path;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings};
use tokenizers::{AddedToken, PostProcessor};

use crate::batch::EncodedExample;
use crate::error::{Source, TaskError};
use crate::table::{Example, Target};

mod sentencepiece;

pub use sentencepiece::SentencePieceError;

/// What a model can take, read from its configuration by whoever loads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Tokens that a sequence may have. For RoBERTa, whose positions begin behind the padding id, that is
    /// `max_position_embeddings - pad_token_id - 1`.
    pub positions: usize,
    /// Rows of the token type embedding; with one, the model is given no token types.
    pub type_vocab_size: usize,
    /// The id that fills a batch up.
    pub pad_token_id: usize,
}

/// A tokenizer whose own padding and truncation are off.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file, or the name of the bytes, for errors.
    name: String,
    /// Which end is cut: the file's choice survives, only its length does not.
    direction: TruncationDirection,
    pad_id: Option<u32>,
}

impl Tokenizer {
    /// Reads a checkpoint's folder: `tokenizer.json`, else RoBERTa's `vocab.json` and `merges.txt`, else SentencePiece's
    /// `tokenizer.model`, as Llama has it.
    ///
    /// # Errors
    ///
    /// [`TaskError::MissingFile`], [`TaskError::Io`], [`TaskError::UnreadableTokenizer`],
    /// [`TaskError::MissingToken`], [`TaskError::NoSpecialTokens`], [`TaskError::SentencePiece`].
    pub fn from_folder(folder: &Path) -> Result<Self, TaskError> {
        Self::for_generation(folder)?.with_special_tokens()
    }

    /// The same of a tokenizer that may add no special tokens: whoever classifies needs one to look at, whoever continues a
    /// text does not.
    ///
    /// # Errors
    ///
    /// As [`from_folder`](Self::from_folder), but [`TaskError::NoSpecialTokens`].
    pub fn for_generation(folder: &Path) -> Result<Self, TaskError> {
        let whole = folder.join("tokenizer.json");
        let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        if whole.is_file() {
            let bytes = std::fs::read(&whole).map_err(|source| TaskError::Io { path: whole.clone(), source })?;
            Self::parse(&whole.display().to_string(), &bytes)
        } else if vocab.is_file() && merges.is_file() {
            Self::roberta(&vocab, &merges)
        } else if folder.join(sentencepiece::MODEL).is_file() {
            let inner = sentencepiece::from_folder(folder)?;
            Self::new(folder.join(sentencepiece::MODEL).display().to_string(), inner)
        } else {
            Err(TaskError::MissingFile {
                folder: folder.to_owned(),
                looked_for: vec!["tokenizer.json", "vocab.json and merges.txt", sentencepiece::MODEL],
            })
        }
    }

    /// Reads the bytes of a `tokenizer.json`, which errors call `name`.
    ///
    /// # Errors
    ///
    /// [`TaskError::UnreadableTokenizer`], [`TaskError::NoSpecialTokens`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, TaskError> {
        Self::parse(name, bytes)?.with_special_tokens()
    }

    fn parse(name: &str, bytes: &[u8]) -> Result<Self, TaskError> {
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|source| TaskError::UnreadableTokenizer { path: name.to_owned(), source })?;
        Self::new(name.to_owned(), inner)
    }

    /// Byte-level BPE between `<s>` and `</s>`, as transformers builds it from the same two files.
    fn roberta(vocab: &Path, merges: &Path) -> Result<Self, TaskError> {
        let name = vocab.display().to_string();
        let unreadable =
            |source| TaskError::UnreadableTokenizer { path: format!("{name} with {}", merges.display()), source };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let model = BPE::builder().files(text(vocab), text(merges)).build().map_err(unreadable)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        let id =
            |token: &'static str| inner.token_to_id(token).ok_or(TaskError::MissingToken { path: name.clone(), token });
        let (start, end) = (id("<s>")?, id("</s>")?);
        id("<pad>")?;
        // Only tokens that the vocabulary has: adding another would give it an id behind the embedding's last row.
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

    fn new(name: String, mut inner: tokenizers::Tokenizer) -> Result<Self, TaskError> {
        let pad_id = inner
            .get_padding()
            .and_then(|padding| inner.token_to_id(&padding.pad_token))
            .or_else(|| inner.token_to_id("<pad>"))
            .or_else(|| inner.token_to_id("[PAD]"));
        let direction = inner.get_truncation().map_or(TruncationDirection::Right, |truncation| truncation.direction);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|source| TaskError::UnreadableTokenizer { path: name.clone(), source })?;
        Ok(Self { inner, name, direction, pad_id })
    }

    fn with_special_tokens(self) -> Result<Self, TaskError> {
        match self.added_tokens(false) {
            0 => Err(TaskError::NoSpecialTokens { path: self.name }),
            _ => Ok(self),
        }
    }

    /// Writes `tokenizer.json` into `folder`, as the tokenizer is used here: without padding or truncation of its own.
    ///
    /// # Errors
    ///
    /// [`TaskError::Io`], [`TaskError::UnreadableTokenizer`].
    pub fn save(&self, folder: &Path) -> Result<(), TaskError> {
        let path = folder.join("tokenizer.json");
        let unreadable = |source| TaskError::UnreadableTokenizer { path: path.display().to_string(), source };
        let text = self.inner.to_string(true).map_err(unreadable)?;
        crate::run::write_whole(&path, text.as_bytes())
    }

    /// Size of the vocabulary: one more than its largest id, so that a vocabulary with holes counts in full.
    pub fn vocab_size(&self) -> usize {
        self.largest().map_or(0, |(_, id)| id + 1)
    }

    /// The id of a token.
    pub fn token_id(&self, token: &str) -> Option<usize> {
        self.inner.token_to_id(token).map(|id| id as usize)
    }

    /// The id that the tokenizer pads with, where its file or its vocabulary says so.
    pub fn pad_id(&self) -> Option<usize> {
        self.pad_id.map(|id| id as usize)
    }

    /// Special tokens around a text, or around and between a pair of texts.
    pub fn added_tokens(&self, pair: bool) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }

    /// Holds the tokenizer and `max_length` (tokens, special ones included) against what the model can take.
    ///
    /// # Errors
    ///
    /// [`TaskError::TokenizerTooLarge`], [`TaskError::PadMismatch`], [`TaskError::TooManySegments`],
    /// [`TaskError::MaxLengthTooLarge`].
    pub fn check(&self, limits: &ModelLimits, max_length: usize) -> Result<(), TaskError> {
        if let Some((token, id)) = self.largest()
            && id >= limits.vocab_size
        {
            return Err(TaskError::TokenizerTooLarge {
                path: self.name.clone(),
                token,
                id,
                vocab_size: limits.vocab_size,
            });
        }
        // Another family's smaller tokenizer would pass the test above; its padding betrays it.
        if let Some(pad) = self.pad_id()
            && pad != limits.pad_token_id
        {
            return Err(TaskError::PadMismatch { path: self.name.clone(), tokenizer: pad, model: limits.pad_token_id });
        }
        if max_length > limits.positions {
            return Err(TaskError::MaxLengthTooLarge { max_length, positions: limits.positions });
        }
        let probe = self.encode(&probe(), usize::MAX)?;
        let segment = probe.type_ids.iter().copied().max().unwrap_or(0) as usize;
        // A model with one type gets no types at all.
        if limits.type_vocab_size > 1 && segment >= limits.type_vocab_size {
            return Err(TaskError::TooManySegments {
                path: self.name.clone(),
                found: segment,
                type_vocab_size: limits.type_vocab_size,
            });
        }
        Ok(())
    }

    /// Encodes one example, at most `max_length` tokens long, special tokens included.
    ///
    /// A longer one loses its last tokens; of a pair the longer text loses first (`truncation=True` in transformers).
    ///
    /// # Errors
    ///
    /// [`TaskError::MaxLengthTooSmall`], [`TaskError::Encode`] with the example's line.
    pub fn encode(&self, example: &Example, max_length: usize) -> Result<EncodedExample, TaskError> {
        self.encode_example(example, max_length).map_err(|failure| match failure {
            Failure::TooSmall { minimum } => TaskError::MaxLengthTooSmall { max_length, minimum },
            Failure::Tokenizer(source) => TaskError::Encode { line: example.line, source },
        })
    }

    /// The text of `ids`, without special tokens.
    ///
    /// # Errors
    ///
    /// [`TaskError::UnreadableTokenizer`] where the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TaskError> {
        let unreadable = |source| TaskError::UnreadableTokenizer { path: self.name.clone(), source };
        self.inner.decode(ids, true).map_err(unreadable)
    }

    /// Encodes examples in their order, each as [`Tokenizer::encode`].
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode_all(&self, examples: &[Example], max_length: usize) -> Result<Vec<EncodedExample>, TaskError> {
        examples.iter().map(|example| self.encode(example, max_length)).collect()
    }

    /// Each text is encoded whole, then the two are cut together. The tokenizer's own truncation will not do: tokenizers
    /// 0.23.2 cuts each text of a pair to `max_length` before it compares them, so that an odd token goes to the wrong one.
    fn encode_example(&self, example: &Example, max_length: usize) -> Result<EncodedExample, Failure> {
        let pair = example.second.is_some();
        let added = self.added_tokens(pair);
        let minimum = added + if pair { 2 } else { 1 };
        if max_length < minimum {
            return Err(Failure::TooSmall { minimum });
        }
        let first = self.inner.encode_fast(example.first.as_str(), false)?;
        let second = match &example.second {
            Some(text) => {
                let mut encoding = self.inner.encode_fast(text.as_str(), false)?;
                // Some post-processors set the segments themselves, BERT's own takes them from here.
                encoding.set_type_ids(vec![1; encoding.len()]);
                Some(encoding)
            }
            None => None,
        };
        let params = TruncationParams {
            direction: self.direction,
            max_length: max_length - added,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let (mut first, mut second) = truncate_encodings(first, second, &params)?;
        // What was cut off would be given special tokens as well.
        first.take_overflowing();
        second.iter_mut().for_each(|encoding| drop(encoding.take_overflowing()));
        let encoding = self.inner.post_process(first, second, true)?;
        Ok(EncodedExample {
            input_ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            target: example.target,
        })
    }

    /// The token of the largest id.
    fn largest(&self) -> Option<(String, usize)> {
        self.inner.get_vocab(true).into_iter().max_by_key(|(_, id)| *id).map(|(token, id)| (token, id as usize))
    }
}

/// Why an example could not be encoded, before its line is known.
enum Failure {
    TooSmall { minimum: usize },
    Tokenizer(Source),
}

impl From<Source> for Failure {
    fn from(source: Source) -> Self {
        Self::Tokenizer(source)
    }
}

fn probe() -> Example {
    Example { first: "a".to_owned(), second: Some("b".to_owned()), target: Target::Unknown, line: 0 }
}

#[cfg(test)]
mod tests;
