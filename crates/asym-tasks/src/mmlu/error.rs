//! Errors of an evaluation on MMLU.

use std::path::PathBuf;

use asym_data::{TableError, TokenizerError};

use crate::answers::AnswersError;
use crate::names::hint;

/// An error of an evaluation on MMLU. `line` is counted from 1. `question` is the index of a question in its file, from 0.
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
        "{}: no file of the subject {subject} for the split `{split}`{}; fetch it, or choose other subjects with --subjects",
        folder.display(),
        if *others == 0 { String::new() } else { format!(" (other subjects without a file: {others})") }
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

    /// A name is not the name of a subject.
    #[error("there is no subject `{found}`{}", hint(nearest.as_deref()))]
    UnknownSubject {
        /// The name.
        found: String,
        /// The most similar name of a subject, if one is similar enough.
        nearest: Option<String>,
    },

    /// A row cannot be read as a question.
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
    #[error(
        "{subject}: --shots {shots} needs {shots} examples, but the number in the split dev is {found}; use a smaller --shots"
    )]
    TooFewExamples {
        /// The subject.
        subject: &'static str,
        /// The number of examples.
        found: usize,
        /// The number of examples that `--shots` requests.
        shots: usize,
    },

    /// A letter is not a single token, or has the same token as another letter.
    #[error(
        "the protocol {protocol} needs a distinct token for each of the four letters, but this tokenizer encodes the answer \
         `{letter}` as {tokens:?}; use --protocol generated"
    )]
    Letter {
        /// The name of the protocol.
        protocol: &'static str,
        /// The letter.
        letter: char,
        /// The last tokens of a prompt with this answer.
        tokens: Vec<String>,
    },

    /// A prompt without examples is too long.
    #[error(
        "question {question} of {subject} has {tokens} tokens without any example, but a prompt can have at most {context}; \
         leave the subject out with --subjects, or use --protocol loglikelihood, which cuts off the beginning"
    )]
    TooLong {
        /// The subject.
        subject: &'static str,
        /// The question.
        question: usize,
        /// The number of tokens in the prompt.
        tokens: usize,
        /// The maximum number of tokens in a prompt.
        context: usize,
    },

    /// A logit of the model is NaN or infinite.
    #[error(
        "question {question} of {subject}: the model's logits are not finite; its weights or its adapter are damaged"
    )]
    NotFinite {
        /// The subject.
        subject: &'static str,
        /// The question.
        question: usize,
    },

    /// The file of answers cannot be read or written.
    #[error(transparent)]
    Answers(#[from] AnswersError),

    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),

    /// A text cannot be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
