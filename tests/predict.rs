//! `asym predict` gives the logits of transformers and PEFT: on fixtures that `tests/fixtures/make.py` made, and on the
//! shared reference where `ASYM_SHARED` names its folder.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ffi::OsStr;
use std::path::Path;

mod common;
use common::{asym, copy, difference, edit_json, fixture, predict, read, reference, scratch};

const TOLERANCE: f32 = 1e-4;

/// Run the model in `folder` with `more` options on the inputs beside `expected`, and compare with its tensor `key`.
fn check(model: &Path, case: &Path, more: &[&OsStr], key: &str) {
    let merged = if more.contains(&OsStr::new("--merge")) { " with --merge" } else { "" };
    let name = format!("{} {key}{merged}", case.file_name().unwrap().display());
    let output = scratch(&format!("predict {name}")).join("logits.safetensors");
    let inputs = case.join("inputs.safetensors");
    let run = predict(model, &inputs, &output, more);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{name}: {stderr}");
    assert!(stderr.contains("device: "), "{name}: the device is printed: {stderr}");

    let (written, inputs) = (read(&output), read(&inputs));
    let expected = &read(&case.join("expected.safetensors"))[key];
    assert_eq!(written.len(), 1, "{name}");
    assert_eq!(written["logits"].shape, expected.shape, "{name}");
    let width = *expected.shape.last().unwrap();
    // Of a masked language model only what stands at a token counts: padding attends as it likes.
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

/// Factored against PEFT's adapted logits and merged against PEFT's merged ones, and each against the other.
fn check_adapter(model: &Path, adapter: &Path) {
    let option: [&OsStr; 2] = ["--adapter".as_ref(), adapter.as_os_str()];
    let merged = [option[0], option[1], "--merge".as_ref()];
    for key in ["logits", "merged"] {
        check(model, adapter, &option, key);
        check(model, adapter, &merged, key);
    }
}

#[test]
fn models_give_the_logits_of_transformers() {
    for name in ["roberta-classifier", "bert-classifier", "bert-sharded", "roberta-f16", "roberta-bf16"] {
        check(&fixture(name), &fixture(name), &[], "logits");
    }
    for name in ["roberta-mlm", "bert-mlm", "bert-gelu-new"] {
        check(&fixture(name), &fixture(name), &[], "logits");
    }
}

#[test]
fn adapters_give_the_logits_of_peft() {
    check_adapter(&fixture("roberta-classifier"), &fixture("peft-lora"));
    check_adapter(&fixture("bert-classifier"), &fixture("peft-bert-lora"));
}

#[test]
fn shared_reference_is_met() {
    let Some(reference) = reference("the logits of the shared reference") else { return };
    for name in ["roberta-sequence-classification", "bert-sequence-classification", "roberta-masked-lm"] {
        check(&reference.join(name), &reference.join(name), &[], "logits");
    }
    check_adapter(&reference.join("roberta-sequence-classification"), &reference.join("peft/lora"));
}

#[test]
fn a_masked_language_model_takes_the_head_of_its_adapter() {
    // As a user has it: the Hub's checkpoint has no classifier, the adapter brings one.
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
fn inspect_counts_what_the_adapter_trains() {
    let run = asym([
        OsStr::new("inspect"),
        "--model".as_ref(),
        fixture("roberta-classifier").as_os_str(),
        "--adapter".as_ref(),
        fixture("peft-lora").as_os_str(),
    ]);
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // Two layers, rank 3: query 24 -> 24 and intermediate.dense 24 -> 40; the head 24 -> 24 -> 3.
    let trained = 2 * 3 * (24 + 24 + 24 + 40) + (24 * 24 + 24) + (24 * 3 + 3);
    let digits: String = stdout.lines().last().unwrap().split_whitespace().collect();
    assert!(digits.starts_with(&format!("trained:{trained}of")), "{trained} in {stdout}");
    assert!(stdout.contains("roberta.encoder.layer.1.intermediate.dense.lora_B.weight"), "{stdout}");
}
