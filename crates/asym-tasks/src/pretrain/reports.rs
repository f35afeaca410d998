//! Pre-training of `bart-mini`: reconstruction of reports in generated English from noisy input.
//!
//! The objective is that of BART in a small model: the sentences of a report are shuffled, spans of it are masked, and the
//! decoder writes the original report. Two witnesses in each report describe one event in different words, so a span that is
//! masked in one sentence can be inferred from another sentence. The model never sees a summary, or an event that is summarized
//! in the task's development set.

use std::path::Path;
use std::sync::Arc;

use asym_models::{BartConfig, BartLanguageModel, JsonObject, PretrainedModel};
use asym_train::TrainSettings;
use burn::tensor::Device;
use serde::Serialize;
use serde_json::json;

use super::infilling::{Documents, Evaluate, Noise};
use super::recipe::{Budget, Parts, Pretraining};
use super::vocabulary::{END, SAMPLE, START, Vocabulary, roberta_marks};
use crate::error::TaskError;
use crate::grammar::{Report, ReportSet, reports};
use crate::sequences::{Marks, PairLoss};

/// The number of batches of held-out reports on which the model is evaluated.
const EVALUATED: usize = 50;

/// The settings of the pre-training of `bart-mini`.
#[derive(Clone, Debug, Serialize)]
pub struct ReportRecipe {
    /// The settings of the training loop.
    #[serde(flatten)]
    pub budget: Budget,
    /// The fraction of the tokens that is masked.
    pub masking: f64,
    /// The mean length of a masked span, in tokens.
    pub span: f64,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Number of blocks of the encoder and of the decoder.
    pub layers: [usize; 2],
    /// Attention heads.
    pub heads: usize,
}

impl Default for ReportRecipe {
    fn default() -> Self {
        Self {
            budget: Budget { seed: 1, steps: 5000, batch_size: 32, learning_rate: 1.5e-3, warmup_ratio: 0.05 },
            masking: 0.3,
            span: 3.0,
            vocab_size: 1000,
            hidden_size: 128,
            layers: [4, 2],
            heads: 4,
        }
    }
}

impl Pretraining for ReportRecipe {
    const NAME: &'static str = "bart-mini";
    // The head is the word embedding.
    const KEEPS_HEAD: bool = true;

    type Model = BartLanguageModel;
    type Source = Documents;
    type Objective = PairLoss;
    type Evaluation = Evaluate;

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn settings(&self) -> TrainSettings {
        TrainSettings { adam_beta2: 0.98, adam_epsilon: 1e-6, ..self.budget.settings() }
    }

    fn prepare(&self, folder: &Path, device: &Device) -> Result<Parts<Self>, TaskError> {
        let trained = self.budget.examples();
        let count = trained + EVALUATED * self.budget.batch_size;
        let all: Vec<Report> = reports(self.budget.seed, ReportSet::Pretraining, count).collect();
        let sample = all.iter().take(SAMPLE / 5).map(Report::text);
        let tokenizer = Vocabulary::roberta(self.vocab_size).train(sample, roberta_marks(), folder)?;
        let mut config = BartConfig::new(tokenizer.vocab_size(), self.hidden_size, self.layers[0]);
        for (stack, layers) in [(&mut config.encoder, self.layers[0]), (&mut config.decoder, self.layers[1])] {
            (stack.layers, stack.heads) = (layers, self.heads);
        }
        (config.max_position_embeddings, config.dropout) = (128, 0.0);
        // The settings of generation, as in the checkpoints of BART.
        let search = json!({
            "bos_token_id": START, "forced_bos_token_id": START, "forced_eos_token_id": END, "num_beams": 4,
            "early_stopping": true, "no_repeat_ngram_size": 3
        });
        config.other.extend(JsonObject::of(&search).unwrap_or_default());
        let documents = |reports: &[Report]| -> Result<Arc<Documents>, TaskError> {
            let sentence = |text: &String| -> Result<Vec<u32>, TaskError> {
                let ids = tokenizer.encode(text, None, config.max_position_embeddings)?.input_ids;
                Ok(ids[1..ids.len() - 1].to_vec())
            };
            let document = |report: &Report| report.sentences.iter().map(sentence).collect::<Result<_, _>>();
            let documents = reports.iter().map(document).collect::<Result<_, TaskError>>()?;
            let noise = Noise { masking: self.masking, span: self.span };
            Ok(Arc::new(Documents { seed: self.budget.seed, noise, marks: Marks::of(&config), documents }))
        };
        let (train, held_out) = (documents(&all[..trained])?, documents(&all[trained..])?);
        let model = BartLanguageModel::init(&config, self.budget.seed, device)?;
        Ok(Parts { model, train, objective: PairLoss::default(), evaluation: Evaluate(held_out) })
    }
}
