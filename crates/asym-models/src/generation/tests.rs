//! The token ids are those of transformers in the cases of `tests/fixtures/make_generation.py`, and each row is generated as if
//! it were alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod refusals;
mod sampling;

use std::path::Path;

use serde_json::Value;

use super::*;

/// A model whose logits depend on the last two tokens and the number of tokens. The sums are in f32, in the same order as
/// in `TableModel` of the fixture's script.
#[derive(Debug, Clone)]
struct TableModel {
    tables: [Vec<Vec<f32>>; 3],
    /// The token, the length and the value of additions to the logits. Without a length, the value is added at all lengths.
    bias: Vec<(usize, Option<usize>, f32)>,
    rows: Vec<Vec<u32>>,
    /// The number of rows in each call.
    calls: Vec<usize>,
}

const PAD: usize = 1;

impl TableModel {
    fn new(fixture: &Value, case: &Value, prompts: &[Vec<u32>]) -> Self {
        let table = |name: &str| serde_json::from_value(fixture["tables"][name].clone()).unwrap();
        let bias = serde_json::from_value(case["bias"].clone()).unwrap_or_default();
        let tables = ["last", "second_last", "length"].map(table);
        Self { tables, bias, rows: prompts.to_vec(), calls: Vec::new() }
    }

    fn logits(&mut self) -> Vec<f32> {
        self.calls.push(self.rows.len());
        self.rows.iter().flat_map(|row| self.row(row)).collect()
    }

    fn row(&self, tokens: &[u32]) -> Vec<f32> {
        let [last, second_last, length] = &self.tables;
        let mut logits = last[tokens[tokens.len() - 1] as usize].clone();
        if let [.., token, _] = tokens {
            logits.iter_mut().zip(&second_last[*token as usize]).for_each(|(logit, value)| *logit += value);
        }
        let table = &length[tokens.len() % length.len()];
        logits.iter_mut().zip(table).for_each(|(logit, value)| *logit += value);
        logits[PAD] = -40.0;
        for (token, _, value) in self.bias.iter().filter(|(_, at, _)| at.is_none_or(|at| at == tokens.len())) {
            logits[*token] += value;
        }
        logits
    }
}

impl NextToken for TableModel {
    fn vocab_size(&self) -> usize {
        self.tables[0].len()
    }

    fn start(&mut self) -> Vec<f32> {
        self.logits()
    }

    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32> {
        self.rows =
            rows.iter().zip(tokens).map(|(row, token)| [self.rows[*row].as_slice(), &[*token]].concat()).collect();
        self.logits()
    }
}

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/generation/cases.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn prompts(case: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(case["prompts"].clone()).unwrap()
}

fn longest(prompts: &[Vec<u32>]) -> usize {
    prompts.iter().map(Vec::len).max().unwrap()
}

/// The settings of a case, for prompts of at most `prompt_length` tokens.
fn settings(fixture: &Value, case: &Value, prompt_length: usize) -> Generation {
    let file = GenerationConfig::parse(&fixture["generation_config"].to_string(), Path::new("file")).unwrap();
    let user = GenerationConfig::strict(&case["settings"].to_string()).unwrap();
    let vocab_size = fixture["tables"]["last"].as_array().unwrap().len();
    file.overlaid_with(&user).resolve(prompt_length, None, vocab_size).unwrap()
}

fn run(fixture: &Value, case: &Value, prompts: &[Vec<u32>], settings: &Generation) -> Vec<Generated> {
    generate(&mut TableModel::new(fixture, case, prompts), prompts, settings, |_| ()).unwrap()
}

#[test]
fn token_ids_and_scores_match_transformers() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() > 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let prompts = prompts(case);
        let settings = settings(&fixture, case, longest(&prompts));
        let rows = run(&fixture, case, &prompts, &settings);
        let expected: Vec<Vec<u32>> = serde_json::from_value(case["sequences"].clone()).unwrap();
        let scores: Option<Vec<f32>> = serde_json::from_value(case["scores"].clone()).unwrap();
        let near =
            |(row, expected): (&Generated, &f32)| (row.score.unwrap() - expected).abs() < 2e-6 * (1.0 + expected.abs());
        let scores_agree = match &scores {
            Some(scores) => rows.iter().zip(scores).all(near) && rows.len() == scores.len(),
            None => rows.iter().all(|row| row.score.is_none()),
        };
        let found = pad_sequences(&rows, settings.pad_token_id.unwrap_or(PAD as u32));
        if found != expected || !scores_agree {
            let found_scores: Vec<_> = rows.iter().map(|row| row.score).collect();
            wrong.push(format!("{case}\n  found {found:?}\n  {found_scores:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn batching_does_not_change_the_generated_rows() {
    let fixture = fixture();
    for case in fixture["cases"].as_array().unwrap() {
        let prompts = prompts(case);
        let settings = settings(&fixture, case, longest(&prompts));
        let batched = run(&fixture, case, &prompts, &settings);
        let alone = |prompt: &Vec<u32>| run(&fixture, case, std::slice::from_ref(prompt), &settings);
        assert_eq!(batched, prompts.iter().flat_map(alone).collect::<Vec<_>>(), "{}", case["name"]);
    }
}

#[test]
fn finished_rows_leave_the_batch() {
    let fixture = fixture();
    for case in fixture["cases"].as_array().unwrap() {
        let prompts = prompts(case);
        let settings = settings(&fixture, case, longest(&prompts));
        let mut together = TableModel::new(&fixture, case, &prompts);
        let mut steps = Vec::new();
        generate(&mut together, &prompts, &settings, |step| steps.push(step)).unwrap();
        assert_eq!(steps, (1..=together.calls.len()).collect::<Vec<_>>());
        // At each step, the number of rows is the sum over the prompts that run alone.
        let mut alone = vec![0; together.calls.len()];
        for prompt in &prompts {
            let mut model = TableModel::new(&fixture, case, std::slice::from_ref(prompt));
            generate(&mut model, std::slice::from_ref(prompt), &settings, |_| ()).unwrap();
            model.calls.iter().zip(&mut alone).for_each(|(rows, sum)| *sum += rows);
        }
        assert_eq!(together.calls, alone, "{}", case["name"]);
    }
}

#[test]
fn beam_search_with_one_beam_is_greedy() {
    let fixture = fixture();
    for case in fixture["cases"].as_array().unwrap() {
        let prompts = prompts(case);
        let settings = settings(&fixture, case, longest(&prompts));
        let settings = Generation { num_beams: 1, num_return_sequences: 1, sampling: None, ..settings };
        // Beam search penalizes log-probabilities and not logits, so the results differ.
        if settings.repetition_penalty != 1.0 {
            continue;
        }
        let mut model = TableModel::new(&fixture, case, &prompts);
        let beam = beam::search(
            &mut model,
            &prompts,
            &Generation { early_stopping: EarlyStopping::Yes, ..settings.clone() },
            |_| (),
        );
        let tokens = |rows: Vec<Generated>| rows.into_iter().map(|row| row.tokens).collect::<Vec<_>>();
        assert_eq!(tokens(beam.unwrap()), tokens(run(&fixture, case, &prompts, &settings)), "{}", case["name"]);
    }
}

#[test]
fn logits_without_a_valid_token_are_rejected() {
    let fixture = fixture();
    let prompts = [vec![2, 3], vec![4]];
    for beams in [1, 3] {
        let case = serde_json::json!({"settings": {"num_beams": beams, "max_new_tokens": 5}});
        let settings = settings(&fixture, &case, 2);
        let generate = |bias: &[(usize, Option<usize>, f32)]| {
            let mut model = TableModel::new(&fixture, &case, &prompts);
            model.bias = bias.to_vec();
            generate(&mut model, &prompts, &settings, |_| ()).map_err(|error| error.to_string())
        };
        // The first prompt has two tokens, and the second has one.
        for (length, prompt) in [(2, 1), (1, 2)] {
            let error = generate(&[(5, Some(length), f32::INFINITY)]).unwrap_err();
            assert!(error.starts_with(&format!("prompt {prompt} of the batch")) && error.contains("inf"), "{error}");
        }
        let all: Vec<_> =
            (0..fixture["tables"]["last"].as_array().unwrap().len()).map(|token| (token, None, f32::NAN)).collect();
        assert!(generate(&all).unwrap_err().contains("NaN"));
        // A NaN for a single token is accepted.
        assert_eq!(generate(&all[5..6]).unwrap().len(), 2);
    }
}

#[test]
fn no_prompts_give_no_rows() {
    let fixture = fixture();
    let case = serde_json::json!({"settings": {"num_beams": 3}});
    let settings = settings(&fixture, &case, 1);
    assert!(run(&fixture, &case, &[], &settings).is_empty());
    assert!(pad_sequences(&[], 0).is_empty());
}

#[test]
fn the_best_scores_match_a_sort() {
    // There are only 23 different values, so many are equal.
    let value = |index: usize| ((index * 7919) % 23) as f32 - 11.0;
    let scores: Vec<f32> = (0..1000).map(|index| if index % 50 == 7 { f32::NAN } else { value(index) }).collect();
    let mut sorted: Vec<usize> = (0..scores.len()).filter(|index| !scores[*index].is_nan()).collect();
    sorted.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    for count in [1, 2, 16, 64, 65, 500] {
        let mut best = super::scores::Best::new(count);
        best.extend(&scores[..300], 0.0, 0);
        best.extend(&scores[300..], 0.0, 300);
        let found: Vec<usize> = best.into_sorted().iter().map(|ranked| ranked.index).collect();
        assert_eq!(found, sorted[..count]);
    }
    assert_eq!(super::scores::argmax(&scores) as usize, sorted[0]);
}

/// The rows as transformers returns them in `sequences`, padded to the same length: prompts on the left, and
/// continuations on the right.
fn pad_sequences(rows: &[Generated], pad: u32) -> Vec<Vec<u32>> {
    let prompt = rows.iter().map(|row| row.prompt_length).max().unwrap_or(0);
    let new = rows.iter().map(|row| row.continuation().len()).max().unwrap_or(0);
    let padded = |row: &Generated| {
        let mut tokens = vec![pad; prompt - row.prompt_length];
        tokens.extend_from_slice(&row.tokens);
        tokens.resize(prompt + new, pad);
        tokens
    };
    rows.iter().map(padded).collect()
}
