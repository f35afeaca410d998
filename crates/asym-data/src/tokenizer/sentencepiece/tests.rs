#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::scratch::{Scratch, shared};

/// The folder of files that `tests/fixtures/make_sentencepiece.py` creates.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/sentencepiece");

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FIXTURE).join(name)).unwrap()
}

fn whole() -> Model {
    Model::decode(fixture(MODEL).as_slice()).unwrap()
}

/// A folder with this model and this `tokenizer_config.json`. No other test may use the same `name`.
fn folder(name: &str, model: &[u8], config: Option<&Value>) -> Scratch {
    let folder = Scratch::new(&format!("sentencepiece-{name}"));
    folder.write(MODEL, model);
    if let Some(config) = config {
        folder.write("tokenizer_config.json", config.to_string().as_bytes());
    }
    folder
}

fn read_model(name: &str, model: &[u8]) -> Result<Tokenizer, SentencePieceError> {
    from_folder(folder(name, model, None).path())
}

fn read_config(name: &str, config: &Value) -> Result<Tokenizer, SentencePieceError> {
    from_folder(folder(name, &fixture(MODEL), Some(config)).path())
}

fn encode(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode_fast(text, true).unwrap().get_ids().to_vec()
}

/// Compares a tokenizer with one case of `expected.json`.
fn agrees(tokenizer: &Tokenizer, case: &Value) {
    let name = case["name"].as_str().unwrap();
    let numbers = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    assert_eq!(tokenizer.get_vocab_size(true), case["tokens"], "{name}");
    for entry in case["texts"].as_array().unwrap() {
        let text = entry["text"].as_str().unwrap();
        let ids = encode(tokenizer, text);
        assert_eq!(ids, numbers(&entry["ids"]), "{name}: {text:?}");
        let bare = tokenizer.encode_fast(text, false).unwrap();
        assert_eq!(bare.get_ids(), numbers(&entry["bare"]), "{name}: {text:?}");
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), entry["decoded"], "{name}: {text:?}");
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), entry["whole"], "{name}: {text:?}");
    }
    for pair in case["pairs"].as_array().unwrap() {
        let texts = (pair["first"].as_str().unwrap(), pair["second"].as_str().unwrap());
        let both = tokenizer.encode_fast(texts, true).unwrap();
        assert_eq!(both.get_ids(), numbers(&pair["ids"]), "{name}: {texts:?}");
        assert_eq!(both.get_type_ids(), numbers(&pair["segments"]), "{name}: {texts:?}");
    }
}

fn cases() -> Vec<Value> {
    serde_json::from_slice(&fixture("expected.json")).unwrap()
}

#[test]
fn the_fixture_agrees_with_transformers() {
    let cases = cases();
    assert_eq!(cases.len(), 7);
    agrees(&from_folder(Path::new(FIXTURE)).unwrap(), &cases[0]);
    for (index, case) in cases.iter().enumerate() {
        let tokenizer = read_config(&format!("case-{index}"), &case["config"]).unwrap();
        agrees(&tokenizer, case);
        // A training run writes the tokenizer next to its adapter as `tokenizer.json`.
        let written = tokenizer.to_string(false).unwrap();
        agrees(&Tokenizer::from_bytes(written).unwrap(), case);
    }
}

#[test]
fn defaults_are_used_without_a_configuration() {
    let tokenizer = read_model("bare", &fixture(MODEL)).unwrap();
    let none = cases().into_iter().find(|case| case["name"] == "none").unwrap();
    agrees(&tokenizer, &none);
    assert_eq!(encode(&tokenizer, "")[..], [1]);
    // null means the default value. For a token, it means that there is no such token.
    let null = json!({"add_bos_token": null, "add_eos_token": null, "legacy": null, "add_prefix_space": null,
        "added_tokens_decoder": null, "tokenizer_class": null, "pad_token": null});
    agrees(&read_config("null", &null).unwrap(), &none);
    assert_eq!(encode(&read_config("no-bos", &json!({"bos_token": null})).unwrap(), ""), [0; 0]);
}

/// The expected order follows `generate_merges` of transformers 4 and was derived by hand: by the score of the result, then by
/// the lengths of the left and the right part in characters (`éa` is three bytes), the longer first, then by id.
#[test]
fn merges_are_ranked_by_their_result() {
    let pieces = ["aa", "a", "éa", "é", "aéa", "aé", "b", "aaa", "ab"].map(str::to_owned);
    let scores = [-1e9, 0.0, -1.0, 0.0, -7.0, -3.0, 0.0, -1.0, -3.0];
    let ids: Vocab = pieces.iter().cloned().zip(0..).collect();
    let expected = [("aa", "a"), ("a", "aa"), ("é", "a"), ("a", "é"), ("a", "b"), ("aé", "a"), ("a", "éa"), ("a", "a")];
    let found = merges(&pieces, &scores, &ids);
    let found: Vec<(&str, &str)> = found.iter().map(|(left, right)| (left.as_str(), right.as_str())).collect();
    assert_eq!(found, expected);
}

/// Without byte pieces, neighboring unknown characters become one unknown token, as in SentencePiece.
#[test]
fn characters_without_byte_pieces_are_unknown() {
    let mut model = whole();
    for piece in &mut model.pieces {
        if let Some(text) = &mut piece.piece
            && text.starts_with("<0x")
        {
            text.insert(0, '@');
        }
    }
    let tokenizer = read_model("no-bytes", &model.encode_to_vec()).unwrap();
    let with = from_folder(Path::new(FIXTURE)).unwrap();
    let hello = tokenizer.token_to_id("hello").unwrap();
    let space = tokenizer.token_to_id("▁").unwrap();
    assert_eq!(encode(&tokenizer, "好hello好好"), [1, space, 0, hello, 0]);
    let bytes: Vec<u32> = "好".bytes().map(|byte| with.token_to_id(&format!("<0x{byte:02X}>")).unwrap()).collect();
    assert_eq!(encode(&with, "好hello"), [&[1, space][..], &bytes, &[hello]].concat());
    assert_eq!(with.decode(&bytes, true).unwrap(), "好");
}

#[test]
fn invalid_model_files_are_rejected() {
    let bytes = fixture(MODEL);
    let problem = |name: &str, model: &[u8]| match read_model(name, model).unwrap_err() {
        SentencePieceError::Unreadable { path, problem } => {
            assert!(path.ends_with(MODEL));
            problem
        }
        other => panic!("{other:?}"),
    };
    // Truncation must be detected, unless it happens after trainer_spec.
    let end = whole().encode_to_vec().len();
    assert!(end < bytes.len());
    let trainer = Model { pieces: Vec::new(), ..whole() }.encode_to_vec().len();
    for length in (0..end - trainer).step_by(7).chain([bytes.len() / 2]) {
        problem("cut", &bytes[..length]);
    }
    let between = Model { trainer: None, ..whole() }.encode_to_vec();
    assert_eq!(problem("no-trainer", &between), "it ends before its trainer_spec");
    assert_eq!(problem("empty", b""), "it has no pieces");
    let none = Model { pieces: Vec::new(), ..whole() }.encode_to_vec();
    assert_eq!(problem("no-pieces", &none), "it has no pieces");
    problem("tiktoken", b"IQ== 0\nIg== 1\nIw== 2\n");
    problem("json", br#"{"version": "1.0"}"#);
    problem("lfs", b"version https://git-lfs.github.com/spec/v1\n");
    problem("html", b"<!DOCTYPE html>");

    let error = from_folder(Scratch::new("sentencepiece-nothing").path()).unwrap_err();
    assert!(matches!(error, SentencePieceError::Io { .. }), "{error:?}");
}

#[test]
fn unsupported_models_are_rejected() {
    for (number, expected) in [
        (Some(1), "UNIGRAM (1)"),
        (Some(3), "WORD (3)"),
        (Some(4), "CHAR (4)"),
        (Some(9), "unknown (9)"),
        (None, "UNIGRAM (1)"),
    ] {
        let mut model = whole();
        model.trainer.as_mut().unwrap().model_type = number;
        let error = read_model("kind", &model.encode_to_vec()).unwrap_err();
        assert!(error.to_string().contains("expected BPE (2)"), "{error}");
        assert!(matches!(&error, SentencePieceError::ModelType { found, .. } if found == expected), "{error:?}");
    }

    type Field = fn(&mut Trainer) -> &mut Option<i32>;
    let fields: [(&str, Field); 4] = [
        ("unk_id", |trainer| &mut trainer.unk_id),
        ("bos_id", |trainer| &mut trainer.bos_id),
        ("eos_id", |trainer| &mut trainer.eos_id),
        ("pad_id", |trainer| &mut trainer.pad_id),
    ];
    for (name, field) in fields {
        let mut model = whole();
        *field(model.trainer.as_mut().unwrap()) = Some(400);
        match read_model("id", &model.encode_to_vec()).unwrap_err() {
            SentencePieceError::IdOutOfRange { key, found: 400, pieces: 400, .. } => assert_eq!(key, name),
            other => panic!("{other:?}"),
        }
        for fine in [399, -1] {
            *field(model.trainer.as_mut().unwrap()) = Some(fine);
            read_model("id", &model.encode_to_vec()).unwrap();
        }
    }

    for (text, rule) in [(None, "a non-empty text"), (Some(""), "a non-empty text"), (Some("hello"), "a unique piece")]
    {
        let mut model = whole();
        model.pieces[399].piece = text.map(str::to_owned);
        let error = read_model("piece", &model.encode_to_vec()).unwrap_err();
        assert!(
            matches!(&error, SentencePieceError::Piece { id: 399, expected, .. } if *expected == rule),
            "{error:?}"
        );
    }
}

#[test]
fn tokens_missing_from_the_model_are_rejected() {
    for key in ["bos_token", "eos_token", "unk_token"] {
        let error = read_config("missing", &json!({key: "<|start|>"})).unwrap_err();
        match &error {
            SentencePieceError::MissingPiece { path, key: found, token } => {
                assert!(path.ends_with(MODEL));
                assert_eq!((*found, token.as_str()), (key, "<|start|>"));
            }
            other => panic!("{other:?}"),
        }
        assert!(error.to_string().contains("added_tokens_decoder"), "{error}");
        let listed = json!({key: "<|start|>", "added_tokens_decoder": {"400": {"content": "<|start|>"}}});
        assert_eq!(read_config("listed", &listed).unwrap().token_to_id("<|start|>"), Some(400));
    }
    // The tokenizers crate skips an empty token.
    let empty = json!({"bos_token": "", "added_tokens_decoder": {"400": {"content": ""}}});
    let error = read_config("token-empty", &empty).unwrap_err();
    assert!(matches!(&error, SentencePieceError::MissingPiece { key: "bos_token", .. }), "{error:?}");
    // The same check applies to default tokens: a model without `</s>` is refused unless the configuration sets `eos_token`.
    let mut model = whole();
    model.pieces[2].piece = Some("[EOS]".to_owned());
    let error = read_model("default", &model.encode_to_vec()).unwrap_err();
    assert!(
        matches!(&error, SentencePieceError::MissingPiece { key: "eos_token", token, .. } if token == "</s>"),
        "{error:?}"
    );
    let config = json!({"eos_token": {"content": "[EOS]"}});
    from_folder(folder("own-eos", &model.encode_to_vec(), Some(&config)).path()).unwrap();

    // A token that is only an added token cannot be BPE's unknown token, so the character is encoded as bytes.
    let config = json!({"unk_token": "[UNK]", "added_tokens_decoder": {"400": {"content": "[UNK]"}}});
    assert_eq!(encode(&read_config("own-unknown", &config).unwrap(), "好").len(), 5);

    let hello = whole().pieces.iter().zip(0..).find(|(piece, _)| piece.piece() == "hello").unwrap().1;
    for (id, token, found) in [("401", "<new>", 400), ("5", "hello", hello), ("399", "<new>", 400)] {
        let config = json!({"added_tokens_decoder": {id: {"content": token}}});
        let error = read_config("token-id", &config).unwrap_err();
        match &error {
            SentencePieceError::AddedTokenId { token: name, expected, found: other, .. } => {
                assert_eq!((name.as_str(), *expected, *other), (token, id.parse().unwrap(), found));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn invalid_configurations_are_rejected() {
    let model = fixture(MODEL);
    for text in ["", "[1, 2]", "{", "\u{feff}{}"] {
        let folder = folder("config", &model, None);
        folder.write("tokenizer_config.json", text.as_bytes());
        let error = from_folder(folder.path()).unwrap_err();
        assert!(matches!(error, SentencePieceError::Config { .. }), "{text}: {error:?}");
        assert!(error.to_string().contains("tokenizer_config.json"), "{error}");
    }
    for (config, place) in [
        (json!({"add_bos_token": "yes"}), "add_bos_token"),
        (json!({"add_eos_token": 1}), "add_eos_token"),
        (json!({"legacy": []}), "legacy"),
        (json!({"add_prefix_space": {}}), "add_prefix_space"),
        (json!({"bos_token": 1}), "bos_token"),
        (json!({"eos_token": {"id": 1}}), "eos_token"),
        (json!({"pad_token": {"content": "a", "lstrip": "no"}}), "pad_token"),
        (json!({"image_token": {}}), "image_token"),
        (json!({"tokenizer_class": 3}), "tokenizer_class"),
        (json!({"added_tokens_decoder": []}), "added_tokens_decoder"),
        (json!({"added_tokens_decoder": {"-1": "a"}}), "added_tokens_decoder"),
        (json!({"added_tokens_decoder": {"4294967296": "a"}}), "added_tokens_decoder"),
        (json!({"added_tokens_decoder": {"400": 7}}), "added_tokens_decoder.400"),
        (json!({"extra_special_tokens": "a"}), "extra_special_tokens"),
        (json!({"extra_special_tokens": {"own": 1}}), "extra_special_tokens.own"),
        (json!({"additional_special_tokens": ["a", 1]}), "additional_special_tokens"),
    ] {
        match read_config("value", &config).unwrap_err() {
            SentencePieceError::Value { key, .. } => assert_eq!(key, place),
            other => panic!("{config}: {other:?}"),
        }
    }
    for class in ["GemmaTokenizer", "T5TokenizerFast", "LLaMATokenizer", "PreTrainedTokenizerFast"] {
        let error = read_config("class", &json!({"tokenizer_class": class})).unwrap_err();
        assert!(matches!(&error, SentencePieceError::Class { found, .. } if found == class), "{error:?}");
    }
    for class in ["LlamaTokenizer", "LlamaTokenizerFast"] {
        read_config("class", &json!({"tokenizer_class": class})).unwrap();
    }
}

/// A list of extra tokens replaces the model's own control and user-defined pieces, as in transformers.
#[test]
fn extra_tokens_are_read_from_the_configuration() {
    let extra = |config: Value| read_config("extra", &config).unwrap().get_added_tokens_decoder();
    let own = extra(json!({}));
    assert_eq!(own.keys().copied().max(), Some(4));
    assert!(own[&3].special && !own[&4].special && !own[&4].normalized);
    for config in [
        json!({"additional_special_tokens": []}),
        json!({"extra_special_tokens": null}),
        json!({"extra_special_tokens": [], "additional_special_tokens": null}),
    ] {
        assert_eq!(extra(config.clone()).keys().copied().max(), Some(2), "{config}");
    }
    // A text is special and is not normalized. An object has its own fields for this.
    let kinds =
        extra(json!({"extra_special_tokens": ["<new>", {"content": "<b>"}, {"content": "<c>", "normalized": false}]}));
    assert_eq!(
        [400, 401, 402].map(|id| (kinds[&id].special, kinds[&id].normalized)),
        [(true, false), (false, true), (false, false)]
    );
    let both = extra(json!({"extra_special_tokens": ["<new>"], "additional_special_tokens": ["<old>"]}));
    assert_eq!((both[&400].content.as_str(), both.len()), ("<new>", 4));
    let older = extra(json!({"extra_special_tokens": [], "additional_special_tokens": ["<old>"]}));
    assert_eq!((older[&400].content.as_str(), older.len()), ("<old>", 4));
    let roles = extra(json!({"extra_special_tokens": {"own": "<own>"}}));
    assert_eq!((roles[&400].content.as_str(), roles.len()), ("<own>", 6));
}

/// The older form of `added_tokens_decoder`. The expected values are those of transformers 5.23 for these files.
#[test]
fn added_tokens_are_read_from_a_separate_file() {
    let config = json!({"add_bos_token": true, "pad_token": "<pad>", "additional_special_tokens": ["[PAD]"]});
    let folder = folder("added-file", &fixture(MODEL), Some(&config));
    folder.write("added_tokens.json", br#"{"[PAD]": 402, "<|im_end|>": 400, "<pad>": 401}"#);
    let tokenizer = from_folder(folder.path()).unwrap();
    let added = tokenizer.get_added_tokens_decoder();
    let kinds = [400, 401, 402].map(|id| (added[&id].content.as_str(), added[&id].special, added[&id].normalized));
    assert_eq!(kinds, [("<|im_end|>", false, true), ("<pad>", true, false), ("[PAD]", true, false)]);
    let space = tokenizer.token_to_id("▁").unwrap();
    assert_eq!(encode(&tokenizer, " <|im_end|><pad>"), [1, space, 400, 401]);

    folder.write("added_tokens.json", br#"{"<|im_end|>": 401}"#);
    let error = from_folder(folder.path()).unwrap_err();
    assert!(matches!(error, SentencePieceError::AddedTokenId { expected: 401, .. }), "{error:?}");
    folder.write("added_tokens.json", br#"{"<|im_end|>": "400"}"#);
    let error = from_folder(folder.path()).unwrap_err();
    assert!(matches!(&error, SentencePieceError::Value { key, .. } if key == "<|im_end|>"), "{error:?}");
    folder.write("added_tokens.json", b"[]");
    let error = from_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains("added_tokens.json: not a JSON object: found []"), "{error}");
    // tokenizer_config.json takes precedence.
    let config = json!({"added_tokens_decoder": {"400": {"content": "<new>"}}});
    folder.write("tokenizer_config.json", config.to_string().as_bytes());
    assert_eq!(from_folder(folder.path()).unwrap().get_vocab_size(true), 401);
}

/// Tokens whose names cannot be written in the notation of the post-processor's builder.
#[test]
fn token_names_may_contain_colons_and_spaces() {
    let config = json!({"bos_token": "$A: b", "added_tokens_decoder": {"400": {"content": "$A: b"}}});
    assert_eq!(encode(&read_config("names", &config).unwrap(), ""), [400]);
}

/// Compares 64-bit FNV-1a hashes of every instruction, input and output of `alpaca_small_2000.json`, followed by every line of
/// CoLA's dev set. The expected hashes were computed by transformers 4.57.6 with `legacy=False`, which is the behavior of
/// version 5 except for the ranks of the merges:
///
/// ```python
/// tok = LlamaTokenizerFast.from_pretrained("tok-llama", legacy=False)
/// texts = [row[key] for row in alpaca for key in ("instruction", "input", "output")] + cola.split("\n")
/// for text in texts:
///     e = tok(text).input_ids
///     for v in [len(e), *e]: ids = add(ids, v.to_bytes(4, "little"))
///     decoded = add(decoded, tok.decode(e, skip_special_tokens=True).encode() + b"\0")
/// ```
#[test]
fn llama_agrees_with_transformers() {
    let Some(shared) = shared() else { return };
    let start = std::time::Instant::now();
    let tokenizer = from_folder(&shared.join("data/tok-llama")).unwrap();
    assert!(start.elapsed().as_secs_f32() < 2.0, "{:?}", start.elapsed());
    assert_eq!(tokenizer.get_vocab_size(true), 32000);
    // A known encoding.
    assert_eq!(encode(&tokenizer, "Hello world!"), [1, 15043, 3186, 29991]);

    let alpaca = std::fs::read(shared.join("data/alpaca/alpaca_small_2000.json")).unwrap();
    let alpaca: Vec<Map<String, Value>> = serde_json::from_slice(&alpaca).unwrap();
    let cola = std::fs::read_to_string(shared.join("data/CoLA/dev.tsv")).unwrap();
    let rows = alpaca.iter().flat_map(|row| ["instruction", "input", "output"].map(|key| row[key].as_str().unwrap()));
    let add = |hash: &mut u64, bytes: &[u8]| {
        for byte in bytes {
            *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    let (mut ids, mut decoded, mut texts) = (0xcbf2_9ce4_8422_2325_u64, 0xcbf2_9ce4_8422_2325_u64, 0);
    for text in rows.chain(cola.split('\n')) {
        let encoded = encode(&tokenizer, text);
        add(&mut ids, &(encoded.len() as u32).to_le_bytes());
        encoded.iter().for_each(|id| add(&mut ids, &id.to_le_bytes()));
        let back = tokenizer.decode(&encoded, true).unwrap();
        assert_eq!(back, text);
        add(&mut decoded, back.as_bytes());
        add(&mut decoded, b"\0");
        texts += 1;
    }
    assert_eq!((texts, ids, decoded), (7043, 0xded2_893f_8686_b717, 0xa51d_522e_440c_45d3), "{ids:#x} {decoded:#x}");
}
