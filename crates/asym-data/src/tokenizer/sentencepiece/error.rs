//! Errors of SentencePiece's file.

use std::path::PathBuf;

/// The error type of the `tokenizers` crate.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// A `tokenizer.model`, or the `tokenizer_config.json` or `added_tokens.json` next to it, cannot be read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SentencePieceError {
    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// The file is not a SentencePiece model, or it is truncated.
    #[error(
        "{}: not a complete SentencePiece model: {problem}; fetch it again, or add a tokenizer.json to the folder (the \
        tokenizer.model of Llama 3 and some other models has tiktoken's format and cannot be read)", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },

    /// The model is not BPE.
    #[error(
        "{}: trainer_spec.model_type is {found}, expected BPE (2), as in Llama (for other types, the ids of the pieces depend \
        on the model's family); save the tokenizer with transformers and use its tokenizer.json", path.display()
    )]
    ModelType {
        /// The file.
        path: PathBuf,
        /// The type's name and number.
        found: String,
    },

    /// A piece is empty, or equal to another piece.
    #[error("{}: pieces[{id}].piece is `{found}`, expected {expected}; fetch the file again", path.display())]
    Piece {
        /// The file.
        path: PathBuf,
        /// The piece's id.
        id: usize,
        /// The piece.
        found: String,
        /// The rule that the value violates.
        expected: &'static str,
    },

    /// An id in the model's header is not the id of a piece.
    #[error(
        "{}: trainer_spec.{key} is {found}, expected an id below {pieces}; fetch the file again", path.display()
    )]
    IdOutOfRange {
        /// The file.
        path: PathBuf,
        /// The field.
        key: &'static str,
        /// Its value.
        found: i32,
        /// The number of pieces of the model.
        pieces: usize,
    },

    /// `tokenizer_config.json` or `added_tokens.json` is not a JSON object.
    #[error("{}: not a JSON object: {problem}; fetch it again, or remove it", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The error of the reader, or the value in the file.
        problem: String,
    },

    /// A value in `tokenizer_config.json` or `added_tokens.json` has the wrong type.
    #[error("{}: `{key}` is {found}, expected {expected}; correct or remove it", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key. Dots separate the keys of nested objects.
        key: String,
        /// Its value.
        found: String,
        /// The allowed values.
        expected: &'static str,
    },

    /// The class in `tokenizer_config.json` is not Llama's. Other classes assign other ids to the same pieces.
    #[error(
        "{}: `tokenizer_class` is `{found}`, expected LlamaTokenizer or LlamaTokenizerFast (a tokenizer.model of another \
        class cannot be read); save the tokenizer with transformers and use its tokenizer.json", path.display()
    )]
    Class {
        /// The file.
        path: PathBuf,
        /// The class.
        found: String,
    },

    /// BOS, EOS or the unknown token is not a token of the model.
    #[error(
        "{}: `{key}` is `{token}`, but the model has no such piece; in tokenizer_config.json, set the key to a piece of the \
        model or to null, or list the token with its id in `added_tokens_decoder`", path.display()
    )]
    MissingPiece {
        /// The model's file.
        path: PathBuf,
        /// The key of `tokenizer_config.json`.
        key: &'static str,
        /// The token in the file, or the default token.
        token: String,
    },

    /// An added token would not get its id in `tokenizer_config.json` or `added_tokens.json`.
    #[error(
        "{}: `added_tokens_decoder` (or added_tokens.json) gives `{token}` the id {expected}, but with this model's \
        pieces its id is {found}; use the tokenizer.model that belongs to the checkpoint, or its tokenizer.json", path.display()
    )]
    AddedTokenId {
        /// The model's file.
        path: PathBuf,
        /// The token.
        token: String,
        /// The id in the file.
        expected: u32,
        /// The id that the token has or would get.
        found: u32,
    },

    /// The tokenizers crate refused the tokenizer.
    #[error(
        "{}: the tokenizer cannot be built: {source}; save it with transformers and use its tokenizer.json", path.display()
    )]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The error of the tokenizers crate.
        source: Source,
    },
}
