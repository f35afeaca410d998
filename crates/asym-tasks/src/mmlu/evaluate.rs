//! Evaluation of a Llama model on the questions.

use std::path::Path;
use std::time::Instant;

use asym_data::Tokenizer;
use asym_models::{LlamaLanguageModel, LlamaScorer, PretrainedModel};

use super::answers::Answer;
use super::error::MmluError;
use super::protocol::{Protocol, continuation, largest, letter};
use super::questions::{self, LETTERS, Question, Split};
use super::scores::Scores;
use super::subjects::Subject;
use crate::answers::{AnswerFile, Progress};
use crate::trivia;

/// The maximum length of a prompt of the protocol `choice`, in tokens, as in the benchmark's script.
const LONGEST_CHOICE: usize = 2048;

/// The questions of an evaluation, with the protocols and numbers of examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The subjects, each with its questions and the examples of its prompts.
    pub subjects: Vec<(Subject, Vec<Question>, Vec<Question>)>,
    /// The protocols.
    pub protocols: Vec<Protocol>,
    /// The numbers of examples in a prompt.
    pub shots: Vec<usize>,
}

impl Asked {
    /// Read the questions of these subjects from the files of `split` in `folder`. If one of `shots` is above 0, also read the
    /// examples from the split `dev`.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](super::read).
    pub fn read(
        folder: &Path,
        split: Split,
        subjects: Vec<Subject>,
        (protocols, shots): (Vec<Protocol>, Vec<usize>),
    ) -> Result<Self, MmluError> {
        let questions = questions::read(folder, split, &subjects)?;
        let examples = if shots.iter().any(|shots| *shots > 0) {
            questions::read(folder, Split::Dev, &subjects)?
        } else {
            vec![Vec::new(); subjects.len()]
        };
        let each = subjects.into_iter().zip(questions).zip(examples);
        let subjects = each.map(|((subject, questions), examples)| (subject, questions, examples)).collect();
        Ok(Self { subjects, protocols, shots })
    }

    /// Questions about the invented world of [`trivia`], without examples.
    pub fn invented(protocols: Vec<Protocol>) -> Self {
        let mut subjects: Vec<(Subject, Vec<Question>, Vec<Question>)> = Vec::new();
        for asked in trivia::questions() {
            // Every kind in the invented world belongs to a subject of the benchmark.
            let Some(subject) = Subject::named(asked.subject()) else { continue };
            if subjects.last().is_none_or(|(last, ..)| *last != subject) {
                subjects.push((subject, Vec::new(), Vec::new()));
            }
            if let Some((_, questions, _)) = subjects.last_mut() {
                let number = questions.len();
                questions.push(Question {
                    subject,
                    number,
                    text: asked.text(),
                    choices: asked.answers().map(String::from),
                    right: asked.right(),
                });
            }
        }
        Self { subjects, protocols, shots: vec![0] }
    }

    /// The number of questions.
    pub fn questions(&self) -> usize {
        self.subjects.iter().map(|(_, questions, _)| questions.len()).sum()
    }
}

/// The prompts for one protocol and one number of examples.
#[derive(Debug)]
pub struct Prompts {
    /// The protocol.
    pub protocol: Protocol,
    /// The number of examples.
    pub shots: usize,
    /// The number of prompts that were too long and lost examples or their beginning.
    pub shortened: usize,
    /// The tokens of the letters after a prompt.
    letters: [u32; 4],
    /// The prompts of each subject's questions.
    subjects: Vec<Vec<Vec<u32>>>,
}

/// Encode the prompts for each protocol and number of examples. A prompt has at most `context` tokens.
///
/// # Errors
///
/// [`MmluError::TooFewExamples`], [`MmluError::TooLong`], [`MmluError::Letter`], and the errors of the tokenizer.
pub fn prompts(asked: &Asked, tokenizer: &Tokenizer, context: usize) -> Result<Vec<Prompts>, MmluError> {
    let cells = asked.protocols.iter().flat_map(|protocol| asked.shots.iter().map(|shots| (*protocol, *shots)));
    cells.map(|(protocol, shots)| Prompts::new(asked, (protocol, shots), tokenizer, context)).collect()
}

impl Prompts {
    fn new(
        asked: &Asked,
        (protocol, shots): (Protocol, usize),
        tokenizer: &Tokenizer,
        context: usize,
    ) -> Result<Self, MmluError> {
        let longest = if protocol == Protocol::Choice { context.min(LONGEST_CHOICE) } else { context };
        let encode = |text: &str| Ok::<_, MmluError>(tokenizer.encode(text, None, usize::MAX)?.input_ids);
        let (mut shortened, mut subjects, mut letters) = (0, Vec::new(), None);
        for (subject, questions, examples) in &asked.subjects {
            if examples.len() < shots {
                let (subject, found) = (subject.name(), examples.len());
                return Err(MmluError::TooFewExamples { subject, found, shots });
            }
            let mut of_subject = Vec::with_capacity(questions.len());
            for question in questions {
                let mut count = shots;
                let text = protocol.prompt(&examples[..count], question);
                let mut ids = encode(&text)?;
                if letters.is_none() {
                    letters = Some(self::letters(protocol, tokenizer, &text, &ids)?);
                }
                shortened += usize::from(ids.len() > longest);
                if protocol.cuts_the_beginning() {
                    ids.drain(..ids.len().saturating_sub(longest));
                }
                while ids.len() > longest && count > 0 {
                    count -= 1;
                    ids = encode(&protocol.prompt(&examples[..count], question))?;
                }
                if ids.len() > longest {
                    return Err(MmluError::TooLong {
                        subject: subject.name(),
                        question: question.number,
                        tokens: ids.len(),
                        context: longest,
                    });
                }
                of_subject.push(ids);
            }
            subjects.push(of_subject);
        }
        Ok(Self { protocol, shots, shortened, letters: letters.unwrap_or_default(), subjects })
    }

    /// The number of tokens in all prompts.
    pub fn tokens(&self) -> usize {
        self.subjects.iter().flatten().map(Vec::len).sum()
    }

    /// The name of the file with the answers to these prompts.
    pub fn file(&self) -> String {
        format!("{}-{}.jsonl", self.protocol, self.shots)
    }
}

/// The tokens of the letters after a prompt `text`, whose tokens are `ids`.
fn letters(protocol: Protocol, tokenizer: &Tokenizer, text: &str, ids: &[u32]) -> Result<[u32; 4], MmluError> {
    let mut found = [0; 4];
    for answer in 0..LETTERS.len() {
        let whole = tokenizer.encode(&(text.to_string() + &continuation(answer)), None, usize::MAX)?.input_ids;
        match whole.strip_prefix(ids) {
            Some([token]) if !found[..answer].contains(token) => found[answer] = *token,
            other => {
                let protocol = protocol.name();
                let tokens = tokenizer.tokens(other.unwrap_or(&whole[whole.len().saturating_sub(3)..]));
                return Err(MmluError::Letter { protocol, letter: LETTERS[answer], tokens });
            }
        }
    }
    Ok(found)
}

/// Evaluate `model` on `prompts` and write the answers to a file in `folder`, if one is given. Questions with an answer in this
/// file are skipped.
///
/// The common beginning of a subject's prompts passes through the model only once. A batch has `batch_size` prompts of similar
/// length. After each batch, its answers are written and `progress` is called. If `progress` returns false before all questions
/// are answered, the evaluation stops and returns `None`.
///
/// # Errors
///
/// [`MmluError::Answers`], [`MmluError::NotFinite`].
///
/// # Panics
///
/// Panics if `batch_size` is 0.
pub fn ask(
    model: &LlamaLanguageModel,
    tokenizer: &Tokenizer,
    (asked, prompts): (&Asked, &Prompts),
    (folder, batch_size): (Option<&Path>, usize),
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Option<Scores>, MmluError> {
    let mut answers = match folder {
        Some(folder) => AnswerFile::<Answer>::open(&folder.join(prompts.file()))?,
        None => AnswerFile::in_memory(),
    };
    let (all, started) = (asked.questions(), Instant::now());
    let is_answered =
        |answers: &AnswerFile<Answer>, question: &Question| answers.get(&(question.subject, question.number)).is_some();
    let mut done = 0;
    for (_, questions, _) in &asked.subjects {
        done += questions.iter().filter(|question| is_answered(&answers, question)).count();
    }
    let before = done;
    for ((_, questions, _), encoded) in asked.subjects.iter().zip(&prompts.subjects) {
        let mut open: Vec<(&Question, &[u32])> = questions
            .iter()
            .zip(encoded)
            .filter(|(question, _)| !is_answered(&answers, question))
            .map(|(question, ids)| (question, ids.as_slice()))
            .collect();
        if open.is_empty() {
            continue;
        }
        open.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
        let common = common_beginning(open.iter().map(|(_, ids)| *ids));
        let scorer = LlamaScorer::new(model, &open[0].1[..common]);
        for batch in open.chunks(batch_size) {
            let rows: Vec<&[u32]> = batch.iter().map(|(_, ids)| &ids[common..]).collect();
            let logits = scorer.logits(&rows);
            let of_batch = batch.iter().zip(logits.chunks_exact(model.config().vocab_size));
            let of_batch = of_batch.map(|((question, _), logits)| answer(question, logits, prompts, tokenizer));
            answers.add(of_batch.collect::<Result<_, _>>()?)?;
            done += batch.len();
            let seconds = started.elapsed().as_secs_f64();
            if !progress(Progress { done, all, own: done - before, seconds }) && done < all {
                return Ok(None);
            }
        }
    }
    let each = asked.subjects.iter().map(|(subject, questions, _)| {
        (*subject, questions.iter().filter_map(|question| answers.get(&(*subject, question.number)).cloned()).collect())
    });
    Ok(Some(Scores::new(prompts.protocol, prompts.shots, prompts.shortened, each.collect())))
}

/// The number of tokens with which all rows begin. It leaves at least one token of each row.
fn common_beginning<'a>(mut rows: impl Iterator<Item = &'a [u32]>) -> usize {
    let Some(first) = rows.next() else { return 0 };
    rows.fold(first.len().saturating_sub(1), |common, row| {
        let most = common.min(row.len().saturating_sub(1));
        (0..most).find(|at| row[*at] != first[*at]).unwrap_or(most)
    })
}

fn answer(question: &Question, logits: &[f32], prompts: &Prompts, tokenizer: &Tokenizer) -> Result<Answer, MmluError> {
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(MmluError::NotFinite { subject: question.subject.name(), question: question.number });
    }
    let mut scores = prompts.letters.map(|token| logits[token as usize]);
    let (answer, text) = match prompts.protocol {
        Protocol::Choice => (Some(largest(&scores)), None),
        Protocol::Loglikelihood => {
            let highest = f64::from(logits[largest(logits)]);
            let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
            scores = scores.map(|logit| (f64::from(logit) - highest - sum.ln()) as f32);
            (Some(largest(&scores)), None)
        }
        Protocol::Generated => {
            let text = tokenizer.decode(&[largest(logits) as u32])?;
            (letter(&text), Some(text))
        }
    };
    Ok(Answer {
        subject: question.subject.name().to_string(),
        question: question.number,
        answer: answer.map(|answer| LETTERS[answer]),
        right: answer == Some(question.right),
        scores,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_beginning_leaves_each_row_a_token() {
        let common = |rows: &[&[u32]]| common_beginning(rows.iter().copied());
        assert_eq!(common(&[&[1, 2, 3], &[1, 2, 4, 5]]), 2);
        assert_eq!(common(&[&[1, 2], &[1, 2, 4]]), 1);
        assert_eq!(common(&[&[1, 2, 3]]), 2);
        assert_eq!(common(&[&[1], &[2]]), 0);
    }
}
