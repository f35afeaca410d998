//! Invalid input for the command: it fails with an exit code and with a message that contains the location of the problem. It
//! does not panic, and it does not leave an output file.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ffi::OsStr;
use std::path::Path;

use crate::common::{Stored, asym, copy, edit_json, fixture, predict, read, scratch, write};

/// The standard error of `asym predict`, which must fail without an output file.
fn refusal(name: &str, model: &Path, inputs: &Path, more: &[&OsStr]) -> String {
    let output = scratch(&format!("bad-{name}-output")).join("logits.safetensors");
    let run = predict(model, inputs, &output, more);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success(), "{name} must be refused: {stderr}");
    assert!(run.status.code().is_some(), "{name} was killed: {stderr}");
    assert!(!stderr.contains("panicked at"), "{name}: {stderr}");
    assert!(!output.exists(), "{name} left an output");
    stderr
}

/// Like [`refusal`]. The message must contain all `parts`.
fn refused(name: &str, model: &Path, inputs: &Path, more: &[&OsStr], parts: &[&str]) {
    let stderr = refusal(name, model, inputs, more);
    println!("{name}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{name}: `{part}` in: {stderr}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The options of an adapter.
fn adapter(folder: &Path) -> [&OsStr; 2] {
    ["--adapter".as_ref(), folder.as_os_str()]
}

#[test]
fn damaged_checkpoints_are_refused() {
    let inputs = fixture("roberta-classifier").join("inputs.safetensors");
    let gone = fixture("no-such-model");
    refused("gone", &gone, &inputs, &[], &[text(&gone)]);

    let weights = std::fs::read(fixture("roberta-classifier").join("model.safetensors")).unwrap();
    let spoilt = |name: &str, bytes: &[u8]| {
        let model = copy(&fixture("roberta-classifier"), &format!("bad-{name}"));
        std::fs::write(model.join("model.safetensors"), bytes).unwrap();
        refused(name, &model, &inputs, &[], &[text(&model.join("model.safetensors"))]);
    };
    spoilt("truncated", &weights[..weights.len() / 2]);
    spoilt("truncated-header", &weights[..100]);
    spoilt("empty", &[]);
    let mut endless = weights.clone();
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    spoilt("endless-header", &endless);
    // A header of the same length with a shape that does not match its offsets.
    let header = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let lying =
        String::from_utf8(weights[8..header].to_vec()).unwrap().replace("\"shape\":[24,24]", "\"shape\":[99,24]");
    let lying = [&weights[..8], lying.as_bytes(), &weights[header..]].concat();
    assert_ne!(lying, weights);
    spoilt("lying-header", &lying);

    let model = copy(&fixture("roberta-classifier"), "bad-nan");
    let mut tensors = read(&model.join("model.safetensors"));
    let key = "roberta.encoder.layer.1.output.dense.weight";
    tensors.get_mut(key).unwrap().data[40..44].copy_from_slice(&f32::NAN.to_le_bytes());
    write(&model.join("model.safetensors"), &tensors, None);
    refused("nan", &model, &inputs, &[], &[text(&model), key, "NaN"]);

    let mut tensors = read(&fixture("roberta-classifier").join("model.safetensors"));
    let query = tensors.remove("roberta.encoder.layer.0.attention.self.query.weight").unwrap();
    tensors.insert("roberta.encoder.layer.0.attention.self.qeury.weight".into(), query);
    write(&model.join("model.safetensors"), &tensors, None);
    refused("misspelt", &model, &inputs, &[], &[text(&model), "roberta.encoder.layer.0.attention.self.qeury.weight"]);

    let model = copy(&fixture("roberta-classifier"), "bad-type");
    edit_json(&model.join("config.json"), |config| config["model_type"] = "gpt2".into());
    refused("type", &model, &inputs, &[], &[text(&model.join("config.json")), "model_type", "gpt2"]);
    std::fs::write(model.join("config.json"), "{\"model_type\": ").unwrap();
    refused("json", &model, &inputs, &[], &[text(&model.join("config.json"))]);
    std::fs::remove_file(model.join("config.json")).unwrap();
    refused("config", &model, &inputs, &[], &[text(&model.join("config.json"))]);
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let model = fixture("roberta-classifier");
    let folder = scratch("bad-inputs");
    let gone = folder.join("gone.safetensors");
    refused("inputs-gone", &model, &gone, &[], &[text(&gone)]);

    let good = read(&model.join("inputs.safetensors"));
    let path = folder.join("inputs.safetensors");
    let with = |name: &str, tensor: &str, stored: Option<Stored>, parts: &[&str]| {
        let mut tensors = good.clone();
        match stored {
            Some(stored) => tensors.insert(tensor.into(), stored),
            None => tensors.remove(tensor),
        };
        write(&path, &tensors, None);
        refused(name, &model, &path, &[], parts);
    };
    let shape = good["input_ids"].shape.clone();
    let change = |key: &str, at: usize, value: i64| {
        let mut values = good[key].i64();
        values[at] = value;
        Some(Stored::integers(&shape, &values))
    };
    with("id-above", "input_ids", change("input_ids", 13, 60), &["input_ids", "60", "row 1, column 2"]);
    with("id-below", "input_ids", change("input_ids", 13, -1), &["input_ids", "-1", "row 1, column 2"]);
    with("mask", "attention_mask", change("attention_mask", 0, 2), &["attention_mask", "2"]);
    let narrow = Stored::integers(&[3, 4], &[1; 12]);
    with("mask-shape", "attention_mask", Some(narrow), &["attention_mask", "[3, 4]", "[3, 11]"]);
    with("types", "token_type_ids", change("attention_mask", 0, 1), &["token_type_ids"]);
    with("misspelt-tensor", "attention_msak", Some(good["attention_mask"].clone()), &["attention_msak"]);
    with("no-ids", "input_ids", None, &[text(&path), "input_ids"]);
    let floats = Stored { dtype: safetensors::Dtype::F32, shape: shape.clone(), data: vec![0; 4 * 33] };
    with("floats", "input_ids", Some(floats), &["input_ids", "F32"]);
    write(&path, &[("input_ids".to_string(), Stored::integers(&[1, 12], &[7; 12]))].into(), None);
    refused("long", &model, &path, &[], &["input_ids", "12", "max_position_embeddings"]);
    write(&path, &[("input_ids".to_string(), Stored::integers(&[0, 11], &[]))].into(), None);
    refused("no-row", &model, &path, &[], &["input_ids"]);
}

#[test]
fn existing_outputs_are_not_overwritten() {
    let model = fixture("roberta-classifier");
    let output = scratch("bad-output").join("logits.safetensors");
    std::fs::write(&output, "somebody's work").unwrap();
    let run = predict(&model, &model.join("inputs.safetensors"), &output, &[]);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success() && stderr.contains(text(&output)), "{stderr}");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "somebody's work");

    let nowhere = scratch("bad-output").join("no-such-folder/logits.safetensors");
    let run = predict(&model, &model.join("inputs.safetensors"), &nowhere, &[]);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success() && stderr.contains("no-such-folder"), "{stderr}");
    assert!(!stderr.contains("panicked at"), "{stderr}");
}

#[test]
fn untrained_heads_are_rejected() {
    // First a checkpoint of the bare encoder, then a masked language model with an adapter without a head.
    let bare = fixture("bert-bare-old");
    refused("headless", &bare, &bare.join("inputs.safetensors"), &[], &[text(&bare), "classifier.weight", "--adapter"]);

    let peft = copy(&fixture("peft-lora"), "bad-headless-adapter");
    edit_json(&peft.join("adapter_config.json"), |config| config["modules_to_save"] = serde_json::Value::Null);
    let mut tensors = read(&peft.join("adapter_model.safetensors"));
    tensors.retain(|key, _| key.contains("lora_"));
    write(&peft.join("adapter_model.safetensors"), &tensors, None);
    let inputs = peft.join("inputs.safetensors");
    let model = fixture("roberta-mlm");
    refused("headless-adapter", &model, &inputs, &adapter(&peft), &[text(&model), "classifier.dense.weight"]);
}

#[test]
fn adapters_that_do_not_fit_are_refused() {
    let model = fixture("roberta-classifier");
    let inputs = model.join("inputs.safetensors");
    let refused = |name: &str, folder: &Path, parts: &[&str]| {
        refused(name, &model, &inputs, &adapter(folder), &[parts, &[text(folder)]].concat());
    };
    refused("adapter-gone", &fixture("no-such-adapter"), &["adapter_config.json"]);

    let spoilt = |name: &str, spoil: &dyn Fn(&mut crate::common::Tensors), parts: &[&str]| {
        let folder = copy(&fixture("peft-lora"), &format!("bad-{name}"));
        let path = folder.join("adapter_model.safetensors");
        let mut tensors = read(&path);
        spoil(&mut tensors);
        write(&path, &tensors, None);
        refused(name, &folder, parts);
    };
    let head = "base_model.model.classifier.dense.weight";
    spoilt("no-head", &|tensors| drop(tensors.remove(head)), &["adapter_model.safetensors", head]);
    let query = "base_model.model.roberta.encoder.layer.1.attention.self.query.lora_B.weight";
    spoilt("no-factor", &|tensors| drop(tensors.remove(query)), &[query]);
    let key = "base_model.model.roberta.encoder.layer.1.attention.self.key.lora_B.weight";
    let extra = |tensors: &mut crate::common::Tensors| drop(tensors.insert(key.into(), tensors[query].clone()));
    spoilt("extra-factor", &extra, &[key]);
    spoilt("shape", &|tensors| tensors.get_mut(query).unwrap().shape = vec![3, 24], &[query, "[3, 24]", "[24, 3]"]);
    let nan = |tensors: &mut crate::common::Tensors| {
        tensors.get_mut(query).unwrap().data[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    };
    spoilt("infinite", &nan, &[query, "inf"]);

    let config = |name: &str, field: &str, value: serde_json::Value, parts: &[&str]| {
        let folder = copy(&fixture("peft-lora"), &format!("bad-{name}"));
        edit_json(&folder.join("adapter_config.json"), |config| drop(config.insert(field.into(), value)));
        refused(name, &folder, &[parts, &["adapter_config.json"]].concat());
    };
    config("loftq", "init_lora_weights", "loftq".into(), &["init_lora_weights", "loftq"]);
    config("future", "use_next_years_idea", true.into(), &["use_next_years_idea", "true"]);
    let folder = copy(&fixture("peft-lora"), "bad-target");
    edit_json(&folder.join("adapter_config.json"), |config| config["target_modules"] = serde_json::json!(["queries"]));
    // The targets are matched with the modules of the model, and the message lists these modules.
    let stderr = refusal("target", &model, &inputs, &adapter(&folder));
    assert!(stderr.contains("queries") && stderr.contains("query, key, value"), "{stderr}");

    let truncated = copy(&fixture("peft-lora"), "bad-truncated-adapter");
    let weights = std::fs::read(truncated.join("adapter_model.safetensors")).unwrap();
    std::fs::write(truncated.join("adapter_model.safetensors"), &weights[..weights.len() - 1]).unwrap();
    refused("truncated-adapter", &truncated, &["adapter_model.safetensors"]);
}

#[test]
fn unsupported_adapter_settings_are_named() {
    let model = fixture("roberta-classifier");
    let inputs = model.join("inputs.safetensors");
    let changed = |from: &str, field: &str, value: serde_json::Value, parts: &[&str]| {
        let folder = copy(&fixture(from), &format!("bad-{from}-{field}-{value}").replace(['"', '/'], ""));
        edit_json(&folder.join("adapter_config.json"), |config| drop(config.insert(field.into(), value)));
        refused(
            field,
            &model,
            &inputs,
            &adapter(&folder),
            &[parts, &["adapter_config.json", field.trim_start_matches("lora_")]].concat(),
        );
    };
    // These initializations change the base weights, and the folder does not have the data for that.
    for init in ["corda", "corda_kpm", "loftq", "pissa_niter_many", "of_tomorrow"] {
        changed("peft-lora", "init_lora_weights", init.into(), &[init, "path_initial_model_for_weight_conversion"]);
    }
    for kind in ["BOFT", "LOHA", "PREFIX_TUNING"] {
        changed("peft-lora", "peft_type", kind.into(), &[kind, "\"LORA\"", "\"VERA\""]);
    }
    changed("peft-vera", "save_projection", false.into(), &["false", "generator"]);
    changed("peft-adalora", "use_dora", true.into(), &["true"]);
    changed("peft-adalora", "alpha_pattern", serde_json::json!({"query": 3}), &["query"]);
    changed("peft-lora", "bias", "vera".into(), &["vera", "lora_only"]);
    changed("peft-lora", "lora_alpha", 0.into(), &["other than 0"]);
    changed("peft-lora", "lora_dropout", 1.into(), &["below 1"]);
}

#[test]
fn tensors_that_do_not_fit_their_configuration_are_refused() {
    let model = fixture("roberta-classifier");
    let inputs = model.join("inputs.safetensors");
    let with = |from: &str, name: &str, field: &str, value: serde_json::Value, parts: &[&str]| {
        let folder = copy(&fixture(from), name);
        edit_json(&folder.join("adapter_config.json"), |config| drop(config.insert(field.into(), value)));
        refused(name, &model, &inputs, &adapter(&folder), parts);
    };
    with("peft-lora", "rank-smaller", "r", 2.into(), &["lora_A.weight", "[3, 24]", "[2, 24]"]);
    with("peft-lora", "rank-too-large", "r", 25.into(), &["lora_A.weight", "[3, 24]", "[25, 24]"]);
    with(
        "peft-patterns",
        "pattern-rank",
        "rank_pattern",
        serde_json::json!({"query": 2}),
        &["lora_A.weight", "[2, 24]"],
    );
    with("peft-adalora", "initial-rank", "init_r", 6.into(), &["rank_pattern", "5", "6"]);
    with("peft-vera", "vera-rank", "r", 5.into(), &["vera_A", "[7, 24]", "[5, 24]"]);
    with("peft-dora", "no-dora", "use_dora", false.into(), &["unexpected", "lora_magnitude_vector"]);

    let folder = copy(&fixture("peft-vera"), "no-projections");
    let mut tensors = read(&folder.join("adapter_model.safetensors"));
    tensors.retain(|key, _| !key.contains("vera_A") && !key.contains("vera_B"));
    write(&folder.join("adapter_model.safetensors"), &tensors, None);
    let parts = ["base_model.vera_A", "base_model.vera_B", "save_projection"];
    refused("no-projections", &model, &inputs, &adapter(&folder), &parts);
}

#[test]
fn invalid_command_lines_are_rejected() {
    for args in
        [vec!["predict"], vec!["predict", "--model"], vec!["train"], vec!["inspect", "--model", "/no/such/model"]]
    {
        let run = asym(&args);
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && !stderr.contains("panicked at"), "{args:?}: {stderr}");
    }
    let model = fixture("roberta-classifier");
    let stderr = refusal("merge", &model, &model.join("inputs.safetensors"), &["--merge".as_ref()]);
    assert!(stderr.contains("--adapter"), "{stderr}");
}

#[test]
fn missing_devices_are_rejected() {
    let model = fixture("roberta-classifier");
    for (device, parts) in
        [("abacus", ["abacus", "built with"]), ("flex:7", ["flex:7", "1 device"]), ("flex:x", ["flex:x", "index"])]
    {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_asym"))
            .args(["inspect", "--model"])
            .arg(&model)
            .env("BURN_DEVICE", device)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && !stderr.contains("panicked at"), "{device}: {stderr}");
        assert!(parts.iter().all(|part| stderr.contains(part)), "{device}: {stderr}");
    }
}
