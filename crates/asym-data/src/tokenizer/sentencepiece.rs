//! SentencePiece's `tokenizer.model`, as transformers 5.23's `LlamaTokenizer` reads it, for the `tokenizers` crate.
//!
//! To produce the same ids, it ignores the same fields as transformers: the whole `normalizer_spec` (Llama's does not change
//! any character, and the space in front of a text is set by `add_prefix_space` of `tokenizer_config.json`). There are four
//! intended differences:
//!
//! - Merges are ranked by the score of their result, as in SentencePiece, in transformers 4 and in the `tokenizer.json` that
//!   transformers 4 wrote. Versions 5.23 and 5.24 rank them by the id of the result. Llama's runs of spaces have the worst
//!   scores but low ids, so these versions split indented code into pieces that differ from those on which Llama was trained.
//! - If `tokenizer_config.json` has no `add_bos_token`, a text begins with BOS, as in the documentation of transformers and in
//!   version 4. Versions 5.23 and 5.24 leave BOS out in this case, but Llama was trained with BOS.
//! - If a model does not have all bytes as pieces, a character that is not a piece becomes the unknown token, as in
//!   SentencePiece and in version 4. Version 5.23 drops such a character silently.
//! - BOS, EOS and the unknown token must be pieces or added tokens, and an added token must get its id in
//!   `tokenizer_config.json`. transformers would assign any free id.
//!
//! The fast tokenizer of version 4 differs in `legacy`, which is true by default there. It adds a space in front of every
//! stretch of text between special tokens, even if the stretch begins with a space. Here, as in version 5, `"legacy": true`
//! also adds a space in front of every stretch, but not if the stretch begins with a space.
//!
//! `added_tokens.json` is read as well if there is no `added_tokens_decoder`. `special_tokens_map.json` is not read, because in
//! folders of that age it repeats `tokenizer_config.json`.

mod config;
mod error;

use std::path::Path;

use prost::Message;
use serde_json::{Map, Value, json};
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::Replace;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

use self::config::{object, settings, shown};
pub use self::error::{SentencePieceError, Source};

/// The model's file in a checkpoint's folder.
pub(super) const MODEL: &str = "tokenizer.model";

/// SentencePiece writes a space as this character.
const SPACE: char = '▁';

/// The fields of `ModelProto`, of SentencePiece's `sentencepiece_model.proto`, that are used here.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Trainer>,
}

/// `ModelProto.SentencePiece`.
#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

/// `ModelProto.SentencePiece.Type`.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// `TrainerSpec`. An absent field has the default of the proto2 definition. The default ids of the unknown token, BOS and EOS
/// are those of the first three pieces.
#[derive(Clone, PartialEq, Message)]
struct Trainer {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
    #[prost(int32, optional, tag = "41")]
    bos_id: Option<i32>,
    #[prost(int32, optional, tag = "42")]
    eos_id: Option<i32>,
    #[prost(int32, optional, tag = "43")]
    pad_id: Option<i32>,
}

/// `TrainerSpec.ModelType` by number. The first type is the default.
const MODEL_TYPES: [(i32, &str); 4] = [(1, "UNIGRAM"), (2, "BPE"), (3, "WORD"), (4, "CHAR")];
const BPE_TYPE: i32 = 2;

/// The settings of `tokenizer_config.json` that are used here.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Whether BOS is added before every text.
    add_bos_token: bool,
    /// Whether EOS is added after every text.
    add_eos_token: bool,
    /// Whether a space is added in front of every stretch of text between added tokens, and not only in front of the whole
    /// text.
    legacy: bool,
    /// Whether a space is added in front of a text that does not begin with one.
    add_prefix_space: bool,
    /// Tokens that have a role, with their keys: first the seven standard tokens in transformers' order, then all other tokens.
    named: Vec<(String, AddedToken)>,
    /// The tokens of `added_tokens_decoder`, or of the older `added_tokens.json`, sorted by id.
    added: Vec<(u32, AddedToken)>,
    /// Further special tokens. If this is `None`, the model's control and user-defined pieces are used.
    extra: Option<Vec<AddedToken>>,
}

impl Default for Settings {
    fn default() -> Self {
        let named = ROLES
            .iter()
            .filter_map(|(key, default)| default.map(|token| ((*key).to_owned(), AddedToken::from(token, true))));
        Self {
            add_bos_token: true,
            add_eos_token: false,
            legacy: false,
            add_prefix_space: true,
            named: named.collect(),
            added: Vec::new(),
            extra: None,
        }
    }
}

impl Settings {
    fn token(&self, key: &str) -> Option<&str> {
        self.named.iter().find(|(name, _)| name == key).map(|(_, token)| token.content.as_str())
    }
}

/// The keys of the standard tokens, in the order in which transformers adds them, and Llama's defaults.
const ROLES: [(&str, Option<&str>); 7] = [
    (BOS, Some("<s>")),
    (EOS, Some("</s>")),
    (UNKNOWN, Some("<unk>")),
    ("sep_token", None),
    ("pad_token", None),
    ("cls_token", None),
    ("mask_token", None),
];
const BOS: &str = "bos_token";
const EOS: &str = "eos_token";
const UNKNOWN: &str = "unk_token";

/// Reads a folder's `tokenizer.model`, and the `tokenizer_config.json` and `added_tokens.json` next to it if they exist.
///
/// # Errors
///
/// The errors of [`read`]. [`SentencePieceError::Config`], [`SentencePieceError::Value`] and [`SentencePieceError::Class`] if
/// `tokenizer_config.json` or `added_tokens.json` is not valid.
pub(super) fn from_folder(folder: &Path) -> Result<Tokenizer, SentencePieceError> {
    let config = folder.join("tokenizer_config.json");
    let mut settings = if config.is_file() { settings(&config)? } else { Settings::default() };
    let added = folder.join("added_tokens.json");
    if settings.added.is_empty() && added.is_file() {
        settings.added = added_tokens(&added, &settings)?;
    }
    read(&folder.join(MODEL), settings)
}

/// Reads a `tokenizer.model`.
///
/// # Errors
///
/// [`SentencePieceError::Io`], [`SentencePieceError::Unreadable`], [`SentencePieceError::ModelType`],
/// [`SentencePieceError::Piece`] and [`SentencePieceError::IdOutOfRange`] for the file itself;
/// [`SentencePieceError::MissingPiece`] and [`SentencePieceError::AddedTokenId`] if the settings require tokens that the model
/// does not have; [`SentencePieceError::Tokenizer`].
pub(super) fn read(path: &Path, settings: Settings) -> Result<Tokenizer, SentencePieceError> {
    let unbuildable = |source: Source| SentencePieceError::Tokenizer { path: path.to_owned(), source };
    let Pieces { pieces, scores, special } = pieces(path)?;
    let ids: Vocab = pieces.iter().zip(0..).map(|(piece, id)| (piece.clone(), id)).collect();
    for key in [BOS, EOS, UNKNOWN] {
        if let Some(token) = settings.token(key)
            && !ids.contains_key(token)
            && (token.is_empty() || !settings.added.iter().any(|(_, added)| added.content == token))
        {
            return Err(SentencePieceError::MissingPiece { path: path.to_owned(), key, token: token.to_owned() });
        }
    }

    let merges = merges(&pieces, &scores, &ids);
    let unknown = settings.token(UNKNOWN).filter(|token| ids.contains_key(*token)).map(str::to_owned);
    // Bytes are tried regardless of trainer_spec.byte_fallback. If they are not pieces, the unknown token is used.
    let mut model = BPE::builder().vocab_and_merges(ids, merges).fuse_unk(true).byte_fallback(true);
    if let Some(unknown) = unknown {
        model = model.unk_token(unknown);
    }
    let mut tokenizer = Tokenizer::new(model.build().map_err(unbuildable)?);

    let scheme = match settings {
        Settings { add_prefix_space: false, .. } => PrependScheme::Never,
        Settings { legacy: true, .. } => PrependScheme::Always,
        _ => PrependScheme::First,
    };
    tokenizer.with_pre_tokenizer(Some(Metaspace::new(SPACE, scheme, false)));
    let spaces = Replace::new(SPACE.to_string(), " ").map_err(unbuildable)?;
    let mut decoder = vec![spaces.into(), ByteFallback::new().into(), Fuse::new().into()];
    if settings.add_prefix_space {
        decoder.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_decoder(Some(Sequence::new(decoder)));

    add_tokens(path, &mut tokenizer, &settings, special)?;
    let surround = surround(&tokenizer, &settings).map_err(unbuildable)?;
    tokenizer.with_post_processor(Some(surround));
    Ok(tokenizer)
}

/// The model's pieces and their scores in the order of their ids, and the pieces that are matched in a text as a whole.
struct Pieces {
    pieces: Vec<String>,
    scores: Vec<f32>,
    special: Vec<AddedToken>,
}

fn pieces(path: &Path) -> Result<Pieces, SentencePieceError> {
    let bytes = std::fs::read(path).map_err(|source| SentencePieceError::Io { path: path.to_owned(), source })?;
    let unreadable = |problem: String| SentencePieceError::Unreadable { path: path.to_owned(), problem };
    let model = Model::decode(bytes.as_slice()).map_err(|problem| unreadable(problem.to_string()))?;
    if model.pieces.is_empty() {
        return Err(unreadable("it has no pieces".to_owned()));
    }
    // The trainer_spec comes after the pieces. Without this check, a file that was truncated between two pieces would be
    // accepted.
    let trainer = model.trainer.ok_or_else(|| unreadable("it ends before its trainer_spec".to_owned()))?;
    let kind = trainer.model_type.unwrap_or(MODEL_TYPES[0].0);
    if kind != BPE_TYPE {
        let name = MODEL_TYPES.iter().find(|(number, _)| *number == kind).map_or("unknown", |(_, name)| name);
        return Err(SentencePieceError::ModelType { path: path.to_owned(), found: format!("{name} ({kind})") });
    }
    let count = model.pieces.len();
    let own = [
        ("unk_id", trainer.unk_id),
        ("bos_id", trainer.bos_id),
        ("eos_id", trainer.eos_id),
        ("pad_id", trainer.pad_id),
    ];
    for (key, id) in own {
        // A negative id means that there is no such piece.
        if let Some(found) = id
            && usize::try_from(found).is_ok_and(|id| id >= count)
        {
            return Err(SentencePieceError::IdOutOfRange { path: path.to_owned(), key, found, pieces: count });
        }
    }

    let mut pieces = Vec::with_capacity(count);
    let mut scores = Vec::with_capacity(count);
    let mut special = Vec::new();
    let mut seen = std::collections::HashSet::with_capacity(count);
    for (id, Piece { piece, score, kind }) in model.pieces.into_iter().enumerate() {
        let piece = piece.unwrap_or_default();
        let wrong = |expected| SentencePieceError::Piece { path: path.to_owned(), id, found: piece.clone(), expected };
        if piece.is_empty() {
            return Err(wrong("a non-empty text"));
        }
        if !seen.insert(piece.clone()) {
            return Err(wrong("a unique piece"));
        }
        if let Some(kind @ (CONTROL | USER_DEFINED)) = kind {
            // Both kinds of pieces are matched in a text as a whole, but decoding leaves out only control pieces.
            special.push(AddedToken::from(piece.clone(), kind == CONTROL).normalized(false));
        }
        pieces.push(piece);
        scores.push(score.unwrap_or_default());
    }
    Ok(Pieces { pieces, scores, special })
}

/// All merges of two pieces whose result is a piece, in the order in which they are tried. They are sorted by the score of the
/// result. As in version 4 of transformers, merges with the same score are sorted by the length of the left part and then of
/// the right part, longer parts first, and finally by the id of the result.
fn merges(pieces: &[String], scores: &[f32], ids: &Vocab) -> Merges {
    let mut found = Vec::new();
    for (piece, score) in pieces.iter().zip(scores) {
        let cuts = piece.char_indices().skip(1).map(|(cut, _)| piece.split_at(cut));
        for (left, right) in cuts.filter(|(left, right)| ids.contains_key(*left) && ids.contains_key(*right)) {
            found.push((*score, left.chars().count(), right.chars().count(), left, right));
        }
    }
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then((other.1, other.2).cmp(&(one.1, one.2))));
    found.into_iter().map(|(.., left, right)| (left.to_owned(), right.to_owned())).collect()
}

/// Adds the tokens that are matched in a text as a whole. They are added in the same order as in transformers, because the
/// order determines the ids of the tokens that are not pieces.
fn add_tokens(
    path: &Path,
    tokenizer: &mut Tokenizer,
    settings: &Settings,
    special: Vec<AddedToken>,
) -> Result<(), SentencePieceError> {
    let named = || settings.named.iter().map(|(_, token)| token);
    let listed = |token: &AddedToken| settings.added.iter().any(|(_, added)| added.content == token.content);
    let mut tokens: Vec<AddedToken> = settings.added.iter().map(|(_, token)| token.clone()).collect();
    for token in &mut tokens {
        token.special |= named().any(|named| named.content == token.content);
    }
    tokens.extend(named().filter(|token| !listed(token)).cloned());
    tokens.extend(settings.extra.clone().unwrap_or(special).into_iter().filter(|token| !listed(token)));
    tokenizer.add_tokens(tokens).map_err(|source| SentencePieceError::Tokenizer { path: path.to_owned(), source })?;

    for (expected, token) in &settings.added {
        if let Some(found) = tokenizer.token_to_id(&token.content)
            && found != *expected
        {
            return Err(SentencePieceError::AddedTokenId {
                path: path.to_owned(),
                token: token.content.clone(),
                expected: *expected,
                found,
            });
        }
    }
    Ok(())
}

/// The post-processor, which adds BOS and EOS around a text, or around each text of a pair. The second text of a pair is
/// segment 1.
fn surround(tokenizer: &Tokenizer, settings: &Settings) -> Result<TemplateProcessing, Source> {
    let bos = settings.token(BOS).filter(|_| settings.add_bos_token);
    let eos = settings.token(EOS).filter(|_| settings.add_eos_token);
    let one = |text: &str, segment: u32| -> Vec<Value> {
        let special = |token: &str| json!({"SpecialToken": {"id": token, "type_id": segment}});
        let text = json!({"Sequence": {"id": text, "type_id": segment}});
        bos.map(special).into_iter().chain([text]).chain(eos.map(special)).collect()
    };
    let (single, second) = (one("A", 0), one("B", 1));
    let pair = [single.clone(), second].concat();
    let ids: Map<String, Value> = [bos, eos]
        .into_iter()
        .flatten()
        .filter_map(|token| Some((token, tokenizer.token_to_id(token)?)))
        .map(|(token, id)| (token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    // The post-processor is built from JSON, because the builder would split a token with a colon or a space.
    Ok(serde_json::from_value(json!({
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": ids,
    }))?)
}

/// Reads `added_tokens.json`, the older form of `added_tokens_decoder`: tokens and their ids.
fn added_tokens(path: &Path, settings: &Settings) -> Result<Vec<(u32, AddedToken)>, SentencePieceError> {
    let named = settings.named.iter().map(|(_, token)| token);
    let special: Vec<&AddedToken> = named.chain(settings.extra.iter().flatten()).collect();
    let mut added = Vec::new();
    for (content, id) in object(path)? {
        let number = id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| SentencePieceError::Value {
            path: path.to_owned(),
            key: content.clone(),
            found: shown(&id),
            expected: "an id from 0 to 4294967295",
        })?;
        let special = special.iter().any(|token| token.content == content);
        added.push((number, AddedToken::from(content, special)));
    }
    added.sort_by_key(|(id, _)| *id);
    Ok(added)
}

#[cfg(test)]
mod tests;
