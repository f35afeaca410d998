//! The checkpoint that is compiled into the program, so that a first table needs no download.
//!
//! `models/roberta-mini/README.md` describes the files and the command that made them.

use asym_tasks::{Base, TaskError};

macro_rules! embedded {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/models/roberta-mini/", $name)
    };
}

/// The name of the base model in adapters of the mini RoBERTa.
pub const NAME: &str = "roberta-mini (embedded)";

/// The mini RoBERTa, pre-trained on generated text.
///
/// # Errors
///
/// Returns an error if the embedded files are damaged.
pub fn roberta_mini() -> Result<Base, TaskError> {
    Base::from_bytes(
        NAME,
        include_str!(embedded!("config.json")),
        include_bytes!(embedded!("model.safetensors")),
        include_bytes!(embedded!("tokenizer.json")),
    )
}
