//! The file that contains the answers of an evaluation.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::hash::Hash;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::AnswersError;

/// An answer that can be written to an answer file.
pub trait Recorded: Serialize + DeserializeOwned {
    /// The type that identifies a question.
    type Key: Eq + Hash;

    /// The question of this answer.
    ///
    /// # Errors
    ///
    /// A description of the problem, if the answer does not belong to a known question.
    fn key(&self) -> Result<Self::Key, String>;
}

/// The answers of one evaluation, and the file that contains them. While it is open, no other process can open it.
#[derive(Debug)]
pub struct AnswerFile<A: Recorded> {
    /// `None` if the answers are kept only in memory.
    file: Option<(PathBuf, File)>,
    found: HashMap<A::Key, A>,
}

impl<A: Recorded> AnswerFile<A> {
    /// Open the file at `path`, which need not exist. An incomplete last line is removed. If a question has several answers, the
    /// first one is used.
    ///
    /// # Errors
    ///
    /// [`AnswersError::Busy`], [`AnswersError::Line`], [`AnswersError::Io`].
    pub fn open(path: &Path) -> Result<Self, AnswersError> {
        let failed = |source| AnswersError::Io { path: path.to_owned(), source };
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AnswersError::Busy { path: path.to_owned() }),
            // The file system does not support locks.
            Err(TryLockError::Error(_)) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut found = HashMap::new();
        for (at, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |problem: String| AnswersError::Line { path: path.to_owned(), line: at + 1, problem };
            let answer: A = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
            found.entry(answer.key().map_err(wrong)?).or_insert(answer);
        }
        Ok(Self { file: Some((path.to_owned(), file)), found })
    }

    /// Answers that are not written to a file.
    pub fn in_memory() -> Self {
        Self { file: None, found: HashMap::new() }
    }

    /// The answer to a question.
    pub fn get(&self, key: &A::Key) -> Option<&A> {
        self.found.get(key)
    }

    /// Add answers, and append them to the file, if there is one.
    ///
    /// # Errors
    ///
    /// [`AnswersError::Io`].
    ///
    /// # Panics
    ///
    /// Panics if an answer cannot be serialized to JSON or does not belong to a known question.
    pub fn add(&mut self, answers: Vec<A>) -> Result<(), AnswersError> {
        if let Some((path, file)) = &mut self.file {
            let mut lines = String::new();
            for answer in &answers {
                let line = serde_json::to_string(answer);
                lines += &line.unwrap_or_else(|error| panic!("an answer cannot be serialized to JSON: {error}"));
                lines.push('\n');
            }
            let written = file.write_all(lines.as_bytes()).and_then(|()| file.flush());
            written.map_err(|source| AnswersError::Io { path: path.clone(), source })?;
        }
        for answer in answers {
            let key = answer
                .key()
                .unwrap_or_else(|problem| panic!("an answer does not belong to a known question: {problem}"));
            self.found.insert(key, answer);
        }
        Ok(())
    }
}

/// The progress of an evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The number of answered questions, including those that were already in the file.
    pub done: usize,
    /// The number of all questions.
    pub all: usize,
    /// The number of questions that this process answered.
    pub own: usize,
    /// The seconds since this process began to evaluate.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::damage::config;
    use crate::scratch::Scratch;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Answer {
        question: usize,
        answer: String,
    }

    impl Recorded for Answer {
        type Key = usize;
        fn key(&self) -> Result<usize, String> {
            if self.question < 100 { Ok(self.question) } else { Err(format!("there is no question {}", self.question)) }
        }
    }

    #[test]
    fn complete_answers_are_kept_and_partial_lines_dropped() {
        let folder = Scratch::new("answers-file");
        let path = folder.path().join("answers.jsonl");
        let answer = |question| Answer { question, answer: "yes\n\"no\"".to_string() };
        let open = || AnswerFile::<Answer>::open(&path);
        let mut answers = open().unwrap();
        answers.add(vec![answer(0), answer(1)]).unwrap();
        assert!(matches!(open(), Err(AnswersError::Busy { .. })));
        drop(answers);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"question\":7,\"ans")).unwrap();
        let mut answers = open().unwrap();
        assert_eq!((answers.get(&1), answers.get(&2)), (Some(&answer(1)), None));
        answers.add(vec![answer(2)]).unwrap();
        drop(answers);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        for (line, problem) in [("{\"question\":100,\"answer\":\"\"}", "no question 100"), ("[", "EOF")] {
            std::fs::write(&path, format!("{text}{line}\n")).unwrap();
            let error = open().unwrap_err();
            assert!(
                matches!(&error, AnswersError::Line { line: 3, .. }) && error.to_string().contains(problem),
                "{error}"
            );
        }
    }

    proptest! {
        #![proptest_config(config(50))]

        /// After a process is killed, all complete lines can still be read.
        #[test]
        fn complete_lines_are_read_after_a_crash(
            texts in prop::collection::vec(any::<String>(), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let folder = Scratch::new("answers-file-property");
            let path = folder.path().join("answers.jsonl");
            let answers: Vec<Answer> =
                texts.into_iter().enumerate().map(|(question, answer)| Answer { question, answer }).collect();
            AnswerFile::open(&path).unwrap().add(answers.clone()).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let cut = cut.index(bytes.len() + 1);
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let found = AnswerFile::<Answer>::open(&path).unwrap();
            for (number, answer) in answers.iter().enumerate() {
                prop_assert_eq!(found.get(&number), Some(answer).filter(|_| number < whole));
            }
        }
    }
}
