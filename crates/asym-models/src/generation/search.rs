//! Generates one token at a time: the most likely token, or a sampled token.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use super::processors::{ban_source_ngrams, process};
use super::scores::{argmax, softmax, sum};
use super::{Generated, Generation, GenerationError, NextToken, Sampling, checked};

struct Row {
    tokens: Vec<u32>,
    prompt_length: usize,
    /// The index of its prompt.
    prompt: usize,
    /// The index of its logits in the last output of the model.
    place: usize,
    random: Option<ChaCha12Rng>,
}

/// Greedy search, or sampling.
pub(super) fn search(
    model: &mut impl NextToken,
    prompts: &[Vec<u32>],
    settings: &Generation,
    mut progress: impl FnMut(usize),
) -> Result<Vec<Generated>, GenerationError> {
    let vocab_size = model.vocab_size();
    let copies = settings.num_return_sequences;
    let mut rows: Vec<Row> = prompts
        .iter()
        .enumerate()
        .flat_map(|(place, prompt)| (0..copies).map(move |copy| (place, prompt, copy)))
        .map(|(place, prompt, copy)| Row {
            tokens: prompt.clone(),
            prompt_length: prompt.len(),
            prompt: place,
            place,
            random: settings.sampling.as_ref().map(|sampling| sampling.stream(place, copy)),
        })
        .collect();
    let mut running: Vec<usize> = (0..rows.len()).collect();
    let mut logits = checked(model.start(), 0..prompts.len(), vocab_size)?;
    for new in 0..settings.max_new_tokens {
        let mut processed = None;
        running.retain(|row| {
            let row = &mut rows[*row];
            let scores = &mut logits[row.place * vocab_size..][..vocab_size];
            // In the first step, the rows of a prompt share their scores, which are processed once.
            if processed != Some(row.place) {
                ban_source_ngrams(settings, row.prompt, &row.tokens, scores);
                process(settings, &row.tokens, new, scores);
                processed = Some(row.place);
            }
            let token = match &mut row.random {
                Some(random) => draw(scores, random),
                None => argmax(scores),
            };
            row.tokens.push(token);
            model.grown(&row.tokens);
            !settings.eos_token_id.contains(&token) && !model.ends(&row.tokens)
        });
        progress(new + 1);
        if running.is_empty() || new + 1 == settings.max_new_tokens {
            break;
        }
        let places: Vec<usize> = running.iter().map(|row| rows[*row].place).collect();
        let tokens: Vec<u32> = running.iter().filter_map(|row| rows[*row].tokens.last().copied()).collect();
        let prompts = running.iter().map(|row| rows[*row].prompt);
        logits = checked(model.step(&places, &tokens), prompts, vocab_size)?;
        running.iter().enumerate().for_each(|(place, row)| rows[*row].place = place);
    }
    let generated = |row: Row| Generated { tokens: row.tokens, prompt_length: row.prompt_length, score: None };
    Ok(rows.into_iter().map(generated).collect())
}

impl Sampling {
    /// The random number generator of row `copy` of the prompt at index `place`.
    pub(super) fn stream(&self, place: usize, copy: usize) -> ChaCha12Rng {
        let row = self.rows.get(place).copied().unwrap_or(place as u64);
        // Each key of ChaCha has its own stream.
        let mut key = [0; 32];
        for (bytes, number) in key.chunks_exact_mut(8).zip([self.seed, row, copy as u64]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        ChaCha12Rng::from_seed(key)
    }
}

/// A random number in [0, 1).
pub(super) fn uniform(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sample a token by inverting the cumulative distribution function.
fn draw(scores: &[f32], random: &mut impl Rng) -> u32 {
    let probabilities = softmax(scores);
    let mut left = uniform(random) * sum(&probabilities, |probability| probability);
    for (token, probability) in probabilities.iter().enumerate() {
        left -= f64::from(*probability);
        if left < 0.0 {
            return token as u32;
        }
    }
    // The sum was rounded up. The last token with a positive probability is returned.
    probabilities.iter().rposition(|probability| *probability > 0.0).unwrap_or(0) as u32
}
