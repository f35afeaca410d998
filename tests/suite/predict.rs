//! `asym predict` computes the logits of transformers and PEFT. The fixtures are created by `tests/fixtures/make.py`. If
//! `ASYM_SHARED` is set, the reference outputs in that folder are compared too.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ffi::OsStr;
use std::path::Path;

use crate::common::{asym, copy, difference, edit_json, fixture, predict, read, reference, scratch};

const TOLERANCE: f32 = 1e-4;

/// Run `model` with the options `more` on the inputs in `case`, and compare with the expected tensor `key`.
fn check(model: &Path, case: &Path, more: &[&OsStr], key: &str) {
    let merged = if more.contains(&OsStr::new("--merge")) { " with --merge" } else { "" };
    let name = format!("{} {key}{merged}", case.file_name().unwrap().display());
    let output = scratch(&format!("predict {name}")).join("logits.safetensors");
    let inputs = case.join("inputs.safetensors");
    let run = predict(model, &inputs, &output, more);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{name}: {stderr}");
    assert!(stderr.contains("device: "), "{name}: the device is not printed: {stderr}");

    let (written, inputs) = (read(&output), read(&inputs));
    let expected = &read(&case.join("expected.safetensors"))[key];
    assert_eq!(written.len(), 1, "{name}");
    assert_eq!(written["logits"].shape, expected.shape, "{name}");
    let width = *expected.shape.last().unwrap();
    // For a masked language model, only the outputs at tokens are compared, because the outputs at padding are arbitrary.
    let counts = |row: usize| match (expected.shape.len(), inputs.get("attention_mask")) {
        (3, Some(mask)) => mask.i64()[row] == 1,
        _ => true,
    };
    let rows = |values: Vec<f32>| -> Vec<f32> {
        let chosen = values.chunks(width).enumerate().filter(|(row, _)| counts(*row));
        chosen.flat_map(|(_, values)| values.to_vec()).collect()
    };
    let largest = difference(&rows(written["logits"].f32()), &rows(expected.f32()));
    println!("{name}: logits differ by {largest:.1e}");
    assert!(largest < TOLERANCE, "{name}: logits differ by {largest}");
}

/// Compare the logits with and without merging with PEFT's logits, also with and without merging.
fn check_adapter(model: &Path, adapter: &Path) {
    let option: [&OsStr; 2] = ["--adapter".as_ref(), adapter.as_os_str()];
    let merged = [option[0], option[1], "--merge".as_ref()];
    for key in ["logits", "merged"] {
        check(model, adapter, &option, key);
        check(model, adapter, &merged, key);
    }
}

#[test]
fn logits_match_transformers() {
    for name in ["roberta-classifier", "bert-classifier", "bert-sharded", "roberta-f16", "roberta-bf16"] {
        check(&fixture(name), &fixture(name), &[], "logits");
    }
    for name in ["roberta-mlm", "bert-mlm", "bert-gelu-new"] {
        check(&fixture(name), &fixture(name), &[], "logits");
    }
}

#[test]
fn adapter_logits_match_peft() {
    check_adapter(&fixture("bert-classifier"), &fixture("peft-bert-lora"));
    let methods = ["lora", "dora", "adalora", "vera", "ia3", "patterns", "bias-all", "embedding"];
    for method in methods {
        check_adapter(&fixture("roberta-classifier"), &fixture(&format!("peft-{method}")));
    }
}

#[test]
fn logits_match_the_shared_reference() {
    let Some(reference) = reference("the logits of the shared reference") else { return };
    for name in ["roberta-sequence-classification", "bert-sequence-classification", "roberta-masked-lm"] {
        check(&reference.join(name), &reference.join(name), &[], "logits");
    }
    for adapter in ["lora", "lora-patterns", "lora-rslora-bias", "dora", "adalora", "vera", "ia3"] {
        check_adapter(&reference.join("roberta-sequence-classification"), &reference.join("peft").join(adapter));
    }
}

#[test]
fn masked_language_models_use_the_head_of_the_adapter() {
    // As with checkpoints on the Hub, only the adapter has a classifier.
    let model = copy(&fixture("roberta-mlm"), "predict-mlm");
    edit_json(&model.join("config.json"), |config| {
        config.insert("id2label".into(), serde_json::json!({"0": "a", "1": "b", "2": "c"}));
    });
    let output = scratch("predict-mlm-adapter").join("logits.safetensors");
    let adapter = fixture("peft-lora");
    let more: [&OsStr; 2] = ["--adapter".as_ref(), adapter.as_os_str()];
    let run = predict(&model, &adapter.join("inputs.safetensors"), &output, &more);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(read(&output)["logits"].shape, [3, 3]);
}

#[test]
fn base_models_are_found_relative_to_the_adapter() {
    // The base model `../roberta-classifier` is relative to the adapter, not to the current folder.
    let (adapter, output) = (fixture("peft-lora"), scratch("predict-base").join("logits.safetensors"));
    let run = asym([
        OsStr::new("predict"),
        "--adapter".as_ref(),
        adapter.as_os_str(),
        "--inputs".as_ref(),
        adapter.join("inputs.safetensors").as_os_str(),
        "--output".as_ref(),
        output.as_os_str(),
    ]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let expected = &read(&adapter.join("expected.safetensors"))["logits"];
    assert!(difference(&read(&output)["logits"].f32(), &expected.f32()) < TOLERANCE);

    let lost = copy(&adapter, "predict-base-lost");
    let inspect =
        |folder: &Path| asym([OsStr::new("inspect"), "--offline".as_ref(), "--adapter".as_ref(), folder.as_os_str()]);
    for (base, part) in [(Some("somebody/some-model"), "somebody/some-model"), (None, "--model")] {
        edit_json(&lost.join("adapter_config.json"), |config| {
            config.insert("base_model_name_or_path".into(), serde_json::json!(base));
        });
        let run = inspect(&lost);
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && stderr.contains(part), "{stderr}");
        assert!(stderr.contains(lost.to_str().unwrap()), "{stderr}");
    }
    edit_json(&lost.join("adapter_config.json"), |config| {
        config.insert("base_model_name_or_path".into(), serde_json::json!(asym::embedded::ROBERTA_MINI.name));
    });
    // The embedded model is found, but the adapter has no factors for its additional layers.
    let stderr = String::from_utf8_lossy(&inspect(&lost).stderr).into_owned();
    assert!(stderr.contains("missing") && stderr.contains("encoder.layer.3"), "{stderr}");
}

#[test]
fn inspect_counts_the_trained_parameters() {
    let run = asym([
        OsStr::new("inspect"),
        "--model".as_ref(),
        fixture("roberta-classifier").as_os_str(),
        "--adapter".as_ref(),
        fixture("peft-lora").as_os_str(),
    ]);
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // Two layers with rank 3 have query (24 -> 24) and intermediate.dense (24 -> 40). The head is 24 -> 24 -> 3.
    let trained = 2 * 3 * (24 + 24 + 24 + 40) + (24 * 24 + 24) + (24 * 3 + 3);
    let digits: String = stdout.lines().last().unwrap().split_whitespace().collect();
    assert!(digits.starts_with(&format!("trained:{trained}of")), "{trained} in {stdout}");
    assert!(stdout.contains("roberta.encoder.layer.1.intermediate.dense.lora_B.weight"), "{stdout}");
}
