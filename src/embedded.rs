//! The checkpoint that is compiled in, for a first table without any download.
//!
//! `models/roberta-mini/README.md` says what they are and which command made them.

use asym_tasks::{Base, TaskError};

macro_rules! embedded {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/models/roberta-mini/", $name)
    };
}

/// What adapters of the mini RoBERTa call their base model.
pub const NAME: &str = "roberta-mini (embedded)";

/// The mini RoBERTa, pre-trained on generated text.
///
/// # Errors
///
/// None, unless the files compiled in are damaged.
pub fn roberta_mini() -> Result<Base, TaskError> {
    Base::from_bytes(
        NAME,
        include_str!(embedded!("config.json")),
        include_bytes!(embedded!("model.safetensors")),
        include_bytes!(embedded!("tokenizer.json")),
    )
}
