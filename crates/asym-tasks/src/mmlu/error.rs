//! Errors of an evaluation on MMLU.

use std::path::PathBuf;

use asym_data::{TableError, TokenizerError};

use crate::answers::AnswersError;
use crate::names::hint;

/// Why questions cannot be asked. `line` counts from 1, and `question` counts the questions of a file from 0.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum MmluError {
    /// The folder has no files of MMLU.
    #[error(
        "{}: no files of MMLU for the split `{split}`; expected {split}/SUBJECT_{split}.csv, as in the benchmark's archive, or \
         SUBJECT/{hub}-00000-of-00001.parquet, as on the Hub",
        folder.display()
    )]
    NoFiles {
        /// The folder.
        folder: PathBuf,
        /// The split.
        split: &'static str,
        /// The name of the split on the Hub.
        hub: &'static str,
    },

    /// A subject has no file.
    #[error(
        "{}: no file of the subject {subject} for the split `{split}`{}; fetch it, or leave the subject out with --subjects",
        folder.display(),
        if *others == 0 { String::new() } else { format!(", and of {others} others") }
    )]
    MissingSubject {
        /// The folder.
        folder: PathBuf,
        /// The subject.
        subject: &'static str,
        /// The split.
        split: &'static str,
        /// The number of other subjects without a file.
        others: usize,
    },

    /// A name is not a subject.
    #[error("there is no subject `{found}`{}", hint(nearest.as_deref()))]
    UnknownSubject {
        /// The name.
        found: String,
        /// The name that it is nearest to.
        nearest: Option<String>,
    },

    /// A row is not a question.
    #[error("{path}:{line}: {problem}")]
    Row {
        /// The file.
        path: String,
        /// The line, or the row of a Parquet file.
        line: usize,
        /// The problem, and the value that is expected.
        problem: String,
    },

    /// There are not enough examples.
    #[error("{subject}: the part dev has {found} examples, and --shots {shots} needs as many; give a smaller number")]
    TooFewExamples {
        /// The subject.
        subject: &'static str,
        /// The number of examples.
        found: usize,
        /// The number that was asked for.
        shots: usize,
    },

    /// A letter is not one token of its own.
    #[error(
        "the protocol {protocol} compares the tokens of the four letters, and this tokenizer encodes the answer `{letter}` as \
         {tokens:?}; use --protocol generated"
    )]
    Letter {
        /// The name of the protocol.
        protocol: &'static str,
        /// The letter.
        letter: char,
        /// The tokens that it adds to a prompt.
        tokens: Vec<String>,
    },

    /// A prompt does not fit.
    #[error(
        "question {question} of {subject} takes {tokens} tokens without any example, and the model reads {context} at most; \
         leave the subject out with --subjects, or use --protocol loglikelihood, which cuts the beginning off"
    )]
    TooLong {
        /// The subject.
        subject: &'static str,
        /// The question.
        question: usize,
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that the model can read.
        context: usize,
    },

    /// The logits of a model are not numbers.
    #[error(
        "question {question} of {subject}: the model's logits are not finite; its weights or its adapter are damaged"
    )]
    NotFinite {
        /// The subject.
        subject: &'static str,
        /// The question.
        question: usize,
    },

    /// The answers on file cannot be read or written.
    #[error(transparent)]
    Answers(#[from] AnswersError),

    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),

    /// A text cannot be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
