//! Pre-training of `llama-mini`: causal language modeling on lines about an invented world.
//!
//! The lines state what every name is, and they ask questions in forms that differ from those of the task: see [`crate::trivia`].
//! Pre-training provides the knowledge. Training on instructions then has to teach the form of an answer.

use std::path::Path;
use std::sync::Arc;

use asym_models::{LlamaConfig, LlamaLanguageModel, PretrainedModel};
use asym_train::{EvalRoom, Evaluation, Scores, TrainError, TrainSettings};
use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use tokenizers::processors::template::TemplateProcessing;

use super::recipe::{Budget, Parts, Pretraining};
use super::tally::Tally;
use super::vocabulary::{SAMPLE, Vocabulary};
use crate::error::TaskError;
use crate::language::{LanguageExample, LanguageExamples, LanguageLoss};
use crate::trivia;

/// The special tokens, in the order of their ids, as in Llama 2.
const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];
/// The id of `</s>`.
const END: u32 = 2;

/// The number of batches of lines on which the model is evaluated.
const EVALUATED: usize = 40;

/// The settings of the pre-training of `llama-mini`.
#[derive(Clone, Debug, Serialize)]
pub struct LanguageRecipe {
    /// The settings of the training loop.
    #[serde(flatten)]
    pub budget: Budget,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Width inside the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Number of query heads. There are half as many heads of keys and values.
    pub heads: usize,
}

impl Default for LanguageRecipe {
    fn default() -> Self {
        Self {
            budget: Budget { seed: 1, steps: 2500, batch_size: 64, learning_rate: 2e-3, warmup_ratio: 0.05 },
            vocab_size: 3000,
            hidden_size: 128,
            intermediate_size: 344,
            layers: 4,
            heads: 4,
        }
    }
}

impl Pretraining for LanguageRecipe {
    const NAME: &'static str = "llama-mini";
    const KEEPS_HEAD: bool = true;

    type Model = LlamaLanguageModel;
    type Source = LanguageExamples;
    type Objective = LanguageLoss;
    type Evaluation = Evaluate;

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn settings(&self) -> TrainSettings {
        TrainSettings { adam_beta2: 0.98, weight_decay: 0.01, ..self.budget.settings() }
    }

    fn prepare(&self, folder: &Path, device: &Device) -> Result<Parts<Self>, TaskError> {
        let trained = self.budget.examples();
        let text: Vec<String> =
            trivia::corpus(self.budget.seed, trained + EVALUATED * self.budget.batch_size).collect();
        let vocabulary = Vocabulary { size: self.vocab_size, special: &SPECIAL, blank: false };
        let marks = TemplateProcessing::builder()
            .try_single("<s> $0")
            .and_then(|marks| marks.special_tokens(vec![("<s>", 1)]).build().map_err(|error| error.to_string()));
        // The template is fixed, so this error is only possible after a change of the lines above.
        let marks = marks.map_err(|error| TaskError::task(std::io::Error::other(error)))?;
        let tokenizer = vocabulary.train(text.iter().take(trained.min(SAMPLE)).cloned(), marks, folder)?;
        let line = |text: &String| -> Result<LanguageExample, TaskError> {
            let mut input_ids = tokenizer.encode(text, None, usize::MAX)?.input_ids;
            input_ids.push(END);
            Ok(LanguageExample { labeled: vec![true; input_ids.len()], input_ids, line: 0 })
        };
        let lines = |text: &[String]| -> Result<Arc<LanguageExamples>, TaskError> {
            let lines: Vec<LanguageExample> = text.iter().map(line).collect::<Result<_, _>>()?;
            Ok(Arc::new(LanguageExamples::new(lines, END as usize)))
        };
        let config = LlamaConfig {
            intermediate_size: self.intermediate_size,
            num_key_value_heads: self.heads / 2,
            max_position_embeddings: 256,
            tie_word_embeddings: true,
            ..LlamaConfig::new(tokenizer.vocab_size(), self.hidden_size, self.layers, self.heads)
        };
        let model = LlamaLanguageModel::init(&config, self.budget.seed, device)?;
        let (train, held_out) = (lines(&text[..trained])?, lines(&text[trained..])?);
        Ok(Parts { model, train, objective: LanguageLoss, evaluation: Evaluate(held_out) })
    }
}

/// Loss and accuracy of the next token on lines that are not trained on.
#[derive(Debug)]
pub struct Evaluate(Arc<LanguageExamples>);

impl Evaluation<LlamaLanguageModel> for Evaluate {
    fn run(&self, model: &LlamaLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let mut tally = Tally::default();
        let complete = room.pass(&self.0, &device, |batch| {
            tally.add(model.forward_at(batch.input, batch.positions), batch.targets);
            Ok(())
        })?;
        Ok(complete.then(|| tally.scores()))
    }
}
