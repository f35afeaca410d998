//! Summaries by beam search, with a file of answers.

use std::path::Path;
use std::time::Instant;

use asym_data::Tokenizer;
use asym_models::generation::{GenerationConfig, GenerationError};
use asym_models::{BartLanguageModel, PretrainedModel, generate_until};
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::error::SummarizationError;
use crate::answers::{AnswerFile, AnswersError, Progress, Recorded};
use crate::rouge::{Rouge, RougeScore, VARIANTS};
use crate::sequences::sources_of;

/// Documents that are summarized for an evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// The documents as token ids, special tokens included.
    pub sources: Vec<Vec<u32>>,
    /// The reference summaries, as in the file.
    pub references: Vec<String>,
    /// The reference summaries, truncated to the target length: the decoded labels.
    pub cut: Vec<String>,
}

/// A generated summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The summary, without special tokens.
    pub text: String,
    /// The tokens of the summary, including special tokens.
    pub tokens: Vec<u32>,
    /// The score of its beam, if there were several.
    pub score: Option<f32>,
}

/// A summary in a file of answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummaryAnswer {
    /// The index of the example in its set, from 0.
    pub row: usize,
    /// The summary.
    pub prediction: String,
    /// The reference, as in the file of the data.
    pub reference: String,
    /// The reference, truncated to the target length.
    pub reference_cut: String,
    /// The number of tokens of the summary, including special tokens.
    pub tokens: usize,
}

impl Recorded for SummaryAnswer {
    type Key = usize;

    fn key(&self) -> Result<usize, String> {
        Ok(self.row)
    }
}

/// The scores of summaries, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryScores {
    /// The scores against whole references.
    pub whole: Vec<RougeScore>,
    /// The scores against references that are truncated to the target length, as in the scripts that the paper follows.
    pub cut: Vec<RougeScore>,
}

/// The name of the score of a ROUGE variant against whole references.
pub(super) fn whole_score(variant: usize) -> String {
    VARIANTS[variant].to_string()
}

/// The name of the score of a ROUGE variant against references that are truncated to the target length.
pub(super) fn cut_score(variant: usize) -> String {
    format!("{} cut", VARIANTS[variant])
}

/// The scores of `answers`, in their order.
pub fn scores(answers: &[SummaryAnswer]) -> SummaryScores {
    let rouge = Rouge::default();
    let of = |reference: fn(&SummaryAnswer) -> &str| {
        answers.iter().map(|answer| rouge.score(&answer.prediction, reference(answer))).collect()
    };
    SummaryScores { whole: of(|answer| &answer.reference), cut: of(|answer| &answer.reference_cut) }
}

/// A model for summarization, with its tokenizer and the settings of the generation. The model is on a device without autodiff.
#[derive(Debug)]
pub struct Summarizer<'a> {
    model: &'a BartLanguageModel,
    tokenizer: &'a Tokenizer,
    config: &'a GenerationConfig,
    device: Device,
}

impl<'a> Summarizer<'a> {
    /// Create a summarizer from these parts.
    pub fn new(model: &'a BartLanguageModel, tokenizer: &'a Tokenizer, config: &'a GenerationConfig) -> Self {
        let device = model.devices().into_iter().next().unwrap_or_default();
        Self { model, tokenizer, config, device }
    }

    /// Summarize documents as one batch. `first` is the index of the first document among all documents. `progress` is called
    /// with the number of new tokens and the maximum number.
    ///
    /// # Errors
    ///
    /// [`SummarizationError::Generation`] and [`SummarizationError::Tokenizer`].
    pub fn write(
        &self,
        sources: &[&[u32]],
        first: u64,
        progress: impl FnMut(usize, usize),
    ) -> Result<Vec<Written>, SummarizationError> {
        let input = sources_of(sources, self.model.config().pad_token_id as u32, &self.device);
        let ends = |ids: &[u32], strings: &[String]| self.tokenizer.ends_with_any(ids, strings);
        let failed = |source: GenerationError| SummarizationError::Generation {
            what: "a batch of documents".into(),
            source: Box::new(source),
        };
        let found = generate_until(self.model, &input, self.config, first, (progress, Some(&ends))).map_err(failed)?;
        let each = found.settings.num_return_sequences;
        let written = found.rows.iter().step_by(each).map(|row| {
            let tokens = row.continuation().to_vec();
            Ok(Written { text: self.tokenizer.decode(&tokens)?, tokens, score: row.score })
        });
        written.collect()
    }

    /// Summarize all documents of `questions` in batches of `batch_size` documents of similar length, the longest documents
    /// first. Documents with an answer in `file` are skipped.
    ///
    /// After each batch, its answers are written and `progress` is called. If `progress` returns false before all documents are
    /// summarized, the function stops and returns `None`.
    ///
    /// # Errors
    ///
    /// The errors of [`write`](Self::write), and [`SummarizationError::Answers`].
    ///
    /// # Panics
    ///
    /// Panics if `batch_size` is 0.
    pub fn answer(
        &self,
        questions: &Questions,
        (file, batch_size): (Option<&Path>, usize),
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Option<Vec<SummaryAnswer>>, SummarizationError> {
        let Questions { sources, references, cut } = questions;
        let all = sources.len();
        let mut answers = match file {
            Some(path) => AnswerFile::open(path)?,
            None => AnswerFile::in_memory(),
        };
        for (row, expected) in references.iter().enumerate() {
            let other = answers.get(&row).map(|answer: &SummaryAnswer| &answer.reference);
            if let (Some(path), Some(found)) = (file, other.filter(|found| *found != expected)) {
                let (path, key) = (path.to_owned(), format!("the reference of row {row}"));
                let (found, expected) = (found.clone(), expected.clone());
                return Err(AnswersError::OtherEvaluation { path, key, found, expected }.into());
            }
        }
        let mut open: Vec<usize> = (0..all).filter(|row| answers.get(row).is_none()).collect();
        open.sort_by_key(|row| std::cmp::Reverse(sources[*row].len()));
        let (mut done, mut own, started) = (all - open.len(), 0, Instant::now());
        for batch in open.chunks(batch_size) {
            let rows: Vec<&[u32]> = batch.iter().map(|row| sources[*row].as_slice()).collect();
            let written = self.write(&rows, batch[0] as u64, |_, _| {})?;
            let of_batch = batch
                .iter()
                .zip(written)
                .map(|(row, written)| SummaryAnswer {
                    row: *row,
                    prediction: written.text,
                    reference: references[*row].clone(),
                    reference_cut: cut[*row].clone(),
                    tokens: written.tokens.len(),
                })
                .collect();
            answers.add(of_batch)?;
            (done, own) = (done + batch.len(), own + batch.len());
            let seconds = started.elapsed().as_secs_f64();
            if !progress(Progress { done, all, own, seconds }) && done < all {
                return Ok(None);
            }
        }
        Ok(Some((0..all).filter_map(|row| answers.get(&row).cloned()).collect()))
    }
}
