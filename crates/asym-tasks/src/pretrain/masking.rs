//! Lines with masked tokens, the loss on these tokens, and the evaluation.

use std::sync::Arc;

use asym_core::random::{derive_seed, stream};
use asym_data::{Encoding, Tokenizer};
use asym_kernels::cross_entropy;
use asym_models::{EncoderInput, MaskedLanguageModel, Padding};
use asym_train::{Batch, EvalRoom, Evaluation, Objective, Scores, Source, TrainError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;

use super::tally::Tally;
use super::text::TextRecipe;
use super::vocabulary::{MASK, SPECIAL};
use crate::error::TaskError;
use crate::grammar;

const PADDING: Padding = Padding { pad_id: 1, token_types: false };
const MAX_LENGTH: usize = 64;

/// A tokenized line, and the position of its second sentence.
struct Line {
    encoding: Encoding,
    /// The number of tokens of the first sentence with its special tokens; the length of the line if there is only one sentence.
    first: usize,
    /// The position of "yes" or "no" in a line with such an answer, where no other token is masked.
    answer: Option<usize>,
}

/// Encoded lines, which are masked when a batch is created.
pub struct Lines {
    lines: Vec<Line>,
    seed: u64,
    pair_masking: f64,
    masking: f64,
}

/// Lines on the device with some of their tokens replaced.
pub struct MaskedBatch {
    input: EncoderInput,
    /// The positions of the masked tokens in the padded batch, row by row, `[masked]`.
    positions: Tensor<1, Int>,
    /// The original tokens at the masked positions, `[masked]`.
    labels: Tensor<1, Int>,
    lines: usize,
}

impl Batch for MaskedBatch {
    fn examples(&self) -> usize {
        self.lines
    }

    fn weight(&self) -> f64 {
        self.labels.dims()[0] as f64
    }
}

impl Lines {
    /// Encode `text`; a tab separates two sentences.
    pub(super) fn encode(tokenizer: &Tokenizer, text: &[String], recipe: &TextRecipe) -> Result<Self, TaskError> {
        let line = |line: &String| -> Result<Line, TaskError> {
            let (first, second) = match line.split_once('\t') {
                Some((first, second)) => (first, Some(second)),
                None => (line.as_str(), None),
            };
            let answers = second
                .is_some_and(|second| grammar::ANSWERS.iter().any(|word| second.split(' ').next() == Some(*word)));
            let encoding = tokenizer.encode(first, second, MAX_LENGTH)?;
            let end = encoding.input_ids.iter().position(|id| *id == 2).map_or(0, |end| end + 1);
            // The second sentence begins after its opening special token.
            Ok(Line { encoding, first: end, answer: answers.then_some(end + 1) })
        };
        Ok(Self {
            lines: text.iter().map(line).collect::<Result<_, _>>()?,
            seed: recipe.budget.seed,
            pair_masking: recipe.pair_masking,
            masking: recipe.masking,
        })
    }

    /// The tokens of a line with some of them replaced, and the positions and original tokens that are to be predicted.
    fn masked(&self, index: usize, epoch: usize) -> (Vec<u32>, Vec<(usize, u32)>) {
        let mut rng = stream(derive_seed(self.seed, "masks", index as u64), &format!("epoch/{epoch}"));
        let line = &self.lines[index];
        let mut ids = line.encoding.input_ids.clone();
        let count = ids.len();
        let (region, rate) = match (&line.answer, line.first < count && rng.random_bool(0.8), rng.random_bool(0.5)) {
            (Some(place), ..) => (*place..*place + 1, 1.0),
            (None, true, true) => (0..line.first, self.pair_masking),
            (None, true, false) => (line.first..count, self.pair_masking),
            (None, false, _) => (0..count, self.masking),
        };
        let places: Vec<usize> =
            region.filter(|place| ids[*place] as usize >= SPECIAL.len() && rng.random_bool(rate)).collect();
        let words: Vec<u32> = places.iter().map(|place| ids[*place]).collect();
        for (place, word) in places.iter().zip(&words) {
            ids[*place] = match rng.random_range(0..10) {
                _ if line.answer.is_some() => MASK,
                0..6 => MASK,
                6..9 => words[rng.random_range(0..words.len())],
                _ => *word,
            };
        }
        (ids, places.into_iter().zip(words).collect())
    }
}

impl Source for Lines {
    type Batch = MaskedBatch;

    fn len(&self) -> usize {
        self.lines.len()
    }

    fn length(&self, index: usize) -> usize {
        self.lines[index].encoding.input_ids.len()
    }

    fn collate(&self, indices: &[usize], epoch: usize, device: &Device) -> Result<MaskedBatch, TrainError> {
        let length = indices.iter().map(|index| self.length(*index)).max().unwrap_or(0);
        let (mut rows, mut positions, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (row, index) in indices.iter().enumerate() {
            let (ids, masked) = self.masked(*index, epoch);
            rows.push(ids);
            positions.extend(masked.iter().map(|(place, _)| (row * length + place) as i32));
            labels.extend(masked.iter().map(|(_, word)| *word as i32));
        }
        let rows: Vec<(&[u32], &[u32])> = rows.iter().map(|ids| (ids.as_slice(), &[][..])).collect();
        let tensor = |values: Vec<i32>| {
            let count = values.len();
            Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
        };
        Ok(MaskedBatch {
            input: EncoderInput::padded(&rows, PADDING, device),
            positions: tensor(positions),
            labels: tensor(labels),
            lines: indices.len(),
        })
    }
}

/// Cross-entropy, averaged over the masked tokens.
pub struct MaskedLoss;

impl Objective for MaskedLoss {
    type Model = MaskedLanguageModel;
    type Batch = MaskedBatch;

    fn loss(&self, model: &MaskedLanguageModel, batch: &MaskedBatch) -> Tensor<1> {
        let logits = model.forward_at(batch.input.clone(), batch.positions.clone()); // [masked, vocabulary]
        cross_entropy(logits, batch.labels.clone(), 0.0)
    }
}

/// Loss and accuracy on lines that are not trained on.
pub struct Evaluate(pub(super) Arc<Lines>);

impl Evaluation<MaskedLanguageModel> for Evaluate {
    fn run(&self, model: &MaskedLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        Tally::over(&self.0, model, room, |batch| (model.forward_at(batch.input, batch.positions), batch.labels))
    }
}
