//! Beam search as in `_beam_search` of transformers 5. The search of each prompt stops independently of the other prompts.

use rand_chacha::ChaCha12Rng;

use super::processors::{ban_source_ngrams, process};
use super::scores::{Best, Ranked, log_softmax};
use super::search::uniform;
use super::{EarlyStopping, Generated, Generation, GenerationError, NextToken, checked};

/// The score that transformers gives to missing beams, and adds to beams that must not be chosen.
const NEVER: f32 = -1e9;

/// A row that is still being continued.
struct Beam {
    tokens: Vec<u32>,
    /// The sum of the log-probabilities of its new tokens.
    score: f32,
    /// The index of its logits in the last output of the model.
    place: usize,
}

/// A finished row, or an empty slot for one.
struct Finished {
    tokens: Vec<u32>,
    score: f32,
    is_row: bool,
}

/// The search of one prompt.
struct Search<'a> {
    settings: &'a Generation,
    /// The index of the prompt.
    prompt: usize,
    prompt_length: usize,
    /// One row for each beam, best first.
    beams: Vec<Beam>,
    finished: Vec<Finished>,
    random: Option<ChaCha12Rng>,
}

/// Beam search, or beam search with sampling.
pub(super) fn search(
    model: &mut impl NextToken,
    prompts: &[Vec<u32>],
    settings: &Generation,
    mut progress: impl FnMut(usize),
) -> Result<Vec<Generated>, GenerationError> {
    let vocab_size = model.vocab_size();
    let mut searches: Vec<Search<'_>> =
        prompts.iter().enumerate().map(|(place, prompt)| Search::new(settings, place, prompt)).collect();
    let mut running: Vec<usize> = (0..searches.len()).collect();
    let mut logits = checked(model.start(), 0..prompts.len(), vocab_size)?;
    for new in 0..settings.max_new_tokens {
        running.retain(|search| searches[*search].advance(new, vocab_size, &mut logits, |tokens| model.ends(tokens)));
        progress(new + 1);
        if running.is_empty() {
            break;
        }
        let beams = || running.iter().flat_map(|search| &searches[*search].beams);
        let places: Vec<usize> = beams().map(|beam| beam.place).collect();
        let tokens: Vec<u32> = beams().filter_map(|beam| beam.tokens.last().copied()).collect();
        let prompts = running.iter().flat_map(|search| searches[*search].beams.iter().map(|_| *search));
        let prompts: Vec<usize> = prompts.collect();
        logits = checked(model.step(&places, &tokens), prompts.into_iter(), vocab_size)?;
        let mut place = 0..;
        for search in &running {
            searches[*search].beams.iter_mut().zip(&mut place).for_each(|(beam, place)| beam.place = place);
        }
    }
    Ok(searches.into_iter().flat_map(Search::into_rows).collect())
}

impl<'a> Search<'a> {
    fn new(settings: &'a Generation, place: usize, prompt: &[u32]) -> Self {
        // Only the first beam is used in the first step, because all beams have the same tokens.
        let beam = |number| Beam { tokens: prompt.to_vec(), score: if number == 0 { 0.0 } else { NEVER }, place };
        let empty = |_| Finished { tokens: prompt.to_vec(), score: NEVER, is_row: false };
        Self {
            settings,
            prompt: place,
            prompt_length: prompt.len(),
            beams: (0..settings.num_beams).map(beam).collect(),
            finished: (0..settings.num_beams).map(empty).collect(),
            random: settings.sampling.as_ref().map(|sampling| sampling.stream(place, 0)),
        }
    }

    /// Continue the beams, which have `new` new tokens, with one more token. Returns whether the search continues.
    fn advance(&mut self, new: usize, vocab_size: usize, logits: &mut [f32], stops: impl Fn(&[u32]) -> bool) -> bool {
        let settings = self.settings;
        let count = self.beams.len();
        let mut processed = None;
        for beam in self.beams.iter().filter(|beam| processed.replace(beam.place) != Some(beam.place)) {
            let scores = &mut logits[beam.place * vocab_size..][..vocab_size];
            log_softmax(scores);
            ban_source_ngrams(settings, self.prompt, &beam.tokens, scores);
            process(settings, &beam.tokens, new, scores);
        }

        let length = new + 1;
        let last = length == settings.max_new_tokens;
        let mut going_on = Vec::new();
        for (rank, candidate) in self.candidates(vocab_size, logits).into_iter().enumerate() {
            let (beam, token) = (&self.beams[candidate.index / vocab_size], (candidate.index % vocab_size) as u32);
            let tokens = || beam.tokens.iter().copied().chain([token]).collect::<Vec<u32>>();
            let ends = last || settings.eos_token_id.contains(&token) || stops(&tokens());
            // Candidates after the first `count` can only continue the search.
            if ends && rank < count {
                let score = candidate.score / penalty(length, settings.length_penalty);
                self.finished.push(Finished { tokens: tokens(), score, is_row: true });
            }
            let score = if ends { candidate.score + NEVER } else { candidate.score };
            going_on.push((beam.place, token, score, candidate.index / vocab_size));
        }
        // Both sorts are stable. If scores are equal, a row comes before an empty slot.
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.is_row.cmp(&a.is_row)));
        self.finished.truncate(count);
        going_on.sort_by(|a, b| b.2.total_cmp(&a.2));
        going_on.truncate(count);
        let continued = |(place, token, score, beam): &(usize, u32, f32, usize)| {
            let tokens = self.beams[*beam].tokens.iter().copied().chain([*token]).collect();
            Beam { tokens, score: *score, place: *place }
        };
        self.beams = going_on.iter().map(continued).collect();
        !last && self.can_improve(length)
    }

    /// The continuations with the best scores, best first. They are enough to continue as many rows as there are beams,
    /// even if all other candidates end.
    fn candidates(&mut self, vocab_size: usize, logits: &[f32]) -> Vec<Ranked> {
        let count = (1 + self.settings.eos_token_id.len().max(1)) * self.beams.len();
        let mut best = Best::new(count);
        let scores = |beam: &Beam| &logits[beam.place * vocab_size..][..vocab_size];
        let Some(random) = &mut self.random else {
            for (number, beam) in self.beams.iter().enumerate() {
                best.extend(scores(beam), beam.score, number * vocab_size);
            }
            return best.into_sorted();
        };
        // The highest scores with added Gumbel noise are a sample from the softmax without replacement.
        for (number, beam) in self.beams.iter().enumerate() {
            for (token, score) in scores(beam).iter().enumerate() {
                let noise = match score.is_finite() {
                    true => -(-(1.0 - uniform(random)).ln()).ln(),
                    false => 0.0,
                };
                best.push(Ranked { score: score + beam.score + noise as f32, index: number * vocab_size + token });
            }
        }
        let score = |ranked: Ranked| {
            let beam = &self.beams[ranked.index / vocab_size];
            Ranked { score: scores(beam)[ranked.index % vocab_size] + beam.score, ..ranked }
        };
        let mut drawn: Vec<Ranked> = best.into_sorted().into_iter().map(score).collect();
        drawn.sort_by(|a, b| b.cmp(a));
        drawn
    }

    /// Whether a beam can still become better than a finished row, according to `early_stopping`.
    fn can_improve(&self, length: usize) -> bool {
        let settings = self.settings;
        if settings.early_stopping == EarlyStopping::Yes && self.finished.iter().all(|finished| finished.is_row) {
            return false;
        }
        let (Some(best), Some(worst)) = (self.beams.first(), self.finished.last()) else {
            return false;
        };
        let length = match settings.early_stopping {
            EarlyStopping::Never if settings.length_penalty > 0.0 => settings.max_new_tokens,
            _ => length,
        };
        best.score / penalty(length, settings.length_penalty) > worst.score
    }

    fn into_rows(self) -> impl Iterator<Item = Generated> {
        let prompt_length = self.prompt_length;
        let row =
            move |finished: Finished| Generated { tokens: finished.tokens, prompt_length, score: Some(finished.score) };
        self.finished.into_iter().take(self.settings.num_return_sequences).map(row)
    }
}

/// length^power in f64, as in Python, and then rounded to f32, as in torch.
fn penalty(length: usize, power: f64) -> f32 {
    (length as f64).powf(power) as f32
}
