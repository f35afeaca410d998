//! Changes to the scores of the next token, in the order of transformers' `_get_logits_processor`.

use std::cmp::Ordering;

use super::Generation;
use super::scores::{Best, Ranked, log_softmax, maximum, softmax, sum};

/// Change the scores of the token after `tokens`, of which the last `new` are not part of the prompt. The scores are
/// logits, or log-probabilities with beam search.
pub(super) fn process(settings: &Generation, tokens: &[u32], new: usize, scores: &mut [f32]) {
    let length = settings.prompt_length + new;
    if settings.repetition_penalty != 1.0 {
        penalise_repetition(tokens, settings.repetition_penalty as f32, scores);
    }
    if settings.no_repeat_ngram_size > 0 {
        ban_repeated_ngrams(tokens, settings.no_repeat_ngram_size, scores);
    }
    for word in settings.bad_words_ids.iter().filter(|word| !settings.ends_alone(word)) {
        if let [before @ .., last] = word.as_slice()
            && tokens.ends_with(before)
        {
            ban(scores, [*last]);
        }
    }
    if new < settings.min_new_tokens {
        ban(scores, settings.eos_token_id.iter().copied());
    }
    // The first token is forced only after a prompt of one token, which is the usual prompt of an encoder-decoder.
    if let Some(first) = settings.forced_bos_token_id.filter(|_| length == 1) {
        force(scores, &[first]);
    }
    if new + 1 == settings.max_new_tokens && !settings.forced_eos_token_id.is_empty() {
        force(scores, &settings.forced_eos_token_id);
    }
    if settings.remove_invalid_values {
        scores.iter_mut().for_each(|score| *score = if score.is_nan() { 0.0 } else { score.clamp(f32::MIN, f32::MAX) });
    }
    ban(scores, settings.suppress_tokens.iter().copied());
    // If the first token is forced, `begin_suppress_tokens` applies to the token after it.
    let forced = usize::from(settings.prompt_length == 1 && settings.forced_bos_token_id.is_some());
    if new == forced {
        ban(scores, settings.begin_suppress_tokens.iter().copied());
    }
    warp(settings, scores);
    if settings.renormalize_logits {
        log_softmax(scores);
    }
}

/// Forbid the n-grams that occur in the source of a prompt.
pub(super) fn ban_source_ngrams(settings: &Generation, prompt: usize, tokens: &[u32], scores: &mut [f32]) {
    let size = settings.encoder_no_repeat_ngram_size;
    let Some(source) = settings.sources.get(prompt).filter(|_| size > 0) else { return };
    let Some(start) = (tokens.len() + 1).checked_sub(size) else { return };
    ban_ngrams(source, &tokens[start..], scores);
}

/// Apply the settings of sampling: the temperature, and the limits to the most likely tokens.
fn warp(settings: &Generation, scores: &mut [f32]) {
    let Some(sampling) = &settings.sampling else {
        return;
    };
    // A beam needs one token to continue with, in addition to the tokens that end it.
    let keep = if settings.num_beams > 1 { settings.eos_token_id.len().max(1) + 1 } else { 1 };
    if sampling.temperature != 1.0 {
        // The best score is subtracted first. This does not change the probabilities, and a low temperature cannot produce
        // positive infinities. Beam search adds up the scores themselves, so nothing is subtracted there.
        let best = scores.iter().copied().filter(|score| score.is_finite()).fold(f32::NEG_INFINITY, f32::max);
        let best = if settings.num_beams > 1 { 0.0 } else { best };
        let temperature = sampling.temperature;
        let cooled = |score: f32| (f64::from(score - best) / temperature) as f32;
        scores.iter_mut().filter(|score| score.is_finite()).for_each(|score| *score = cooled(*score));
    }
    if sampling.top_k > 0 {
        keep_top_k(sampling.top_k.max(keep), scores);
    }
    if sampling.top_p < 1.0 {
        keep_top_p(sampling.top_p, keep, scores);
    }
    if let Some(min_p) = sampling.min_p {
        keep_min_p(min_p as f32, keep, scores);
    }
}

impl Generation {
    /// Whether a word is a single token that ends a row. As in transformers, `bad_words_ids` does not forbid such a token.
    fn ends_alone(&self, word: &[u32]) -> bool {
        matches!(word, [token] if self.eos_token_id.contains(token))
    }
}

fn ban(scores: &mut [f32], tokens: impl IntoIterator<Item = u32>) {
    for token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = f32::NEG_INFINITY;
        }
    }
}

fn force(scores: &mut [f32], tokens: &[u32]) {
    scores.fill(f32::NEG_INFINITY);
    for token in tokens {
        if let Some(score) = scores.get_mut(*token as usize) {
            *score = 0.0;
        }
    }
}

fn penalise_repetition(tokens: &[u32], penalty: f32, scores: &mut [f32]) {
    // The penalty is applied once for each token, even if the token occurs several times.
    let mut seen = tokens.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for token in seen {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

fn ban_repeated_ngrams(tokens: &[u32], size: usize, scores: &mut [f32]) {
    let Some(start) = (tokens.len() + 1).checked_sub(size) else {
        return;
    };
    ban_ngrams(tokens, &tokens[start..], scores);
}

/// Forbid the tokens that follow an occurrence of `begun` in `text`.
fn ban_ngrams(text: &[u32], begun: &[u32], scores: &mut [f32]) {
    for ngram in text.windows(begun.len() + 1) {
        if let [before @ .., last] = ngram
            && before == begun
        {
            ban(scores, [*last]);
        }
    }
}

fn keep_top_k(count: usize, scores: &mut [f32]) {
    if count >= scores.len() {
        return;
    }
    // All tokens whose score equals that of the last one are kept.
    let last = best(count, scores).last().map_or(f32::NEG_INFINITY, |last| last.score);
    scores.iter_mut().filter(|score| **score < last).for_each(|score| *score = f32::NEG_INFINITY);
}

/// Forbid the least likely tokens, whose total probability is at most 1 - p.
///
/// transformers sorts all tokens in ascending order. Here, only the most likely tokens are sorted, in descending order.
/// The total probability of a token and all less likely ones is `total` minus the sum `above` of the more likely ones.
fn keep_top_p(top_p: f64, keep: usize, scores: &mut [f32]) {
    const SORTED_AT_ONCE: usize = 256;
    let probabilities = softmax(scores);
    let total = sum(&probabilities, |probability| probability);
    let taken_away = (1.0 - top_p) as f32;
    // Tokens below this probability have a total probability below 1 - p. The factor of one half allows for rounding.
    let least = taken_away / scores.len() as f32 / 2.0;
    let ranked = |(index, score): (usize, &f32)| Ranked { score: *score, index };
    let mut tokens: Vec<Ranked> = probabilities.iter().enumerate().map(ranked).collect();
    tokens.retain(|token| token.score > least);

    let (mut kept, mut above) = (0, 0.0);
    'sorted: while kept < tokens.len() {
        let rest = &mut tokens[kept..];
        let count = rest.len().min(SORTED_AT_ONCE.max(kept));
        if count < rest.len() {
            rest.select_nth_unstable_by(count, last_of_equals_first);
        }
        rest[..count].sort_unstable_by(last_of_equals_first);
        for token in &rest[..count] {
            if kept >= keep && (total - above) as f32 <= taken_away {
                break 'sorted;
            }
            above += f64::from(token.score);
            kept += 1;
        }
    }
    tokens.truncate(kept);
    if kept < keep {
        tokens = best(keep, &probabilities);
    }
    let stay: Vec<(usize, f32)> = tokens.iter().map(|token| (token.index, scores[token.index])).collect();
    scores.fill(f32::NEG_INFINITY);
    stay.into_iter().for_each(|(token, score)| scores[token] = score);
}

/// The order with the highest score first. Among equal scores, the last token comes first, since transformers removes the
/// first one.
fn last_of_equals_first(a: &Ranked, b: &Ranked) -> Ordering {
    b.score.total_cmp(&a.score).then(b.index.cmp(&a.index))
}

fn best(count: usize, scores: &[f32]) -> Vec<Ranked> {
    let mut best = Best::new(count.min(scores.len()));
    best.extend(scores, 0.0, 0);
    best.into_sorted()
}

fn keep_min_p(min_p: f32, keep: usize, scores: &mut [f32]) {
    let probabilities = softmax(scores);
    let least = min_p * maximum(&probabilities);
    let best = best(keep, &probabilities);
    for (token, score) in scores.iter_mut().enumerate() {
        if probabilities[token] < least && best.iter().all(|best| best.index != token) {
            *score = f32::NEG_INFINITY;
        }
    }
}
