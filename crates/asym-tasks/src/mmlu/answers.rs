//! Answers on file: a line of JSON each, so that an evaluation that was killed goes on where it was.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::MmluError;
use super::subjects::Subject;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The subject.
    pub subject: String,
    /// The number of the question in its file, from 0.
    pub question: usize,
    /// The letter, if the model's answer is one.
    pub answer: Option<char>,
    /// Whether it is the right one.
    pub right: bool,
    /// For the letters A to D: logits, or of the protocol `loglikelihood` their logarithms of probabilities.
    pub scores: [f32; 4],
    /// The generated token, of the protocol `generated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The answers of one protocol and number of examples, and the file that they are in.
#[derive(Debug)]
pub(super) struct Answers {
    path: PathBuf,
    file: File,
    found: HashMap<(Subject, usize), Answer>,
}

impl Answers {
    /// Open the file at `path`, which need not exist. A last line that was not written to its end is removed.
    pub(super) fn open(path: &Path) -> Result<Self, MmluError> {
        let failed = |source| MmluError::Io { path: path.to_owned(), source };
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MmluError::Busy { path: path.to_owned() }),
            // A file system without locks.
            Err(TryLockError::Error(_)) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut found = HashMap::new();
        for (at, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |problem: String| MmluError::Answer { path: path.to_owned(), line: at + 1, problem };
            let answer: Answer = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
            let subject = Subject::named(&answer.subject)
                .ok_or_else(|| wrong(format!("there is no subject `{}`", answer.subject)))?;
            found.entry((subject, answer.question)).or_insert(answer);
        }
        Ok(Self { path: path.to_owned(), file, found })
    }

    pub(super) fn get(&self, subject: Subject, question: usize) -> Option<&Answer> {
        self.found.get(&(subject, question))
    }

    /// Add answers of a subject and write them.
    pub(super) fn add(&mut self, subject: Subject, answers: Vec<Answer>) -> Result<(), MmluError> {
        let mut lines = String::new();
        for answer in &answers {
            let line = serde_json::to_string(answer);
            lines += &line.unwrap_or_else(|error| unreachable!("an answer of text and finite numbers: {error}"));
            lines.push('\n');
        }
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|source| MmluError::Io { path: self.path.clone(), source })?;
        self.found.extend(answers.into_iter().map(|answer| ((subject, answer.question), answer)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn answers_stay_and_half_a_line_goes() {
        let folder = Scratch::new("mmlu-answers");
        let path = folder.path().join("choice-0.jsonl");
        let subject = Subject::named("anatomy").unwrap();
        let answer = |question| Answer {
            subject: subject.name().to_string(),
            question,
            answer: Some('B'),
            right: question == 0,
            scores: [0.5, 2.0, -1.25, 0.0],
            text: None,
        };
        let mut answers = Answers::open(&path).unwrap();
        answers.add(subject, vec![answer(0), answer(1)]).unwrap();
        assert!(matches!(Answers::open(&path), Err(MmluError::Busy { .. })));
        drop(answers);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"subject\":\"anat")).unwrap();
        let mut answers = Answers::open(&path).unwrap();
        assert_eq!(answers.get(subject, 1), Some(&answer(1)));
        assert_eq!(answers.get(subject, 2), None);
        answers.add(subject, vec![answer(2)]).unwrap();
        drop(answers);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        std::fs::write(&path, "{\"subject\":\"anatomi\",\"question\":0}\n").unwrap();
        assert!(matches!(Answers::open(&path), Err(MmluError::Answer { line: 1, .. })));
    }
}
