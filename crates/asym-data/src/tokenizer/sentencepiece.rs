//! SentencePiece's `tokenizer.model`, as transformers 5.23's `LlamaTokenizer` reads it, for the `tokenizers` crate.
//!
//! To give the same ids, it ignores the same fields as transformers: the whole of `normalizer_spec` (Llama's changes no
//! character, and the space in front is `add_prefix_space` of `tokenizer_config.json`). Four things differ on purpose:
//!
//! - A merge's rank is its result's score, as in SentencePiece, in version 4 and in the `tokenizer.json` that it wrote.
//!   Versions 5.23 and 5.24 take the result's id. Llama's runs of spaces have the worst scores and low ids, so these
//!   versions cut indented code into other pieces than those on which Llama was trained.
//! - Without `add_bos_token` in `tokenizer_config.json` a text begins with BOS, as transformers documents it and version 4
//!   does it. Versions 5.23 and 5.24 then leave BOS out, which Llama was not trained for.
//! - A character that is not a piece, in a model that does not have all bytes as pieces, is the unknown token, as in
//!   SentencePiece and in version 4. Version 5.23 drops it silently.
//! - BOS, EOS and the unknown token must be pieces or added tokens, and an added token must get the id that
//!   `tokenizer_config.json` says. transformers would give it whichever id is free.
//!
//! Version 4's fast tokenizer differs by its `legacy`, which is true unless the file says otherwise: it puts the space
//! in front of every stretch between special tokens, even if the stretch begins with a space. Here `"legacy": true`
//! does the first, as in version 5, and not the second.
//!
//! `added_tokens.json` is read as well if there is no `added_tokens_decoder`. `special_tokens_map.json` is not read: in
//! a folder of that age it repeats `tokenizer_config.json`.

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

/// `TrainerSpec`. A field that is absent has proto2's default, the ids' being those of the first three pieces.
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

/// `TrainerSpec.ModelType` by number, its default first.
const MODEL_TYPES: [(i32, &str); 4] = [(1, "UNIGRAM"), (2, "BPE"), (3, "WORD"), (4, "CHAR")];
const BPE_TYPE: i32 = 2;

/// The settings of `tokenizer_config.json` that are used here.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Whether BOS is in front of every text.
    add_bos_token: bool,
    /// Whether EOS is added after every text.
    add_eos_token: bool,
    /// Whether a space is put in front of every stretch between added tokens, and not only of the text.
    legacy: bool,
    /// Whether a space is put in front of a text that does not begin with one.
    add_prefix_space: bool,
    /// Tokens that have a role, with their keys: first the seven standard ones in transformers' order, then the others.
    named: Vec<(String, AddedToken)>,
    /// `added_tokens_decoder`, or the older `added_tokens.json`, by ascending id.
    added: Vec<(u32, AddedToken)>,
    /// Further special tokens. If there is no list, they are the model's control and user-defined pieces.
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
/// The errors of [`read`]. [`SentencePieceError::Config`], [`SentencePieceError::Value`] and
/// [`SentencePieceError::Class`] if the files next to it cannot be understood.
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
/// [`SentencePieceError::MissingPiece`] and [`SentencePieceError::AddedTokenId`] where the settings ask for tokens that
/// it does not have; [`SentencePieceError::Tokenizer`].
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

/// The model's pieces and their scores in the order of their ids, and the pieces that are found in a text as a whole.
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
    // It comes after the pieces. Without this check, a file that was truncated between two pieces would be accepted.
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
        // A negative id says that there is no such piece.
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
            return Err(wrong("a text"));
        }
        if !seen.insert(piece.clone()) {
            return Err(wrong("each piece once"));
        }
        if let Some(kind @ (CONTROL | USER_DEFINED)) = kind {
            // Both are found in a text as a whole, but decoding leaves out only control pieces.
            special.push(AddedToken::from(piece.clone(), kind == CONTROL).normalized(false));
        }
        pieces.push(piece);
        scores.push(score.unwrap_or_default());
    }
    Ok(Pieces { pieces, scores, special })
}

/// Every way to make a piece of two others, in the order in which merges are tried. The order is by the score of the
/// result. Then, as in version 4 of transformers, longer left parts and longer right parts are first, and last the ids
/// decide.
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

/// Adds the tokens that are found in a text as a whole. The order is that of transformers, because it determines the
/// ids of those that are not pieces.
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

/// The post-processor: BOS and EOS around a text, and around each text of a pair, whose second is segment 1.
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
    // It is built as JSON, because the builder would split a token with a colon or a space.
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
