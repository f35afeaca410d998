//! Adapters that asym writes load again with equal logits; `tests/python/check_peft.py` loads the same folders in PEFT.
//! `ASYM_EXPORT` names where they are written.
#![allow(clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;
use std::path::PathBuf;

use asym::core::layout::{self, Kind};
use asym::core::{AdapterConfig, SaveOptions, Targets, load_adapter, merge, save_adapter};
use asym::models::{Checkpoint, read_inputs};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

mod common;
use common::{difference, fixture, scratch};

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// By names, by pattern, and everywhere: the three ways to say where an adapter goes.
fn targets() -> [(&'static str, Targets); 3] {
    [
        ("names", ["query", "intermediate.dense"].into()),
        ("pattern", r".*\.layer\.1\..*\.(query|dense)".into()),
        ("all-linear", Targets::ALL_LINEAR.into()),
    ]
}

#[test]
fn an_adapter_that_was_written_is_read_as_it_was() {
    let export = std::env::var_os("ASYM_EXPORT").map_or_else(|| scratch("peft-export"), PathBuf::from);
    let device = Device::default();
    for family in ["roberta", "bert"] {
        let base = fixture(&format!("{family}-classifier"));
        let checkpoint = Checkpoint::open(&base).unwrap();
        let plain = checkpoint.sequence_classifier(None, 0, &device).unwrap().model;
        let naming = plain.naming();
        let input = read_inputs(base.join("inputs.safetensors"), &device).unwrap();
        for (name, targets) in targets() {
            let config = AdapterConfig::b_only(3).alpha(5.0).targets(targets).save_whole(["classifier"]);
            let model = config.attach_named(plain.clone(), 11, &naming).unwrap();
            // As after training: B is not zero, and the head is not the checkpoint's.
            let model = layout::replace(model, &naming, |entry| {
                let moved = entry.name.ends_with("lora_B.weight") || entry.name.starts_with("classifier");
                let values = (0..entry.count()).map(|i| 0.3 * (1.0 + i as f32 * 0.7 + entry.name.len() as f32).sin());
                Ok::<_, Infallible>(moved.then(|| values.collect()))
            })
            .unwrap();
            let logits = floats(model.valid().forward(input.clone()));
            let before = floats(plain.forward(input.clone()));
            assert!(difference(&logits, &before) > 0.05, "{family} {name}: the adapter must have an effect");

            let folder = export.join(format!("{family}-{name}"));
            let options = SaveOptions { naming, base_model: base.to_str(), task_type: Some("SEQ_CLS"), seed: Some(11) };
            save_adapter(&model, &config, &folder, &options).unwrap();
            let (again, read) = load_adapter(plain.clone(), &folder, &naming).unwrap();
            assert_eq!((read.rank, read.alpha, read.a, read.b), (3, Some(5.0), config.a, config.b));
            let adapters = |model: &_| {
                let entries = layout::entries(model, &naming);
                entries.into_iter().filter(|entry| entry.kind == Kind::Adapter).collect::<Vec<_>>()
            };
            assert_eq!(adapters(&again), adapters(&model), "{family} {name}");
            assert_eq!(floats(again.valid().forward(input.clone())), logits, "{family} {name}");
            let merged = floats(merge(again).valid().forward(input.clone()));
            let largest = difference(&merged, &logits);
            println!("{family} {name}: {} layers, merged differs by {largest:.1e}", adapters(&model).len() / 2);
            assert!(largest < 1e-5, "{family} {name}: merged differs by {largest}");
        }
    }
}
