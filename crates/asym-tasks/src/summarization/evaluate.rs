//! The scores of a model within a run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use asym_data::Tokenizer;
use asym_models::BartLanguageModel;
use asym_models::generation::GenerationConfig;
use asym_train::{Batch, EvalRoom, Evaluation, Objective, Scores, TrainError};
use burn::module::Module;

use super::generate::{Questions, Summarizer, cut_score, scores, whole_score};
use crate::rouge::{Bootstrap, RougeReport};
use crate::sequences::PairLoss;
use crate::sequences::Pairs;

/// The loss after each epoch, and ROUGE after the last epoch only, because a beam search takes as long as an epoch or longer.
///
/// In a run folder, the summaries are written to a file, so that an interrupted evaluation can be continued.
#[derive(Clone)]
pub struct SummaryEvaluation {
    /// The examples.
    pub dev: Arc<Pairs>,
    /// The same examples, for the generation of summaries.
    pub questions: Arc<Questions>,
    /// The loss.
    pub loss: PairLoss,
    /// The tokenizer, which decodes summaries.
    pub tokenizer: Arc<Tokenizer>,
    /// The settings of the search.
    pub config: Arc<GenerationConfig>,
}

impl fmt::Debug for SummaryEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SummaryEvaluation").field("examples", &self.dev.all().len()).finish_non_exhaustive()
    }
}

impl Evaluation<BartLanguageModel> for SummaryEvaluation {
    fn run(&self, model: &BartLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let (mut sum, mut weight) = (0.0, 0.0);
        let complete = room.pass(&self.dev, &device, |batch| {
            sum += batch.weight() * f64::from(self.loss.loss(model, &batch).into_scalar::<f32>());
            weight += batch.weight();
            Ok(())
        })?;
        if !complete {
            return Ok(None);
        }
        let mut found = Scores::from([("loss".to_string(), sum / f64::max(weight, 1.0))]);
        if !room.is_last() {
            return Ok(Some(found));
        }
        let file = match room.folder() {
            Some(folder) => {
                let failed = |source| TrainError::Io { path: folder.to_owned(), source };
                std::fs::create_dir_all(folder).map_err(failed)?;
                Some(folder.join("summaries.jsonl"))
            }
            None => None,
        };
        let summarizer = Summarizer::new(model, &self.tokenizer, &self.config);
        // Each beam needs memory for its tokens, so a batch has fewer examples than in a plain pass.
        let batch_size = room.batch_size().div_ceil(4);
        let answers = summarizer
            .answer(&self.questions, (file.as_deref(), batch_size), &mut |_| !room.should_stop())
            .map_err(TrainError::evaluation)?;
        let Some(answers) = answers else { return Ok(None) };
        room.passed(answers.len(), Duration::ZERO);
        let rouge = scores(&answers);
        let plain = Bootstrap { samples: 0, seed: 0 };
        let (whole, cut) = (RougeReport::new(&rouge.whole, plain), RougeReport::new(&rouge.cut, plain));
        for variant in 0..4 {
            found.insert(whole_score(variant), whole.f1(variant).mean);
            found.insert(cut_score(variant), cut.f1(variant).mean);
        }
        Ok(Some(found))
    }
}
