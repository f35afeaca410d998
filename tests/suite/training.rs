//! Compares the training loop with PyTorch and PEFT: losses and final adapters when only B is trained. `tests/fixtures/make.py`
//! creates the fixture. If `ASYM_SHARED` is set, the reference in that folder is compared too, and with the folder of the MiniLM
//! checkpoint in `ASYM_MINILM` also training on MRPC. `trainer.rs` tests schedule, weight decay, gradient accumulation and
//! clipping.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use asym::core::{AdapterConfig, Factor, Init, Naming, layout, load_adapter};
use asym::models::{EncoderInput, SequenceClassifier};
use asym::tasks::text::{Targets, TextBatch, TextLoss};
use asym::train::{Loader, LrSchedulerType, Order, Run, Source, State, TrainError, TrainSettings, Tuning, fit};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::common::{Stored, Tensors, copy, difference, fixture, folder_from, read, reference, without_dropout, write};

/// The prefix of every key in PEFT.
const PREFIX: &str = "base_model.model.";

/// PEFT's folder with asym's metadata, which states that A is frozen. PEFT has no field for it.
fn with_frozen_a(peft: &Path, name: &str) -> std::path::PathBuf {
    let folder = copy(peft, &format!("training-{name}"));
    let path = folder.join("adapter_model.safetensors");
    let (a, b) = (Factor::frozen(Init::Orthonormal), Factor::trained(Init::Zero));
    let asym = serde_json::json!({ "a": a, "b": b }).to_string();
    let metadata = HashMap::from([("format".to_string(), "pt".to_string()), ("asym".to_string(), asym)]);
    write(&path, &read(&path), Some(metadata));
    folder
}

/// The batches in order, whether the file has one tensor for all steps or one per step.
fn batches(file: &Tensors, device: &Device) -> Vec<(EncoderInput, Tensor<1, Int>)> {
    let steps = match file.get("input_ids") {
        Some(ids) => ids.shape[0],
        None => file.keys().filter(|key| key.ends_with(".input_ids")).count(),
    };
    let at = |step: usize, name: &str| -> Option<(Vec<usize>, Vec<i64>)> {
        let part = |stored: &Stored| {
            let shape = stored.shape[1..].to_vec();
            let length: usize = shape.iter().product();
            (shape, stored.i64()[step * length..][..length].to_vec())
        };
        let whole = |stored: &Stored| (stored.shape.clone(), stored.i64());
        file.get(name).map(part).or_else(|| file.get(&format!("{step}.{name}")).map(whole))
    };
    let matrix = |step: usize, name: &str| {
        at(step, name).map(|(shape, values)| Tensor::<2, Int>::from_data(TensorData::new(values, shape), device))
    };
    (0..steps)
        .map(|step| {
            let (shape, labels) = at(step, "labels").unwrap();
            let input = EncoderInput {
                input_ids: matrix(step, "input_ids").unwrap(),
                attention_mask: matrix(step, "attention_mask"),
                token_type_ids: matrix(step, "token_type_ids"),
            };
            (input, Tensor::from_data(TensorData::new(labels, shape), device))
        })
        .collect()
}

/// The batches in a file. Each batch has the index of an example.
struct Prescribed(Tensors);

impl Source for Prescribed {
    type Batch = TextBatch;

    fn len(&self) -> usize {
        match self.0.get("input_ids") {
            Some(ids) => ids.shape[0],
            None => self.0.keys().filter(|key| key.ends_with(".input_ids")).count(),
        }
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<TextBatch, TrainError> {
        let (input, labels) = batches(&self.0, device).swap_remove(indices[0]);
        let indices = (0..labels.dims()[0]).collect();
        Ok(TextBatch { input, targets: Targets::Classes(labels), host_targets: Vec::new(), indices })
    }
}

/// The parameters of the model that are in PEFT's file, with its names and layout.
fn values(model: &SequenceClassifier, naming: &Naming, like: &Tensors) -> HashMap<String, Vec<f32>> {
    let key = |name: &str| format!("{PREFIX}{name}");
    layout::collect(model, naming, |entry| like.contains_key(&key(&entry.name)))
        .into_iter()
        .filter_map(|(entry, values)| Some((key(&entry.name), values?)))
        .collect()
}

struct Case<'a> {
    name: &'a str,
    model: &'a Path,
    training: &'a Path,
    num_labels: Option<usize>,
    learning_rate: f64,
    /// The maximum difference of a value of the final adapter.
    tolerance: f32,
}

/// Train as in the reference, and compare all losses and the final adapter.
fn check(case: &Case<'_>) {
    let device = Device::default().autodiff();
    let checkpoint = without_dropout(case.model);
    let model = checkpoint.sequence_classifier(case.num_labels, 0, &device).unwrap().model;
    let naming = model.naming();
    let initial = case.training.join("initial");
    let (model, config): (_, AdapterConfig) = load_adapter(model, with_frozen_a(&initial, case.name), &naming).unwrap();
    assert_eq!(config.factors().map(|(a, b)| (a.train, b.train)), Some((false, true)));
    let initial = read(&initial.join("adapter_model.safetensors"));
    for (key, values) in values(&model, &naming, &initial) {
        assert_eq!(values, initial[&key].f32(), "{key} changed when it was loaded");
    }

    let expected = read(&case.training.join("expected.safetensors"))["losses"].f32();
    let train = Prescribed(read(&case.training.join("batches.safetensors")));
    assert_eq!(train.len(), expected.len());
    // The reference uses a constant learning rate.
    let settings = TrainSettings {
        epochs: 1,
        batch_size: 1,
        learning_rate: case.learning_rate,
        lr_scheduler_type: LrSchedulerType::ConstantWithWarmup,
        warmup_ratio: 0.0,
        ..TrainSettings::default()
    };
    let train = Loader::new(Arc::new(train), 1, Order::Sequential, &device).unwrap();
    let mut state = State::new(model, Tuning::Adapter(config), &naming, &settings, expected.len()).unwrap();
    let outcome = fit(&mut state, &TextLoss, &train, &(), Run::new(case.name)).unwrap();
    let losses: Vec<f32> = outcome.losses.iter().map(|loss| *loss as f32).collect();
    let model = state.model().clone();
    let loss_difference = difference(&losses, &expected);

    let last = read(&case.training.join("final").join("adapter_model.safetensors"));
    let trained = values(&model, &naming, &last);
    assert_eq!(trained.len(), last.len(), "not all tensors of the reference are compared");
    let mut adapter_difference = 0.0f32;
    for (key, values) in &trained {
        if key.contains("lora_A") {
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(values), bits(&initial[key].f32()), "{key} is not frozen");
        } else {
            assert!(difference(values, &initial[key].f32()) > 1e-4, "{key} is not trained");
            let difference = difference(values, &last[key].f32());
            if key.ends_with("bias") {
                // Unlike the loop, the reference applies weight decay to biases. 20 steps of 5e-3 · 0.01 are a thousandth of a
                // bias.
                assert!(difference < 2e-3, "{key}: {difference}");
            } else {
                adapter_difference = adapter_difference.max(difference);
            }
        }
    }
    println!(
        "{}: {} losses differ by {loss_difference:.1e}, the final adapter by {adapter_difference:.1e}",
        case.name,
        losses.len()
    );
    assert!(loss_difference < 1e-3, "{}: losses {losses:?}, expected {expected:?}", case.name);
    assert!(adapter_difference < case.tolerance, "{}: the final adapter differs by {adapter_difference}", case.name);
}

#[test]
fn twenty_steps_match_peft() {
    check(&Case {
        name: "fixture",
        model: &fixture("roberta-classifier"),
        training: &fixture("training-b-only"),
        num_labels: None,
        learning_rate: 5e-3,
        tolerance: 1e-4,
    });
}

#[test]
fn losses_match_the_shared_reference() {
    let Some(reference) = reference("the losses of the shared reference") else { return };
    check(&Case {
        name: "b-only",
        model: &reference.join("roberta-sequence-classification"),
        training: &reference.join("training/b-only"),
        num_labels: None,
        learning_rate: 5e-3,
        tolerance: 1e-4,
    });
}

#[test]
fn losses_of_minilm_on_mrpc_match_the_reference() {
    let Some(reference) = reference("the losses of MiniLM on MRPC") else { return };
    let Some(model) = folder_from("ASYM_MINILM", "the losses of MiniLM on MRPC") else { return };
    check(&Case {
        name: "minilm-mrpc-b-only",
        model: &model,
        training: &reference.join("training/minilm-mrpc-b-only"),
        num_labels: Some(2),
        learning_rate: 1e-3,
        tolerance: 1e-3,
    });
}
