//! An answer in a file of answers.

use serde::{Deserialize, Serialize};

use super::subjects::Subject;
use crate::answers::Recorded;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The subject.
    pub subject: String,
    /// The index of the question in its file, from 0.
    pub question: usize,
    /// The letter of the answer; `None` if the model's answer is not a letter.
    pub answer: Option<char>,
    /// Whether the answer is correct.
    pub right: bool,
    /// The logits of the letters A to D, or their log-probabilities with the protocol `loglikelihood`.
    pub scores: [f32; 4],
    /// The text of the generated token, only with the protocol `generated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Recorded for Answer {
    type Key = (Subject, usize);

    fn key(&self) -> Result<(Subject, usize), String> {
        let subject = Subject::named(&self.subject).ok_or_else(|| format!("there is no subject `{}`", self.subject))?;
        Ok((subject, self.question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_belong_to_a_known_subject() {
        let answer = |subject: &str| Answer {
            subject: subject.to_string(),
            question: 7,
            answer: Some('B'),
            right: false,
            scores: [0.5, 2.0, -1.25, 0.0],
            text: None,
        };
        assert_eq!(answer("anatomy").key().map(|(subject, question)| (subject.name(), question)), Ok(("anatomy", 7)));
        assert_eq!(answer("anatomi").key(), Err("there is no subject `anatomi`".to_string()));
    }
}
