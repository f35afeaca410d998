//! Compares the schedule, weight decay, gradient accumulation and clipping of the training loop with the `Trainer` of
//! transformers, step by step. The fixtures are created by `tests/fixtures/make_trainer.py`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;

use asym::core::layout;
use asym::models::{Padding, load_adapter};
use asym::tasks::text::{EncodedExample, Examples, Target, TextLoss};
use asym::train::{Existing, Loader, Opened, Order, Run, RunFolder, State, TrainSettings, Tuning, fit};
use burn::tensor::Device;

use crate::common::{Tensors, difference, fixture, read, scratch};

/// The examples of the fixture, in their order.
fn examples(file: &Tensors) -> Examples {
    let (ids, lengths, labels) = (file["input_ids"].i64(), file["lengths"].i64(), file["labels"].i64());
    let longest = file["input_ids"].shape[1];
    let example = |at: usize| {
        let input_ids: Vec<u32> = ids[at * longest..][..lengths[at] as usize].iter().map(|id| *id as u32).collect();
        let type_ids = vec![0; input_ids.len()];
        EncodedExample { input_ids, type_ids, target: Target::Class(labels[at] as usize) }
    };
    let examples: Vec<EncodedExample> = (0..labels.len()).map(example).collect();
    Examples::new(examples, Padding { pad_id: 1, token_types: false }, 2)
}

/// Train as in the fixture `name`, and compare all steps and all final values.
fn check(name: &str, max_grad_norm: f64, adapter: Option<&Path>) {
    let folder = fixture(name);
    let device = Device::default().autodiff();
    let checkpoint = crate::common::without_dropout(&fixture("roberta-classifier"));
    let model = checkpoint.sequence_classifier(None, 0, &device).unwrap().model;
    let naming = model.naming();
    let (model, tuning) = match adapter {
        Some(adapter) => {
            let (model, config) = load_adapter(model, adapter).unwrap();
            (model, Tuning::Adapter(config))
        }
        None => (model, Tuning::Full),
    };
    let settings = TrainSettings {
        epochs: 2,
        batch_size: 4,
        gradient_accumulation: 2,
        learning_rate: 2e-3,
        warmup_ratio: 0.1,
        weight_decay: 0.1,
        max_grad_norm: Some(max_grad_norm),
        ..TrainSettings::default()
    };
    let train = Arc::new(examples(&read(&folder.join("data.safetensors"))));
    let train = Loader::new(train, settings.batch_size, Order::Sequential, &device).unwrap();
    let expected = read(&folder.join("expected.safetensors"));
    let steps = expected["losses"].f32().len();
    assert_eq!(settings.steps(train.len()), steps);
    let mut state = State::new(model, tuning, &naming, &settings, steps).unwrap();
    let path = scratch(name).join("run");
    let opened = RunFolder::open(&path, &toml::Table::new(), "fixture", &device, Existing::Refuse).unwrap();
    let Opened::Run(run) = opened else { panic!("the run is not new") };
    fit(&mut state, &TextLoss, &train, &(), Run { folder: Some(&run), ..Run::new(name) }).unwrap();

    let lines = std::fs::read_to_string(run.metrics()).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged =
        |key: &str| -> Vec<f32> { lines.iter().filter_map(|line| Some(line.get(key)?.as_f64()? as f32)).collect() };
    let close = |key: &str, expected: &[f32], tolerance: f32| {
        let found = logged(key);
        let largest = difference(&found, expected);
        println!("{name}: {key} differs by {largest:.1e}");
        assert!(largest < tolerance, "{key}: {found:?}, expected {expected:?}");
    };
    close("loss", &expected["losses"].f32(), 1e-4);
    close("grad_norm", &expected["grad_norms"].f32(), 1e-3);
    close("learning_rate", &expected["learning_rates"].f32(), 1e-9);
    let clipped = expected["grad_norms"].f32().iter().filter(|norm| f64::from(**norm) > max_grad_norm).count();
    assert!(
        0 < clipped && clipped < steps,
        "gradients must be clipped in some steps, but not in all: {clipped} of {steps}"
    );

    let (last, prefix) = match adapter {
        Some(_) => (read(&folder.join("final/adapter_model.safetensors")), "base_model.model."),
        None => (expected, ""),
    };
    let mut compared = 0;
    let mut largest = 0.0f32;
    for (entry, values) in layout::collect(state.model(), &naming, |_| true) {
        let Some(expected) = last.get(&format!("{prefix}{}", entry.name)) else { continue };
        compared += 1;
        let difference = difference(&values.unwrap(), &expected.f32());
        // The exact gradient of a key's bias is 0, so Adam scales its rounding errors to full steps.
        if entry.name.ends_with("self.key.bias") {
            assert!(difference < 2e-2, "{}: {difference}", entry.name);
        } else {
            largest = largest.max(difference);
            assert!(difference < 5e-5, "{}: {difference}", entry.name);
        }
    }
    println!("{name}: {compared} tensors differ by {largest:.1e}");
    assert_eq!(compared, if adapter.is_some() { 12 } else { 41 });
}

#[test]
fn full_fine_tuning_matches_the_trainer() {
    check("trainer-full", 1.1, None);
}

#[test]
fn lora_matches_the_trainer() {
    check("trainer-lora", 0.7, Some(&fixture("trainer-lora/initial")));
}
