//! Instructions with answers, on which a Llama is trained: Alpaca, and a user's own files.
//!
//! ```toml
//! tasks = ["instruction"]         # or alpaca, with the settings of its authors
//! data = "answers.jsonl"          # a file, a folder with a training set, or a name on the Hub
//!
//! [task]
//! instruction = "question"        # the columns, if they are not called instruction, input and output; or
//! output = "answer"               # prompt and completion; or messages
//! template = "stanford"           # alpaca-lora, plain, chat, or a Jinja template of the prompt
//! loss = "answer"                 # or all
//! ```
//!
//! Each row is rendered as one text, which is encoded once. A token is used in the loss if its span overlaps an answer. The
//! prompt is not encoded separately, since its tokens could differ from the first tokens of the text. Padding is identified by
//! lengths, so the padding token may have the id of any token.

mod encode;
mod error;
mod files;
mod knowledge;
mod options;
mod paper;
mod task;
mod template;
#[cfg(test)]
mod tests;

pub use self::error::InstructionError;
pub use self::files::{Content, Layout, Rows, Sample};
pub use self::knowledge::InstructionEvaluation;
pub use self::options::{InstructionOptions, LossOn, TooLong, Unlabeled};
pub use self::paper::{MmluCell, mmlu_cells};
pub use self::task::{Instruction, InstructionData};
