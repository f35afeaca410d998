//! The checkpoint and the tasks that are compiled in, for a first table without any download.
//!
//! `models/roberta-mini/README.md` says what they are and which command made them.

use asym_tasks::{Base, Split, Task, TaskError};

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

/// The generated set in the format of `task`.
///
/// # Errors
///
/// None, unless the files compiled in are damaged.
pub fn data(task: Task) -> Result<Split, TaskError> {
    let (train, dev) = match task {
        Task::Mrpc => (include_str!(embedded!("paraphrase/train.tsv")), include_str!(embedded!("paraphrase/dev.tsv"))),
        Task::Cola => {
            (include_str!(embedded!("acceptability/train.tsv")), include_str!(embedded!("acceptability/dev.tsv")))
        }
    };
    task.parse(("embedded train.tsv", train), ("embedded dev.tsv", dev))
}
