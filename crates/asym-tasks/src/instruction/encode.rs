//! Rows as tokens, some of which are used in the loss.

use asym_data::{ChatTemplate, SpanTokenizer, TokenizerError};

use super::error::{InstructionError, lines};
use super::files::Rows;
use super::options::{LossOn, TooLong, Unlabeled};
use super::template::{Rendered, RowProblem, Template};
use crate::language::LanguageExample;
use crate::text::Lengths;

/// The settings that determine the tokens of a row.
pub(super) struct Encoder<'a> {
    pub(super) tokenizer: SpanTokenizer,
    pub(super) template: &'a Template,
    pub(super) chat: Option<&'a ChatTemplate>,
    pub(super) loss: LossOn,
    /// The id of the end-of-text token, if texts end with it.
    pub(super) end: Option<u32>,
    pub(super) max_length: usize,
    pub(super) too_long: TooLong,
    pub(super) unlabeled: Unlabeled,
}

/// The rows of a set as tokens.
#[derive(Default)]
pub(super) struct Encoded {
    /// The examples that were not left out.
    pub(super) examples: Vec<LanguageExample>,
    /// The lengths of all rows.
    pub(super) lengths: Lengths,
    /// The lines of rows that were left out because they are too long.
    too_long: Vec<usize>,
    /// The lines of rows that were left out because they have no label.
    unlabeled: Vec<usize>,
    /// The number of rows whose text begins with the tokens that the tokenizer adds.
    doubled: usize,
    /// The number of rows in which a token belongs both to a prompt and to its answer.
    shared: usize,
}

/// One row as tokens.
struct Row {
    input_ids: Vec<u32>,
    labeled: Vec<bool>,
    cut: usize,
    has_beginning: bool,
    shared: bool,
}

impl Encoder<'_> {
    /// The tokens of all rows.
    ///
    /// # Errors
    ///
    /// A row that cannot be rendered or encoded, and rows that the settings reject.
    pub(super) fn encode(&self, rows: &Rows) -> Result<Encoded, InstructionError> {
        let mut encoded = Encoded::default();
        let (mut too_long, mut unlabeled) = (Vec::new(), Vec::new());
        for sample in &rows.samples {
            let failed = |source| InstructionError::Encode { path: rows.source.clone(), line: sample.line, source };
            let rendered = self.template.render(&sample.content, self.chat)?.map_err(|problem| match problem {
                RowProblem::Chat(source) => failed(source),
                RowProblem::Text(problem) => {
                    InstructionError::Row { path: rows.source.clone(), line: sample.line, problem: problem.to_owned() }
                }
            })?;
            let row = self.row(&rendered).map_err(failed)?;
            let length = row.input_ids.len() + row.cut;
            let own = Lengths { examples: 1, cut: usize::from(row.cut > 0), longest: length, total: length };
            encoded.lengths = encoded.lengths.and(own);
            let example = LanguageExample { input_ids: row.input_ids, labeled: row.labeled, line: sample.line };
            if row.cut > 0 && self.too_long != TooLong::Cut {
                too_long.push(sample.line);
            } else if example.labels() == 0 {
                unlabeled.push(sample.line);
            } else {
                encoded.doubled += usize::from(row.has_beginning);
                encoded.shared += usize::from(row.shared);
                encoded.examples.push(example);
            }
        }
        let (path, all, max_length) = (rows.source.clone(), rows.samples.len(), self.max_length);
        if self.too_long == TooLong::Refuse && !too_long.is_empty() {
            let count = too_long.len();
            return Err(InstructionError::TooLong { path, count, rows: all, max_length, at: too_long });
        }
        if self.unlabeled == Unlabeled::Refuse && !unlabeled.is_empty() {
            let count = unlabeled.len();
            return Err(InstructionError::Unlabeled { path, count, rows: all, max_length, at: unlabeled });
        }
        if encoded.examples.is_empty() {
            return Err(InstructionError::NothingLeft { path });
        }
        Ok(Encoded { too_long, unlabeled, ..encoded })
    }

    /// The tokens of a text. The labels are determined by the positions of the tokens in the whole text, because a prompt that is
    /// encoded separately may have other tokens than the beginning of the text.
    fn row(&self, rendered: &Rendered) -> Result<Row, TokenizerError> {
        let Rendered { text, answers, is_whole } = rendered;
        let spans = self.tokenizer.encode(text, *is_whole, self.max_length)?;
        let (mut input_ids, mut cut) = (spans.input_ids, spans.cut);
        let within = |place: &std::ops::Range<usize>| {
            answers.iter().any(|answer| place.start < answer.end && place.end > answer.start)
        };
        let begins_before = |place: &std::ops::Range<usize>| {
            answers.iter().any(|answer| place.start < answer.start && place.end > answer.start)
        };
        let shared = spans.places.iter().any(begins_before);
        let mut labeled: Vec<bool> = spans.places.iter().map(within).collect();
        if let Some(end) = self.end.filter(|_| cut == 0) {
            let ends_with_answer = answers.iter().any(|answer| text[answer.end..].trim().is_empty());
            if input_ids.last() != Some(&end) {
                input_ids.push(end);
                labeled.push(ends_with_answer);
            } else if let Some(last) = labeled.last_mut() {
                // The text already ends with this token, or the tokenizer has added it.
                *last |= ends_with_answer;
            }
            // A text whose end-of-text token does not fit is truncated too.
            cut = input_ids.len().saturating_sub(self.max_length);
            input_ids.truncate(self.max_length);
            labeled.truncate(self.max_length);
        }
        if self.loss == LossOn::All {
            labeled.fill(true);
        }
        if let Some(first) = labeled.first_mut() {
            *first = false;
        }
        Ok(Row { input_ids, labeled, cut, has_beginning: spans.has_beginning, shared })
    }
}

impl Encoded {
    /// A description of the set called `name`, in lines of text.
    pub(super) fn describe(&self, name: &str, beginning: &str) -> Vec<String> {
        let tokens: usize = self.examples.iter().map(|example| example.input_ids.len()).sum();
        let labels: usize = self.examples.iter().map(LanguageExample::labels).sum();
        let share = 100.0 * labels as f64 / tokens.max(1) as f64;
        let mut said = vec![format!(
            "{name}: {} rows of {tokens} tokens, of which {labels} ({share:.1} %) are labeled",
            self.examples.len()
        )];
        if !self.too_long.is_empty() {
            said.push(format!(
                "{name}: rows that are too long and left out: {}, at {}",
                self.too_long.len(),
                lines(&self.too_long)
            ));
        }
        if !self.unlabeled.is_empty() {
            let count = self.unlabeled.len();
            said.push(format!(
                "{name}: rows without a labeled token, which are left out: {count}, at {}",
                lines(&self.unlabeled)
            ));
        }
        if self.doubled > 0 {
            said.push(format!(
                "{name}: rows whose text already begins with {beginning}, so that the tokenizer does not add it again: {}",
                self.doubled
            ));
        }
        if self.shared > 0 {
            said.push(format!(
                "{name}: rows in which a labeled token contains the end of the prompt and the beginning of the answer: {}",
                self.shared
            ));
        }
        said
    }
}
