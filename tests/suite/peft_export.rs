//! Adapters written by asym load with equal logits. `tests/python/check_peft.py` loads the same folders in PEFT. `ASYM_EXPORT` is
//! the folder to which they are written.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;

use asym::core::layout::{self, Kind};
use asym::core::{
    AdaLora, AdapterConfig, Bias, Dora, Factor, Ia3, Init, Lora, Method, Patterns, SaveOptions, Targets, Vera, inspect,
    load_adapter, merge, save_adapter,
};
use asym::models::{Checkpoint, read_inputs};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::common::{difference, fixture, scratch};

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// All methods, all ways to select layers, and all options for biases. α is always different from r.
fn configs() -> Vec<(&'static str, AdapterConfig)> {
    let lora = || Lora::b_only(3).alpha(5.0);
    let names = ["query", "intermediate.dense"];
    let on = |method: Method| AdapterConfig::new(method).targets(names);
    let mut pruned = AdaLora::new(5, 2).alpha(7.0);
    for layer in 0..2 {
        // All triplets of one layer are pruned.
        let kept = if layer == 1 { [false; 5] } else { [true, false, true, true, false] };
        pruned.rank_pattern.insert(format!("encoder.layer.{layer}.attention.self.query"), kept.to_vec());
        pruned
            .rank_pattern
            .insert(format!("encoder.layer.{layer}.intermediate.dense"), vec![false, true, false, true, true]);
    }
    // As in a rank pattern written by an allocator, only adapted modules are listed.
    let mut fewer = pruned.clone();
    fewer.rank_pattern.remove("encoder.layer.0.attention.self.query");
    vec![
        ("names", on(lora().into())),
        ("pattern", AdapterConfig::new(lora()).targets(r".*\.layer\.1\..*\.(query|dense)")),
        ("all-linear", AdapterConfig::new(lora()).targets(Targets::ALL_LINEAR)),
        ("exclude", AdapterConfig::new(lora()).targets(Targets::ALL_LINEAR).exclude(["output.dense", "pooler.dense"])),
        ("layers", on(lora().into()).layers([1])),
        ("embedding", AdapterConfig::new(lora()).targets(["word_embeddings", "value"])),
        ("patterns", on(lora().rank_of("layer.1.*query", 2).alpha_of("intermediate.dense", 11.0).into())),
        ("rslora-bias", on(Lora::new(3).alpha(7.0).rank_stabilized().into()).bias(Bias::Adapted)),
        ("bias-all", on(lora().into()).bias(Bias::All)),
        ("dora", on(Dora(lora().dropout(0.1)).into())),
        ("adalora", on(AdaLora::new(5, 2).alpha(7.0).into())),
        ("adalora-pruned", on(pruned.clone().into())),
        ("adalora-pruned-bias", on(pruned.clone().into()).bias(Bias::Adapted)),
        ("adalora-pruned-exclude", AdapterConfig::new(fewer).targets(names).exclude(["0.attention.self.query"])),
        ("vera", on(Vera::new(7).d_initial(0.3).into()).bias(Bias::Adapted)),
        ("ia3-layers", AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS).layers([1])),
        ("ia3", AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS)),
    ]
}

/// The configuration whose rank pattern has the module names of `family`.
fn named(mut config: AdapterConfig, family: &str) -> AdapterConfig {
    if let Method::AdaLora(settings) = &mut config.method {
        let kept = std::mem::take(&mut settings.rank_pattern).into_iter();
        settings.rank_pattern = kept.map(|(module, kept)| (format!("{family}.{module}"), kept)).collect();
    }
    config
}

#[test]
fn saved_adapters_load_unchanged() {
    let export = std::env::var_os("ASYM_EXPORT").map_or_else(|| scratch("peft-export"), PathBuf::from);
    let device = Device::default();
    for family in ["roberta", "bert"] {
        let base = fixture(&format!("{family}-classifier"));
        let checkpoint = Checkpoint::open(&base).unwrap();
        let plain = checkpoint.sequence_classifier(None, 0, &device).unwrap().model;
        let naming = plain.naming();
        let input: asym::models::EncoderInput = read_inputs(base.join("inputs.safetensors"), &device).unwrap();
        for (name, config) in configs() {
            let config = named(config, family).modules_to_save(["classifier"]);
            // Initialized with all triplets, as in training.
            let mut whole = config.clone();
            if let Method::AdaLora(settings) = &mut whole.method {
                settings.rank_pattern = Patterns::new();
            }
            let model = whole.attach_named(plain.clone(), 11, &naming).unwrap();
            // As after training, all trained values differ from their initial values, including the head and biases.
            let trained: Vec<String> =
                inspect(&model, &naming).rows.into_iter().filter(|row| row.trained).map(|row| row.entry.path).collect();
            let model = layout::rewrite(
                model,
                &naming,
                |entry| trained.contains(&entry.path),
                |entry, values| {
                    let dropped = |index: usize| match &config.method {
                        Method::AdaLora(settings) if entry.field() == "lora_E" => {
                            settings.rank_pattern.get(entry.module()).is_some_and(|kept| !kept[index])
                        }
                        _ => false,
                    };
                    let moved = values.iter().enumerate().map(|(i, value)| {
                        let step = 0.3 * (1.0 + i as f32 * 0.7 + entry.name.len() as f32).sin();
                        if dropped(i) { 0.0 } else { value + step }
                    });
                    Some(moved.collect())
                },
            );
            let logits = floats(model.valid().forward(input.clone()));
            let before = floats(plain.forward(input.clone()));
            assert!(difference(&logits, &before) > 0.05, "{family} {name}: the adapter must have an effect");

            let folder = export.join(format!("{family}-{name}"));
            let options = SaveOptions { naming, base_model: base.to_str(), task_type: Some("SEQ_CLS"), seed: Some(11) };
            save_adapter(&model, &config, &folder, &options).unwrap();
            let (again, read) = load_adapter(plain.clone(), &folder, &naming).unwrap();
            let mut expected = config.method.clone();
            if let Method::AdaLora(settings) = &mut expected {
                // PEFT's field is not optional.
                settings.total_steps = Some(1);
            }
            if name != "ia3-layers" {
                // With layer indices, the names of the feed-forward layers are written out, as PEFT requires.
                assert_eq!(read.method, expected, "{family} {name}");
            }
            assert_eq!(read.bias, config.bias, "{family} {name}");
            let adapters = |model: &_| {
                let entries = layout::entries(model, &naming);
                entries.into_iter().filter(|entry| entry.kind == Kind::Adapter).collect::<Vec<_>>()
            };
            if !name.contains("pruned") {
                assert_eq!(adapters(&again), adapters(&model), "{family} {name}");
            }
            let largest = difference(&floats(again.valid().forward(input.clone())), &logits);
            assert!(largest < 1e-6, "{family} {name}: loaded differs by {largest}");
            let merged = floats(merge(again.clone()).valid().forward(input.clone()));
            let largest = difference(&merged, &logits);
            println!("{family} {name}: {} tensors, merged differs by {largest:.1e}", adapters(&again).len());
            assert!(largest < 1e-5, "{family} {name}: merged differs by {largest}");
            // The loaded adapter is saved again.
            let twice = scratch(&format!("peft-export-twice-{family}-{name}"));
            save_adapter(&again, &read, &twice, &options).unwrap();
            let tensors = |folder: &std::path::Path| crate::common::read(&folder.join("adapter_model.safetensors"));
            let (first, second) = (tensors(&folder), tensors(&twice));
            for (key, tensor) in first.iter().filter(|(_, tensor)| !tensor.shape.contains(&0)) {
                assert_eq!(second[key].f32(), tensor.f32(), "{family} {name}: {key}");
            }
        }
    }
}

#[test]
fn model_cards_describe_the_adapter() {
    let device = Device::default();
    let base = fixture("roberta-classifier");
    let plain = Checkpoint::open(&base).unwrap().sequence_classifier(None, 0, &device).unwrap().model;
    let naming = plain.naming();
    let lora = Lora::new(3).a(Factor::frozen(Init::Orthonormal));
    let config = AdapterConfig::new(lora).modules_to_save(["classifier"]);
    let model = config.attach_named(plain, 4, &naming).unwrap();
    let folder = scratch("card");
    let options = SaveOptions { naming, base_model: Some("a: \"base\""), task_type: None, seed: Some(4) };
    save_adapter(&model, &config, &folder, &options).unwrap();
    let card = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for line in [
        "base_model: \"a: \\\"base\\\"\"",
        "library_name: peft",
        "| method | LoRA |",
        "| layers | `query`, `value` |",
        "| A | started orthonormal, frozen |",
        "| B | started zero, trained |",
        "| trained whole | `classifier` |",
        "| seed | 4 |",
    ] {
        assert!(card.lines().any(|other| other == line), "{line} in {card}");
    }
}
