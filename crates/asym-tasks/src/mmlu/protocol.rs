//! The prompt of a question, and how the answer is read from the logits.
//!
//! Scores of different protocols are not comparable. A protocol has a version, which changes with its prompts.

use super::questions::{LETTERS, Question};
use super::subjects::Subject;

/// The form of the prompts, and how an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The protocol of the benchmark: the answer is the letter whose token has the largest logit. Source: Hendrycks et al., 2021,
    /// `evaluate_flan.py` of hendrycks/test. Its header has two spaces before the subject.
    Choice,
    /// The protocol of the task `mmlu` in lm-evaluation-harness: the answer is the letter that is the most likely continuation.
    /// The header has one space before the subject, and white space around a question is removed.
    Loglikelihood,
    /// The protocol of the paper's authors: the answer is the most likely of all tokens, which must be a letter in upper or lower
    /// case. There is no header. An answer that is not a letter is wrong.
    Generated,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Choice, Self::Loglikelihood, Self::Generated];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Choice => "choice",
            Self::Loglikelihood => "loglikelihood",
            Self::Generated => "generated",
        }
    }

    /// The version of its prompts.
    pub const fn version(self) -> u32 {
        1
    }

    /// The text before the first example or question.
    pub fn header(self, subject: Subject) -> String {
        let about = |space| {
            format!("The following are multiple choice questions (with answers) about{space}{}.\n\n", subject.words())
        };
        match self {
            Self::Choice => about("  "),
            Self::Loglikelihood => about(" "),
            Self::Generated => String::new(),
        }
    }

    /// A question with its choices, up to `Answer:`.
    pub fn question(self, question: &Question) -> String {
        let Question { text, choices, .. } = question;
        let text = match self {
            Self::Choice => text.clone(),
            Self::Loglikelihood => text.trim().to_string(),
            Self::Generated => format!("Question: {text}"),
        };
        let lines = LETTERS.iter().zip(choices).map(|(letter, choice)| format!("\n{letter}. {choice}"));
        text + &lines.collect::<String>() + "\nAnswer:"
    }

    /// The prompt for `question`, after some examples.
    pub fn prompt(self, examples: &[Question], question: &Question) -> String {
        let example = |example: &Question| self.question(example) + &continuation(example.right) + "\n\n";
        self.header(question.subject) + &examples.iter().map(example).collect::<String>() + &self.question(question)
    }

    /// Whether the beginning of a prompt that is too long is cut off. Otherwise examples are removed.
    pub const fn cuts_the_beginning(self) -> bool {
        matches!(self, Self::Loglikelihood)
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The text of an answer after its prompt.
pub fn continuation(answer: usize) -> String {
    format!(" {}", LETTERS[answer])
}

/// The letter that a generated text represents, in upper or lower case.
pub fn letter(text: &str) -> Option<usize> {
    let text = text.trim();
    LETTERS.iter().position(|letter| text.eq_ignore_ascii_case(&letter.to_string()))
}

/// The index of the largest value, or of the first one if several are equal.
pub fn largest(values: &[f32]) -> usize {
    let larger = |best: usize, at: usize| if values[at] > values[best] { at } else { best };
    (0..values.len()).fold(0, larger)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn question(text: &str, right: usize) -> Question {
        let choices = ["one", "two", "three", "four"].map(String::from);
        let subject = Subject::named("world_religions").unwrap();
        Question { subject, number: 0, text: text.to_string(), choices, right }
    }

    #[test]
    fn prompts_match_their_sources() {
        let (example, asked) = (question(" How many? ", 2), question("And now?", 0));
        let prompts = Protocol::ALL.map(|protocol| protocol.prompt(std::slice::from_ref(&example), &asked));
        let choices = "\nA. one\nB. two\nC. three\nD. four\nAnswer:";
        let header = "The following are multiple choice questions (with answers) about";
        assert_eq!(prompts[0], format!("{header}  world religions.\n\n How many? {choices} C\n\nAnd now?{choices}"));
        assert_eq!(prompts[1], format!("{header} world religions.\n\nHow many?{choices} C\n\nAnd now?{choices}"));
        assert_eq!(prompts[2], format!("Question:  How many? {choices} C\n\nQuestion: And now?{choices}"));
    }

    #[test]
    fn only_a_single_letter_is_an_answer() {
        for (text, found) in [(" A", Some(0)), ("d\n", Some(3)), ("b", Some(1)), ("", None), ("\n", None), ("A.", None)]
        {
            assert_eq!(letter(text), found, "{text:?}");
        }
        assert_eq!(largest(&[1.0, 3.0, 3.0, 2.0]), 1);
    }
}
