//! Pre-training the embedded checkpoint: masked language modeling on generated text.
//!
//! The objective is RoBERTa's (Liu et al., 2019) at the size of a toy, and the loop is [`fit`]. The choice of the masked tokens
//! differs. In a line of two sentences that say the same, most of *one* sentence is masked, and none of the other: masked
//! singly, a noun follows by elimination from those that are left; masked together, each has to be found by its role in the
//! other sentence. Three in ten of the tokens to be predicted are replaced by another masked word of the same line, and not by
//! a random word as in BERT, so that a model must notice who is in the wrong place. In a line whose second sentence is
//! introduced by "yes" or "no", that word alone is masked, so that the model predicts whether the two sentences agree.

mod masking;

use std::path::Path;
use std::sync::Arc;

use asym_data::{Tokenizer, TokenizerError};
use asym_models::{Checkpoint, EncoderConfig, Family, FileDtype, MaskedLanguageModel, PretrainedModel};
use asym_train::{Loader, Run, State, StopSignal, TrainSettings, Tuning, fit};
use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;

use self::masking::{Evaluate, Lines, MaskedLoss};
use crate::error::TaskError;
use crate::grammar;

/// The special tokens, in the order of their ids.
const SPECIAL: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

/// Batches of held-out lines on which the model is evaluated.
const EVALUATED: usize = 100;

/// The settings of pre-training.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainRecipe {
    /// Seed of the text, the weights, the order and the masks.
    pub seed: u64,
    /// Optimizer steps.
    pub steps: usize,
    /// Lines a step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps over which the learning rate rises.
    pub warmup_ratio: f64,
    /// Share of a sentence that is masked if the other sentence of its line says the same.
    pub pair_masking: f64,
    /// Share of the tokens that is masked elsewhere.
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

impl Default for PretrainRecipe {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 4500,
            batch_size: 64,
            learning_rate: 1.5e-3,
            warmup_ratio: 0.045,
            pair_masking: 0.7,
            masking: 0.15,
            vocab_size: 1000,
            hidden_size: 128,
            layers: 4,
            heads: 4,
        }
    }
}

impl PretrainRecipe {
    fn settings(&self) -> TrainSettings {
        TrainSettings {
            epochs: 1,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            warmup_ratio: self.warmup_ratio,
            adam_beta2: 0.98,
            adam_epsilon: 1e-6,
            max_grad_norm: Some(1.0),
            seed: self.seed,
            ..TrainSettings::default()
        }
    }
}

/// The outcome of pre-training.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainResult {
    /// The recipe.
    pub recipe: PretrainRecipe,
    /// Parameters of the masked language model.
    pub parameters: usize,
    /// Mean loss of the masked tokens in lines that were not trained on.
    pub loss: f64,
    /// Share of the masked tokens in these lines that the model predicts.
    pub accuracy: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Train, and write `config.json`, `model.safetensors` (f16) and `tokenizer.json` into `folder`.
///
/// # Errors
///
/// A recipe that makes no model, and files that cannot be written. A loss that is not finite, or a request to stop, ends it;
/// no model is written then.
pub fn pretrain(
    recipe: &PretrainRecipe,
    folder: &Path,
    device: &Device,
    stop: &StopSignal,
) -> Result<PretrainResult, TaskError> {
    std::fs::create_dir_all(folder).map_err(TaskError::io(folder))?;
    let trained = recipe.steps * recipe.batch_size;
    let lines = trained + EVALUATED * recipe.batch_size;
    let text: Vec<String> = grammar::pretraining_corpus(recipe.seed, lines).collect();
    let tokenizer = train_tokenizer(&text[..trained], recipe.vocab_size, &folder.join("tokenizer.json"))?;
    let evaluation = Evaluate(Arc::new(Lines::encode(&tokenizer, &text[trained..], recipe)?));
    let lines = Arc::new(Lines::encode(&tokenizer, &text[..trained], recipe)?);
    drop(text);

    let config = EncoderConfig {
        num_attention_heads: recipe.heads,
        max_position_embeddings: 66,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        ..EncoderConfig::new(Family::Roberta, tokenizer.vocab_size(), recipe.hidden_size, recipe.layers)
    };
    let training = device.clone().autodiff();
    let model = MaskedLanguageModel::init(&config, recipe.seed, &training)?;
    let (parameters, naming) = (model.num_params(), model.naming());
    let settings = recipe.settings();
    let mut state = State::new(model, Tuning::Full, &naming, &settings, recipe.steps)?;
    let train = Loader::new(lines, settings.batch_size, settings.order(), &training)?;
    let run = Run { stop: stop.clone(), ..Run::new("pre-training") };
    let outcome = fit(&mut state, &MaskedLoss, &train, &evaluation, run)?;
    if outcome.interrupted {
        return Err(TaskError::Interrupted);
    }
    asym_models::save(&state.model().valid(), folder, FileDtype::F16)?;
    // These are the files that will be compiled in: read them once.
    Checkpoint::open(folder)?.masked_language_model(0, device)?;
    let scores = outcome.epochs.last().map(|epoch| epoch.dev.clone()).unwrap_or_default();
    let score = |name: &str| scores.get(name).copied().unwrap_or(f64::NAN);
    Ok(PretrainResult {
        recipe: recipe.clone(),
        parameters,
        loss: score("loss"),
        accuracy: score("accuracy"),
        seconds: outcome.seconds,
    })
}

/// A byte-level BPE tokenizer with RoBERTa's special tokens, written to `path` and read back as any other.
fn train_tokenizer(text: &[String], vocab_size: usize, path: &Path) -> Result<Tokenizer, TaskError> {
    use tokenizers::models::bpe::{BPE, BpeTrainer};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::processors::roberta::RobertaProcessing;
    use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, TokenizerImpl};

    let unreadable = |source| TokenizerError::UnreadableTokenizer { path: path.display().to_string(), source };
    // With a blank before the first word, a word has one token wherever it stands.
    let bytes = ByteLevel::new(true, true, true);
    let mut inner: TokenizerImpl<BPE, NormalizerWrapper, ByteLevel, RobertaProcessing, DecoderWrapper> =
        TokenizerImpl::new(BPE::default());
    inner.with_pre_tokenizer(Some(bytes));
    inner.with_decoder(Some(DecoderWrapper::ByteLevel(bytes)));
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .show_progress(false)
        .special_tokens(SPECIAL.iter().map(|token| AddedToken::from(*token, true)).collect())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    // Every word of the grammar is in the first few thousand lines.
    let sample = text.iter().take(20_000).flat_map(|line| line.split('\t')).map(ToString::to_string);
    inner.train(&mut trainer, sample).map_err(unreadable)?;
    inner.with_post_processor(Some(RobertaProcessing::new(("</s>".into(), 2), ("<s>".into(), 0)).trim_offsets(true)));
    inner.save(path, true).map_err(unreadable)?;
    let data = std::fs::read(path).map_err(TaskError::io(path))?;
    Ok(Tokenizer::from_bytes(&path.display().to_string(), &data)?)
}
