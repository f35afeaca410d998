//! Older files of tokenizers. An input is RoBERTa's `vocab.json`, a zero byte and `merges.txt`. The whole input is also read as
//! BERT's `vocab.txt`.
#![no_main]

use std::hint::black_box;

use asym_data::Tokenizer;
use asym_fuzz::{file, folder, two_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    two_files(["pairs/vocab.json", "pairs/merges.txt"], data);
    file("words/vocab.txt", data);
    for name in ["pairs", "words"] {
        let Ok(tokenizer) = Tokenizer::from_folder(&folder().join(name)) else { continue };
        for text in ["the  cats sat <mask> \u{e9}\u{1f600}", ""] {
            if let Ok(encoding) = tokenizer.encode(text, Some("a dog"), 64) {
                let _ = black_box(tokenizer.decode(&encoding.input_ids));
            }
        }
        let _ = black_box(tokenizer.to_json());
    }
});
