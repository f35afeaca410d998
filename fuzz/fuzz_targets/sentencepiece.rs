//! The tokenizer of a folder with a SentencePiece model. An input is the text of `tokenizer_config.json`, a zero byte, and the
//! bytes of `tokenizer.model`.
#![no_main]

use std::hint::black_box;

use asym_data::Tokenizer;
use asym_fuzz::{folder, two_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    two_files(["tokenizer_config.json", "tokenizer.model"], data);
    let Ok(tokenizer) = Tokenizer::for_generation(folder()) else { return };
    for text in ["the  cat sat <s> \u{e9}\u{1f600}", "", "\u{2581}"] {
        if let Ok(encoding) = tokenizer.encode(text, None, 64) {
            let _ = black_box(tokenizer.decode(&encoding.input_ids));
        }
    }
    let _ = black_box(tokenizer.to_json());
});
