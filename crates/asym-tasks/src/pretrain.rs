//! Pre-training the embedded checkpoint: masked language modelling on generated text.
//!
//! RoBERTa's objective (Liu et al., 2019) at the size of a toy. What differs is which tokens are masked: in a line of two
//! sentences that say the same, most of *one* sentence is, and none of the other. Masked singly, a noun follows by
//! elimination from those that are left; masked together, each has to be found by its role in the other sentence. Of the
//! tokens to be predicted three in ten are replaced not by a random word, as in BERT, but by another of the same
//! sentence's, so that a model must notice who is in the wrong place. In a line whose second sentence is introduced by
//! "yes" or "no", that word alone is masked: whether two sentences agree is then something to be predicted, too.

use std::path::Path;
use std::time::Instant;

use asym_core::random::{derive_seed, stream};
use asym_models::{Checkpoint, EncoderConfig, EncoderInput, Family, FileDtype, MaskedLanguageModel, PretrainedModel};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::{ProgressBar, ProgressStyle};
use rand::RngExt;
use serde::Serialize;

use crate::batch::{Batch, EncodedExample, Order, Padding};
use crate::error::TaskError;
use crate::grammar;
use crate::tokenizer::Tokenizer;
use crate::train::{LinearWarmup, StopSignal, clip_by_global_norm};

/// The special tokens, in the order of their ids.
const SPECIAL: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];
const PAD: usize = 1;
const MASK: u32 = 4;

/// Everything that decides what is learned.
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
    /// Steps over which the learning rate rises.
    pub warmup: usize,
    /// Part of a sentence that is masked where the other sentence of its line says the same.
    pub pair_masking: f64,
    /// Part of the tokens that is masked elsewhere.
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
            warmup: 200,
            pair_masking: 0.7,
            masking: 0.15,
            vocab_size: 1000,
            hidden_size: 128,
            layers: 4,
            heads: 4,
        }
    }
}

/// What pre-training ended with.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainResult {
    /// The recipe.
    pub recipe: PretrainRecipe,
    /// Parameters of the masked language model.
    pub parameters: usize,
    /// Mean loss over the last 200 steps.
    pub loss: f64,
    /// Part of the masked tokens that was predicted, over the last 200 steps; each line is seen once, so that this is
    /// measured on text that was not trained on.
    pub accuracy: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// A line as the model reads it, and where its second sentence begins.
struct Line {
    example: EncodedExample,
    /// Tokens of the first sentence with its marks; the line's length where there is one sentence.
    first: usize,
    /// Where "yes" or "no" stands, in a line that has one: the only token that is masked there.
    answer: Option<usize>,
}

/// Train, and write `config.json`, `model.safetensors` (f16) and `tokenizer.json` into `folder`.
///
/// # Errors
///
/// A recipe that makes no model, or what the system refuses. A loss that is not finite stops: nothing is written then.
pub fn pretrain(
    recipe: &PretrainRecipe,
    folder: &Path,
    device: &Device,
    stop: &StopSignal,
) -> Result<PretrainResult, TaskError> {
    let io = |source| TaskError::Io { path: folder.to_path_buf(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    let text: Vec<String> = grammar::pretraining_corpus(recipe.seed, recipe.steps * recipe.batch_size).collect();
    let tokenizer = train_tokenizer(&text, recipe.vocab_size, &folder.join("tokenizer.json"))?;
    let lines = encode(&tokenizer, &text)?;
    drop(text);

    let config = EncoderConfig {
        num_attention_heads: recipe.heads,
        max_position_embeddings: 66,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: 0.0,
        ..EncoderConfig::new(Family::Roberta, tokenizer.vocab_size(), recipe.hidden_size, recipe.layers)
    };
    let training = device.clone().autodiff();
    let mut model = MaskedLanguageModel::init(&config, recipe.seed, &training)?;
    let parameters = model.num_params();
    let mut optimizer = AdamWConfig::new().with_beta_2(0.98).with_epsilon(1e-6).with_weight_decay(0.01).init();
    let schedule = LinearWarmup::new(recipe.learning_rate, recipe.warmup, recipe.steps);

    let lengths: Vec<usize> = lines.iter().map(|line| line.example.input_ids.len()).collect();
    let plan = Order::Grouped { seed: recipe.seed }.batches(&lengths, recipe.batch_size, 0);
    let bar = ProgressBar::new(recipe.steps as u64).with_style(style());
    let (started, mut last) = (Instant::now(), Instant::now());
    let mut recent: Vec<(f64, f64)> = Vec::new();
    for (step, chosen) in plan.iter().take(recipe.steps).enumerate() {
        if stop.requested() {
            return Err(TaskError::Interrupted);
        }
        let masked = Masked::new(&lines, chosen, recipe, step);
        let (loss, accuracy, gradients) = masked.gradients(&model, &training);
        let (norm, gradients) = clip_by_global_norm(&model, gradients, Some(1.0));
        let learning_rate = schedule.at(step);
        if !(loss.is_finite() && norm.is_finite()) {
            return Err(TaskError::NonFiniteLoss { loss, gradient_norm: norm, step: step + 1, learning_rate });
        }
        model = optimizer.step(learning_rate, model, gradients);

        recent.push((loss, accuracy));
        if recent.len() > 200 {
            recent.remove(0);
        }
        bar.set_position(step as u64 + 1);
        let (loss, accuracy) = mean(&recent);
        bar.set_message(format!("loss {loss:.3}  accuracy {accuracy:.3}"));
        if bar.is_hidden() && last.elapsed().as_secs() >= 30 {
            last = Instant::now();
            let left = started.elapsed().as_secs_f64() / (step + 1) as f64 * (recipe.steps - step - 1) as f64;
            eprintln!("step {}/{}  loss {loss:.3}  accuracy {accuracy:.3}  {left:.0} s left", step + 1, recipe.steps);
        }
    }
    bar.finish_and_clear();
    asym_models::save(&model.valid(), folder, FileDtype::F16)?;
    // What was written is what will be compiled in: read it once.
    Checkpoint::open(folder)?.masked_language_model(0, device)?;
    let (loss, accuracy) = mean(&recent);
    Ok(PretrainResult { recipe: recipe.clone(), parameters, loss, accuracy, seconds: started.elapsed().as_secs_f64() })
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("pre-training {wide_bar} {pos}/{len}  {msg}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn mean(recent: &[(f64, f64)]) -> (f64, f64) {
    let n = recent.len().max(1) as f64;
    let (loss, accuracy) = recent.iter().fold((0.0, 0.0), |sum, value| (sum.0 + value.0, sum.1 + value.1));
    (loss / n, accuracy / n)
}

/// A byte-level BPE tokenizer with RoBERTa's special tokens, written to `path` and read back as any other.
fn train_tokenizer(text: &[String], vocab_size: usize, path: &Path) -> Result<Tokenizer, TaskError> {
    use tokenizers::models::bpe::{BPE, BpeTrainer};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::processors::roberta::RobertaProcessing;
    use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, TokenizerImpl};

    let unreadable = |source| TaskError::UnreadableTokenizer { path: path.display().to_string(), source };
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
    let data = std::fs::read(path).map_err(|source| TaskError::Io { path: path.to_path_buf(), source })?;
    Tokenizer::from_bytes(&path.display().to_string(), &data)
}

fn encode(tokenizer: &Tokenizer, text: &[String]) -> Result<Vec<Line>, TaskError> {
    use crate::table::{Example, Target};
    const MAX_LENGTH: usize = 64;
    text.iter()
        .enumerate()
        .map(|(index, line)| {
            let (first, second) = match line.split_once('\t') {
                Some((first, second)) => (first, Some(second.to_string())),
                None => (line.as_str(), None),
            };
            let second_answers = second
                .as_ref()
                .is_some_and(|second| grammar::ANSWERS.iter().any(|answer| second.split(' ').next() == Some(*answer)));
            let example = Example { first: first.to_string(), second, target: Target::Unknown, line: index + 1 };
            let encoded = tokenizer.encode(&example, MAX_LENGTH)?;
            let end = encoded.input_ids.iter().position(|id| *id == 2).map_or(0, |end| end + 1);
            // The second sentence begins behind its opening mark.
            let answer = second_answers.then_some(end + 1);
            Ok(Line { first: end, answer, example: encoded })
        })
        .collect()
}

/// A batch with some of its tokens replaced, and what stood there.
struct Masked {
    examples: Vec<EncodedExample>,
    /// Places in the padded batch, row by row.
    positions: Vec<i32>,
    labels: Vec<i32>,
}

impl Masked {
    fn new(lines: &[Line], chosen: &[usize], recipe: &PretrainRecipe, step: usize) -> Self {
        let mut rng = stream(derive_seed(recipe.seed, "masks", step as u64), "batch");
        let length = chosen.iter().map(|index| lines[*index].example.input_ids.len()).max().unwrap_or(0);
        let mut masked = Self { examples: Vec::new(), positions: Vec::new(), labels: Vec::new() };
        for (row, index) in chosen.iter().enumerate() {
            let line = &lines[*index];
            let mut example = line.example.clone();
            let count = example.input_ids.len();
            let (region, rate) = match (&line.answer, line.first < count && rng.random_bool(0.8), rng.random_bool(0.5))
            {
                (Some(place), ..) => (*place..*place + 1, 1.0),
                (None, true, true) => (0..line.first, recipe.pair_masking),
                (None, true, false) => (line.first..count, recipe.pair_masking),
                (None, false, _) => (0..count, recipe.masking),
            };
            let places: Vec<usize> = region
                .filter(|place| example.input_ids[*place] as usize >= SPECIAL.len() && rng.random_bool(rate))
                .collect();
            let words: Vec<u32> = places.iter().map(|place| example.input_ids[*place]).collect();
            for (place, word) in places.iter().zip(&words) {
                masked.positions.push((row * length + place) as i32);
                masked.labels.push(*word as i32);
                example.input_ids[*place] = match rng.random_range(0..10) {
                    _ if line.answer.is_some() => MASK,
                    0..6 => MASK,
                    6..9 => words[rng.random_range(0..words.len())],
                    _ => *word,
                };
            }
            masked.examples.push(example);
        }
        masked
    }

    /// The loss, the part of the masked tokens that was predicted, and the gradients.
    fn gradients(&self, model: &MaskedLanguageModel, device: &Device) -> (f64, f64, GradientsParams) {
        let padding = Padding { pad_id: PAD, token_types: false };
        let batch = Batch::new(&self.examples, (0..self.examples.len()).collect(), padding, device);
        let input = EncoderInput {
            input_ids: batch.input_ids,
            attention_mask: Some(batch.attention_mask),
            token_type_ids: None,
        };
        let tensor =
            |values: &Vec<i32>| Tensor::<1, Int>::from_data(TensorData::new(values.clone(), [values.len()]), device);
        let logits = model.forward_at(input, tensor(&self.positions)); // [masked, vocabulary]
        let labels = tensor(&self.labels);
        let loss = CrossEntropyLossConfig::new().init(device).forward(logits.clone(), labels);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        let predicted = logits.argmax(1).into_data();
        let right = predicted.iter::<i64>().zip(&self.labels).filter(|(id, label)| *id == i64::from(**label)).count();
        (value, right as f64 / self.labels.len().max(1) as f64, gradients)
    }
}
