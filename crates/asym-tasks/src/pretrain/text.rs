//! Pre-training of `roberta-mini`: masked language modeling on generated text.
//!
//! The objective is that of RoBERTa (Liu et al., 2019) in a small model. The choice of the masked tokens differs. In four of five
//! lines with two sentences of the same meaning, most tokens of *one* sentence are masked, and no token of the other sentence. If
//! only one noun were masked, it could be inferred by elimination from the remaining nouns. If the nouns are masked together,
//! each must be inferred from its role in the other sentence. Three in ten of the tokens to be predicted are replaced by a masked
//! word of the same line, and not by a random word as in BERT, so the model has to recognize words in the wrong position. In a
//! line whose second sentence begins with "yes" or "no", only this word is masked, so the model predicts whether the two
//! sentences agree.

use std::path::Path;
use std::sync::Arc;

use asym_models::{EncoderConfig, Family, MaskedLanguageModel, PretrainedModel};
use asym_train::TrainSettings;
use burn::tensor::Device;
use serde::Serialize;

use super::masking::{Evaluate, Lines, MaskedLoss};
use super::recipe::{Budget, Parts, Pretraining};
use super::vocabulary::{SAMPLE, Vocabulary, roberta_marks};
use crate::error::TaskError;
use crate::grammar;

/// The number of batches of held-out lines on which the model is evaluated.
const EVALUATED: usize = 100;

/// The settings of the pre-training of `roberta-mini`.
#[derive(Clone, Debug, Serialize)]
pub struct TextRecipe {
    /// The settings of the training loop.
    #[serde(flatten)]
    pub budget: Budget,
    /// Fraction of a sentence that is masked if the other sentence of its line, with the same meaning, is not masked.
    pub pair_masking: f64,
    /// Fraction of the tokens that is masked in all other cases.
    pub masking: f64,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
}

impl Default for TextRecipe {
    fn default() -> Self {
        Self {
            budget: Budget { seed: 1, steps: 4500, batch_size: 64, learning_rate: 1.5e-3, warmup_ratio: 0.045 },
            pair_masking: 0.7,
            masking: 0.15,
            vocab_size: 1000,
            hidden_size: 128,
            layers: 4,
            heads: 4,
        }
    }
}

impl Pretraining for TextRecipe {
    const NAME: &'static str = "roberta-mini";
    const KEEPS_HEAD: bool = true;

    type Model = MaskedLanguageModel;
    type Source = Lines;
    type Objective = MaskedLoss;
    type Evaluation = Evaluate;

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn settings(&self) -> TrainSettings {
        TrainSettings { adam_beta2: 0.98, adam_epsilon: 1e-6, ..self.budget.settings() }
    }

    fn prepare(&self, folder: &Path, device: &Device) -> Result<Parts<Self>, TaskError> {
        let trained = self.budget.examples();
        let lines = trained + EVALUATED * self.budget.batch_size;
        let text: Vec<String> = grammar::pretraining_corpus(self.budget.seed, lines).collect();
        let sample = text[..trained].iter().take(SAMPLE).flat_map(|line| line.split('\t')).map(ToString::to_string);
        let tokenizer = Vocabulary::roberta(self.vocab_size).train(sample, roberta_marks(), folder)?;
        let evaluation = Evaluate(Arc::new(Lines::encode(&tokenizer, &text[trained..], self)?));
        let train = Arc::new(Lines::encode(&tokenizer, &text[..trained], self)?);
        let config = EncoderConfig {
            num_attention_heads: self.heads,
            max_position_embeddings: 66,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            ..EncoderConfig::new(Family::Roberta, tokenizer.vocab_size(), self.hidden_size, self.layers)
        };
        let model = MaskedLanguageModel::init(&config, self.budget.seed, device)?;
        Ok(Parts { model, train, objective: MaskedLoss, evaluation })
    }
}
