//! Sampled tokens have the probabilities of transformers, and each row is sampled independently.

use super::super::processors::process;
use super::super::scores::softmax;
use super::*;

#[test]
fn probabilities_match_transformers() {
    let fixture = fixture();
    for case in fixture["distributions"].as_array().unwrap() {
        let prompts = prompts(case);
        let settings = settings(&fixture, case, longest(&prompts));
        let expected: Vec<Vec<f32>> = serde_json::from_value(case["probabilities"].clone()).unwrap();
        let model = TableModel::new(&fixture, case, &prompts);
        for (prompt, expected) in prompts.iter().zip(expected) {
            let mut scores = model.row(prompt);
            process(&settings, prompt, 0, &mut scores);
            for (found, expected) in softmax(&scores).iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= 1e-6 && (*found == 0.0) == (*expected == 0.0),
                    "{case}: {found}, {expected}"
                );
            }
        }
    }
}

/// The relative frequency of each token among the first new tokens of `draws` rows.
fn frequencies(fixture: &Value, case: &Value, prompt: &[u32], draws: usize) -> Vec<f64> {
    let settings =
        Generation { max_new_tokens: 1, num_return_sequences: draws, ..settings(fixture, case, prompt.len()) };
    let mut counts = vec![0.0; 13];
    for row in run(fixture, case, &[prompt.to_vec()], &settings) {
        counts[row.continuation()[0] as usize] += 1.0 / draws as f64;
    }
    counts
}

#[test]
fn token_frequencies_match_their_probabilities() {
    const DRAWS: usize = 20_000;
    let fixture = fixture();
    let alone = |case: &&Value| case["settings"].get("num_beams").is_none();
    for case in fixture["distributions"].as_array().unwrap().iter().filter(alone) {
        // The expected probabilities are those of the longest prompt of the case.
        let prompt = prompts(case).into_iter().max_by_key(Vec::len).unwrap();
        let expected: Vec<f64> = serde_json::from_value(case["probabilities"][1].clone()).unwrap();
        let found = frequencies(&fixture, case, &prompt, DRAWS);
        let possible = expected.iter().filter(|probability| **probability > 0.0).count() as f64;
        let distance = |(found, expected): (&f64, &f64)| match *expected > 0.0 {
            true => DRAWS as f64 * (found - expected).powi(2) / expected,
            false => {
                if *found > 0.0 {
                    f64::INFINITY
                } else {
                    0.0
                }
            }
        };
        let chi_square: f64 = found.iter().zip(&expected).map(distance).sum();
        // For n degrees of freedom, the mean is n and the variance is 2n. The tolerance is five standard deviations.
        assert!(chi_square <= possible + 5.0 * (2.0 * possible).sqrt(), "{case}: {chi_square} {found:?}");
    }
}

#[test]
fn remove_invalid_values_replaces_invalid_scores() {
    let fixture = fixture();
    let mut scores = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.5];
    let case = case(serde_json::json!({"remove_invalid_values": true}));
    process(&settings(&fixture, &case, 1), &[5], 0, &mut scores);
    assert_eq!(scores, [0.0, f32::MAX, f32::MIN, 1.5]);
}

fn case(settings: Value) -> Value {
    serde_json::json!({"settings": settings, "prompts": [[0, 5, 7], [6], [0, 11]]})
}

#[test]
fn low_temperature_and_small_top_k_or_top_p_are_greedy() {
    let fixture = fixture();
    for (sampled, searched) in [
        (serde_json::json!({"do_sample": true, "temperature": 1e-4}), serde_json::json!({})),
        (serde_json::json!({"do_sample": true, "top_k": 1}), serde_json::json!({})),
        (serde_json::json!({"do_sample": true, "top_p": 1e-4, "temperature": 0.5}), serde_json::json!({})),
    ] {
        let (sampled, searched) = (case(sampled), case(searched));
        let prompts = prompts(&sampled);
        let run = |case: &Value| run(&fixture, case, &prompts, &settings(&fixture, case, 3));
        assert_eq!(run(&sampled), run(&searched));
    }
}

#[test]
fn the_seed_determines_the_samples() {
    let fixture = fixture();
    for beams in [1, 3] {
        let with_seed = |seed: u64| {
            let case = case(
                serde_json::json!({"do_sample": true, "seed": seed, "num_beams": beams, "num_return_sequences": 2}),
            );
            run(&fixture, &case, &prompts(&case), &settings(&fixture, &case, 3))
        };
        assert_eq!(with_seed(4), with_seed(4));
        assert_ne!(with_seed(4), with_seed(5));
    }
}

#[test]
fn samples_depend_only_on_the_index_of_the_prompt() {
    let fixture = fixture();
    for beams in [1, 3] {
        let settings_of = serde_json::json!({"do_sample": true, "num_beams": beams, "num_return_sequences": 2});
        let case = case(settings_of);
        let prompts = prompts(&case);
        let settings = settings(&fixture, &case, 3);
        let together = run(&fixture, &case, &prompts, &settings);
        let row = |number: usize| {
            let settings = settings.clone().of_rows([number as u64]);
            run(&fixture, &case, &prompts[number..=number], &settings)
        };
        assert_eq!(together, (0..prompts.len()).flat_map(row).collect::<Vec<_>>());
        // The rows of a prompt are sampled independently.
        assert!(together.chunks(2).any(|rows| rows[0].tokens != rows[1].tokens));
        // The prompts in reverse order, with their indices, give the same rows.
        let reversed: Vec<_> = prompts.iter().rev().cloned().collect();
        let rows = run(&fixture, &case, &reversed, &settings.of_rows([2, 1, 0]));
        assert_eq!(rows[4..], together[..2]);
    }
}

#[test]
fn beams_are_drawn_without_replacement() {
    // The first token is sampled from the probabilities, and each further token from the probabilities of the remaining ones.
    const DRAWS: usize = 8000;
    let fixture = fixture();
    let case = case(serde_json::json!({
        "do_sample": true, "num_beams": 2, "num_return_sequences": 2, "max_new_tokens": 1, "top_k": 5, "eos_token_id": null
    }));
    let prompt = vec![0, 5, 7];
    let one = Generation { num_beams: 1, ..settings(&fixture, &case, 3) };
    let mut scores = TableModel::new(&fixture, &case, &[]).row(&prompt);
    process(&one, &prompt, 0, &mut scores);
    let probabilities: Vec<f64> = softmax(&scores).iter().map(|probability| f64::from(*probability)).collect();

    let settings = settings(&fixture, &case, 3).of_rows(0..DRAWS as u64);
    let mut counts = [0.0; 13];
    for rows in run(&fixture, &case, &vec![prompt; DRAWS], &settings).chunks(2) {
        let [first, second] = [0, 1].map(|row| rows[row].continuation()[0] as usize);
        assert!(scores[first] > scores[second], "best first");
        counts[first] += 1.0;
        counts[second] += 1.0;
    }
    // Four tokens are sampled, and the two with the best scores are returned.
    let expected = return_probabilities(&probabilities, 4, 2);
    for (token, (count, expected)) in counts.iter().zip(&expected).enumerate() {
        let error = (expected * (1.0 - expected) / DRAWS as f64).sqrt();
        assert!((count / DRAWS as f64 - expected).abs() <= 5.0 * error + 1e-9, "{token}: {count}, {expected}");
    }
}

/// The probability of each token to be among the `returned` most probable of `drawn` tokens that are sampled without
/// replacement.
fn return_probabilities(probabilities: &[f64], drawn: usize, returned: usize) -> Vec<f64> {
    fn draw(probabilities: &[f64], taken: &mut Vec<usize>, left: usize, chance: f64, returned: usize, sum: &mut [f64]) {
        if left == 0 {
            let mut best = taken.clone();
            best.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
            best.iter().take(returned).for_each(|token| sum[*token] += chance);
            return;
        }
        let rest: f64 =
            (0..probabilities.len()).filter(|token| !taken.contains(token)).map(|token| probabilities[token]).sum();
        for token in (0..probabilities.len()).filter(|token| probabilities[*token] > 0.0) {
            if !taken.contains(&token) {
                taken.push(token);
                draw(probabilities, taken, left - 1, chance * probabilities[token] / rest, returned, sum);
                taken.pop();
            }
        }
    }
    let mut sum = vec![0.0; probabilities.len()];
    draw(probabilities, &mut Vec::new(), drawn, 1.0, returned, &mut sum);
    sum
}
