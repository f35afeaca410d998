//! Errors of a tokenizer.

use std::path::PathBuf;

use super::sentencepiece::{SentencePieceError, Source};

/// A tokenizer cannot be read, does not fit a model, or cannot encode or decode.
///
/// `path` is the file, or the name of the bytes that were given to
/// [`Tokenizer::from_bytes`](super::Tokenizer::from_bytes).
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A `tokenizer.model`, or a file next to it, cannot be read.
    #[error(transparent)]
    SentencePiece(#[from] SentencePieceError),

    /// A folder has no tokenizer.
    #[error("{}: this folder has no tokenizer; looked for {}", folder.display(), looked_for.join(", or "))]
    MissingFile {
        /// The folder that was searched.
        folder: PathBuf,
        /// The files, or groups of files, that were looked for.
        looked_for: Vec<&'static str>,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// The files of a tokenizer cannot be parsed, or the tokenizer cannot be written as one file.
    #[error("{path}: the tokenizer cannot be read: {source}; fetch it again, or save it again with transformers")]
    UnreadableTokenizer {
        /// The file, or the name of the bytes.
        path: String,
        /// The error of the tokenizers crate.
        source: Source,
    },

    /// A chat template cannot be read, or it refuses the prompt.
    #[error(
        "{}: the chat template failed: {source}; repair the template or the conversation, or use a text without a chat \
        template",
        path.display()
    )]
    ChatTemplate {
        /// The file.
        path: PathBuf,
        /// The error of the template engine.
        source: Box<minijinja::Error>,
    },

    /// A token of `tokenizer_config.json` would not get its id in the file.
    #[error(
        "{path}: tokenizer_config.json gives the token `{token}` the id {expected}, but its id would be {}; the files do not \
        belong together",
        found.map_or_else(|| "none".to_owned(), |found| found.to_string())
    )]
    AddedToken {
        /// The tokenizer.
        path: String,
        /// The token.
        token: String,
        /// The id in the file.
        expected: u32,
        /// The id that the token would get.
        found: Option<u32>,
    },

    /// A vocabulary lacks a token that its family of models needs.
    #[error("{path}: the vocabulary has no `{token}`; the files do not belong to the model family of the checkpoint")]
    MissingToken {
        /// The vocabulary.
        path: String,
        /// The token.
        token: &'static str,
    },

    /// A tokenizer adds no special tokens, but the head of an encoder reads the first special token.
    #[error(
        "{path}: the tokenizer adds no special tokens, but the classifier reads the first special token; \
        use the tokenizer.json that belongs to the checkpoint"
    )]
    NoSpecialTokens {
        /// The tokenizer.
        path: String,
    },

    /// A text has a token for which the model has no embedding.
    #[error(
        "{path}: the token `{token}` has id {id}, and the model's embedding has {vocab_size} rows; leave the token out of the \
        text, or use the tokenizer that belongs to the checkpoint"
    )]
    TokenizerTooLarge {
        /// The tokenizer.
        path: String,
        /// A token of the text, or a special token.
        token: String,
        /// The id of the token.
        id: usize,
        /// The number of rows of the model's word embedding.
        vocab_size: usize,
    },

    /// A tokenizer uses segments for which the model has no embedding.
    #[error(
        "{path}: the tokenizer uses segment (token type) {found}, but the model's type_vocab_size is {type_vocab_size}; \
        use the tokenizer that belongs to the checkpoint"
    )]
    TooManySegments {
        /// The tokenizer.
        path: String,
        /// The largest segment of the tokenizer.
        found: usize,
        /// The number of rows of the model's token type embedding.
        type_vocab_size: usize,
    },

    /// A text could not be encoded.
    #[error("the text cannot be encoded: {source}")]
    Encode {
        /// The error of the tokenizers crate.
        source: Source,
    },

    /// The maximum length leaves no room for text in addition to the special tokens.
    #[error(
        "max length {max_length} leaves no room for text in addition to the special tokens; give at least {minimum}"
    )]
    MaxLengthTooSmall {
        /// The largest number of tokens of a text or pair, special tokens included.
        max_length: usize,
        /// The smallest length that leaves room for a token of each text.
        minimum: usize,
    },

    /// A sequence may become longer than the model has positions.
    #[error("max length {max_length} is above the {positions} positions of the model; give at most {positions}")]
    MaxLengthTooLarge {
        /// The largest number of tokens of a text or pair, special tokens included.
        max_length: usize,
        /// The number of tokens for which the model has position embeddings.
        positions: usize,
    },
}
