//! Tests of the settings of `tokenizer_config.json`, and of BERT's `vocab.txt` without a `tokenizer.json`.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::scratch::Scratch;

const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nThe\ncat\nCat\n##s\nsat\ncafe\ncafé\n中\n";

/// A folder with a vocabulary and this configuration.
fn folder(name: &str, config: &str) -> Scratch {
    let folder = Scratch::new(&format!("tokenizer-config-{name}"));
    folder.write("vocab.txt", VOCABULARY.as_bytes());
    folder.write("tokenizer_config.json", config.as_bytes());
    folder
}

fn tokens(tokenizer: &Tokenizer, text: &str, max_length: usize) -> String {
    tokenizer.tokens(&tokenizer.encode(text, None, max_length).unwrap().input_ids).join(" ")
}

/// `BertTokenizer` of transformers lower-cases by default, and removes accents if it lower-cases.
#[test]
fn a_vocabulary_alone_gives_a_bert_tokenizer() {
    for (name, config, text, expected) in [
        ("default", "{}", "The Cats café", "[CLS] the cat ##s cafe [SEP]"),
        ("lower", r#"{"do_lower_case": true}"#, "The Cats café", "[CLS] the cat ##s cafe [SEP]"),
        ("cased", r#"{"do_lower_case": false}"#, "The Cats café", "[CLS] The Cat ##s café [SEP]"),
        ("accents", r#"{"do_lower_case": true, "strip_accents": false}"#, "The café", "[CLS] the café [SEP]"),
        ("chinese", "{}", "中中", "[CLS] 中 中 [SEP]"),
        ("whole", r#"{"tokenize_chinese_chars": false}"#, "中中", "[CLS] [UNK] [SEP]"),
        ("null", r#"{"do_lower_case": null, "model_max_length": 64, "x": [1]}"#, "The", "[CLS] the [SEP]"),
    ] {
        let folder = folder(name, config);
        let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
        assert_eq!(tokens(&tokenizer, text, 64), expected, "{name}");
        assert_eq!(tokenizer.pad_id(), Some(0));
        let pair = tokenizer.encode("the cat", Some("sat"), 64).unwrap();
        assert_eq!(tokenizer.tokens(&pair.input_ids).join(" "), "[CLS] the cat [SEP] sat [SEP]");
        assert_eq!(pair.type_ids, [0, 0, 0, 0, 1, 1]);
    }
}

/// `tokenizer_config.json` takes precedence over `tokenizer.json`.
#[test]
fn tokenizer_config_takes_precedence() {
    let cased = folder("file", r#"{"do_lower_case": false}"#);
    let json = Tokenizer::from_folder(cased.path()).unwrap().to_json().unwrap();
    let read = |name: &str, config: Option<&str>| {
        let folder = Scratch::new(&format!("tokenizer-config-json-{name}"));
        folder.write("tokenizer.json", json.as_bytes());
        config.iter().for_each(|config| folder.write("tokenizer_config.json", config.as_bytes()));
        Tokenizer::from_folder(folder.path())
    };
    assert_eq!(tokens(&read("none", None).unwrap(), "The Cats", 64), "[CLS] The Cat ##s [SEP]");
    let lower = read("lower", Some(r#"{"do_lower_case": true}"#)).unwrap();
    assert_eq!(tokens(&lower, "The Cats", 64), "[CLS] the cat ##s [SEP]");
    let right = read("right", Some(r#"{"truncation_side": "right"}"#)).unwrap();
    assert_eq!(tokens(&right, "the cat sat", 4), "[CLS] the cat [SEP]");
    let left = read("left", Some(r#"{"truncation_side": "left"}"#)).unwrap();
    assert_eq!(tokens(&left, "the cat sat", 4), "[CLS] cat sat [SEP]");

    // Each added token beyond the vocabulary is matched as a single token, and an added token that already exists has no
    // effect.
    let user = r#"{"added_tokens_decoder": {
        "0": {"content": "[PAD]", "special": true},
        "15": {"content": "<image>", "special": false, "normalized": false},
        "14": {"content": "<user>", "special": true}}}"#;
    let added = read("added", Some(user)).unwrap();
    assert_eq!(tokens(&added, "<user> The <image>cat", 64), "[CLS] <user> The <image> cat [SEP]");
    assert_eq!((added.token_id("<user>"), added.token_id("<image>"), added.vocab_size()), (Some(14), Some(15), 16));
    let wrong = r#"{"added_tokens_decoder": {"99": {"content": "<far>"}}}"#;
    let error = read("wrong", Some(wrong)).unwrap_err();
    assert!(matches!(error, TokenizerError::AddedToken { expected: 99, found: Some(14), .. }), "{error}");
    assert!(matches!(read("damaged", Some("{")), Err(TokenizerError::UnreadableTokenizer { .. })));
    assert!(matches!(
        read("side", Some(r#"{"truncation_side": "up"}"#)),
        Err(TokenizerError::UnreadableTokenizer { .. })
    ));
}

#[test]
fn a_vocabulary_without_its_special_tokens_is_refused() {
    let folder = folder("missing", "{}");
    folder.write("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\nthe\n");
    let error = Tokenizer::from_folder(folder.path()).unwrap_err();
    assert!(matches!(error, TokenizerError::MissingToken { token: "[SEP]", .. }), "{error}");
}
