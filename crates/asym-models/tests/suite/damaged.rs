//! Damaged checkpoints, inputs and adapters cause an error and never a panic. Errors of checkpoints contain the path of the
//! folder. With `ASYM_FUZZ_CASES=100000`, each property is tested with 100000 cases.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../../../tests/common/damage.rs"]
mod damage;

use std::fs;
use std::path::{Path, PathBuf};

use asym_models::{Checkpoint, EncoderInput, SequenceClassifier, check_input, load_adapter, read_inputs};
use burn::tensor::Device;
use damage::{config, damage, damaged};
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::fixture;

/// A copy of a fixture. It is reused by the cases of a test, which overwrite the files that they damage.
fn copy(name: &str, test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("damaged-{test}-{name}"));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        let to = folder.join(entry.file_name());
        if !to.exists() {
            fs::write(to, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
    folder
}

/// Check that an error contains the path of the folder or the word "rank", and that it is shorter than 20000 bytes.
fn check<T>(folder: &Path, result: Result<T, impl std::fmt::Display>) {
    if let Err(error) = result {
        let text = error.to_string();
        assert!(text.contains(folder.to_str().unwrap()) || text.contains("rank"), "{text}");
        assert!(text.len() < 20_000, "{} bytes", text.len());
    }
}

/// The length of a safetensors file's header, including the eight bytes with its length.
fn header(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn damaged_safetensors_files_do_not_panic(changes in damage()) {
        let folder = copy("roberta-classifier", "weights");
        let whole = fs::read(fixture("roberta-classifier").join("model.safetensors")).unwrap();
        fs::write(folder.join("model.safetensors"), damaged(&whole, &changes, header(&whole))).unwrap();
        let device = Device::default();
        let loaded = Checkpoint::open(&folder).and_then(|checkpoint| checkpoint.sequence_classifier(None, 0, &device));
        check(&folder, loaded);
    }

    #[test]
    fn damaged_inputs_do_not_panic(changes in damage()) {
        let folder = copy("roberta-classifier", "inputs");
        let whole = fs::read(fixture("roberta-classifier").join("inputs.safetensors")).unwrap();
        let path = folder.join("inputs.safetensors");
        fs::write(&path, damaged(&whole, &changes, whole.len())).unwrap();
        let config = Checkpoint::open(&folder).unwrap().encoder().unwrap().clone();
        if let Ok(input) = read_inputs::<EncoderInput>(&path, &Device::default()) {
            let _ = check_input(&input, &config);
        }
    }

    #[test]
    fn damaged_adapters_do_not_panic(
        name in select(vec!["peft-lora", "peft-dora", "peft-adalora", "peft-vera", "peft-ia3", "peft-patterns"]),
        tensors in any::<bool>(),
        changes in damage(),
    ) {
        let folder = copy(name, "adapter");
        let [weights, settings] = ["adapter_model.safetensors", "adapter_config.json"];
        let whole = [weights, settings].map(|file| fs::read(fixture(name).join(file)).unwrap());
        for ((file, whole), is_damaged) in [weights, settings].iter().zip(&whole).zip([tensors, !tensors]) {
            let early = if tensors { header(whole) } else { whole.len() };
            let bytes = if is_damaged { damaged(whole, &changes, early) } else { whole.clone() };
            fs::write(folder.join(file), bytes).unwrap();
        }
        let base = Checkpoint::open(fixture("roberta-classifier")).unwrap();
        let model: SequenceClassifier = base.load(None, 0, &Device::default()).unwrap().model;
        let _ = load_adapter(model, &folder).map(|_| ()).map_err(|error| {
            assert!(error.to_string().len() < 20_000, "{error}");
        });
    }
}

/// A rank is refused if no memory could hold its factors, before the shapes of the factors are compared.
#[test]
fn adapters_with_huge_ranks_are_rejected() {
    let base = Checkpoint::open(fixture("roberta-classifier")).unwrap();
    let model: SequenceClassifier = base.load(None, 0, &Device::default()).unwrap().model;
    for (name, key) in [("peft-lora", "r"), ("peft-dora", "r"), ("peft-adalora", "init_r"), ("peft-vera", "r")] {
        for rank in [1_u64 << 26, 1 << 40, 1 << 62] {
            let folder = copy(name, "rank");
            let path = folder.join("adapter_config.json");
            let mut settings: serde_json::Value =
                serde_json::from_slice(&fs::read(fixture(name).join("adapter_config.json")).unwrap()).unwrap();
            settings[key] = rank.into();
            fs::write(&path, settings.to_string()).unwrap();
            let error = load_adapter(model.clone(), &folder).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(&rank.to_string()) || error.contains("rank"), "{name}: {error}");
        }
    }
}
