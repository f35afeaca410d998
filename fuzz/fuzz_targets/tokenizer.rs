//! `tokenizer.json`, and texts encoded and decoded with it.
#![no_main]

use std::hint::black_box;

use asym_data::Tokenizer;
use libfuzzer_sys::fuzz_target;

const ROWS: usize = 300;
const LENGTH: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_bytes("tokenizer.json", data) else { return };
    let tokenizer = tokenizer.for_rows(ROWS);
    black_box((tokenizer.vocab_size(), tokenizer.pad_id(), tokenizer.added_tokens(true)));
    for (first, second) in [("the cat sat <mask> \u{e9}\u{1f600}", Some("a dog")), ("", None)] {
        let Ok(encoding) = tokenizer.encode(first, second, LENGTH) else { continue };
        assert!(encoding.input_ids.len() <= LENGTH);
        assert_eq!(encoding.input_ids.len(), encoding.type_ids.len());
        assert!(encoding.input_ids.iter().all(|id| (*id as usize) < ROWS));
        let _ = black_box(tokenizer.decode(&encoding.input_ids));
    }
    let _ = black_box(tokenizer.encode_whole("[CLS] a b\tc\n", 4));
    let _ = black_box(tokenizer.to_json());
});
