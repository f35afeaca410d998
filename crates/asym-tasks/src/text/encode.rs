//! Tokenized examples, and their lengths.

use std::path::Path;

use asym_data::{Tokenizer, TokenizerError};

use super::batch::EncodedExample;
use super::target::Example;
use crate::base::Base;
use crate::error::TaskError;
use crate::task::Kept;

/// A text that cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}: {source}")]
pub struct EncodeError {
    /// The file.
    pub path: String,
    /// The line of the example.
    pub line: usize,
    /// The error of the tokenizer.
    pub source: TokenizerError,
}

/// Encoded examples, and their lengths before truncation.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// The examples in their order.
    pub examples: Vec<EncodedExample>,
    /// The lengths of the examples.
    pub lengths: Lengths,
}

/// Lengths of examples in tokens, special tokens included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// The number of examples.
    pub examples: usize,
    /// The number of examples that were truncated.
    pub cut: usize,
    /// The length of the longest example before truncation.
    pub longest: usize,
    /// The sum of all lengths before truncation.
    pub total: usize,
}

impl Lengths {
    /// The lengths of both sets together.
    pub fn and(self, other: Self) -> Self {
        Self {
            examples: self.examples + other.examples,
            cut: self.cut + other.cut,
            longest: self.longest.max(other.longest),
            total: self.total + other.total,
        }
    }

    /// A description for the user, on one line.
    pub fn describe(&self, max_length: usize) -> String {
        let mean = self.total as f64 / self.examples.max(1) as f64;
        let share = 100.0 * self.cut as f64 / self.examples.max(1) as f64;
        let cut = if self.cut == 0 {
            "none is cut".to_string()
        } else {
            format!("{} of {} examples ({share:.1} %) are cut", self.cut, self.examples)
        };
        format!(
            "tokens: at most {max_length} in an example; the longest has {}, the mean is {mean:.0}; {cut}",
            self.longest
        )
    }
}

/// Encode `examples` of the file `path`, each to at most `max_length` tokens.
///
/// # Errors
///
/// [`EncodeError`] with the line of an example that the tokenizer refuses.
pub fn encode(
    tokenizer: &Tokenizer,
    path: &str,
    examples: &[Example],
    max_length: usize,
) -> Result<Encoded, EncodeError> {
    let mut encoded = Encoded::default();
    for example in examples {
        let encoding = tokenizer
            .encode(&example.first, example.second.as_deref(), max_length)
            .map_err(|source| EncodeError { path: path.to_owned(), line: example.line, source })?;
        let length = encoding.input_ids.len() + encoding.cut;
        encoded.lengths = encoded.lengths.and(Lengths {
            examples: 1,
            cut: usize::from(encoding.cut > 0),
            longest: length,
            total: length,
        });
        encoded.examples.push(EncodedExample {
            input_ids: encoding.input_ids,
            type_ids: encoding.type_ids,
            target: example.target.clone(),
        });
    }
    Ok(encoded)
}

/// Save the tokenizer with a fully fine-tuned model, which needs it to process texts. An adapter uses the tokenizer of
/// its base model.
///
/// # Errors
///
/// The errors of [`Base::save_tokenizer`].
pub fn save_tokenizer(base: &Base, kept: Kept, folder: &Path) -> Result<(), TaskError> {
    if kept == Kept::Adapter { Ok(()) } else { base.save_tokenizer(folder) }
}

/// The maximum number of tokens in a preview.
const SHOWN: usize = 40;

/// The first tokens of an example for the user, on one line.
pub fn preview(tokenizer: &Tokenizer, example: &EncodedExample, answer: &str) -> String {
    let shown = &example.input_ids[..example.input_ids.len().min(SHOWN)];
    let more = if example.input_ids.len() > SHOWN { " …" } else { "" };
    format!("the first example as tokens, with the answer {answer}: {}{more}", tokenizer.tokens(shown).join(" "))
}
