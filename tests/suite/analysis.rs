//! The commands for analyses: `asym similarity`, `asym inspect` with bounds, `asym parameters`, and their errors.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Output;

use asym::analysis::similarity::{Adapter, Side, compare};
use asym::core::{AdapterConfig, SaveOptions, read_factors, save_adapter};
use asym::embedded::ROBERTA_MINI;
use burn::tensor::Device;

use crate::common::{asym, copy, fixture, read, scratch, write};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The message of a command that must fail without a panic.
fn refusal(args: &[&str], parts: &[&str]) {
    let output = asym(args);
    let message = text(&output.stderr);
    println!("{args:?}: {message}");
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(!message.contains("panicked at"), "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
}

/// An untrained LoRA adapter for the embedded checkpoint. If `moved` is set, B has other values than zero.
fn adapter(name: &str, seed: u64, config: &AdapterConfig, moved: bool) -> PathBuf {
    let folder = scratch("similarity").with_file_name(format!("similarity-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    let base = ROBERTA_MINI.base().unwrap();
    let model = base.checkpoint.sequence_classifier(Some(2), seed, &Device::flex()).unwrap().model;
    let naming = model.naming();
    let model = config.attach_named(model, seed, &naming).unwrap();
    save_adapter(&model, config, &folder, &SaveOptions { naming, ..SaveOptions::default() }).unwrap();
    if moved {
        let path = folder.join("adapter_model.safetensors");
        let mut tensors = read(&path);
        for (key, stored) in tensors.iter_mut().filter(|(key, _)| key.ends_with("lora_B.weight")) {
            let value = |at: usize| ((at * at + 7 * seed as usize + key.len()) as f32 * 0.37).sin();
            stored.data = (0..stored.data.len() / 4).flat_map(|at| value(at).to_le_bytes()).collect();
        }
        write(&path, &tensors, None);
    }
    folder
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

#[test]
fn similarity_is_high_only_for_the_same_initialization() {
    let config = AdapterConfig::lora(8);
    let [one, two] = [1, 2].map(|seed| adapter(&format!("start-{seed}"), seed, &config, true));
    let stem = scratch("similarity-figure").join("picture");
    let said = stdout(&asym(["similarity", path(&one), path(&two), path(&one), "--figure", path(&stem)]));
    println!("{said}");
    assert!(said.contains("| roberta.encoder.layer.3.attention.self.value |"), "{said}");
    for ending in ["svg", "png", "csv"] {
        assert!(stem.with_extension(ending).metadata().unwrap().len() > 500, "{ending}");
    }
    let csv = std::fs::read_to_string(stem.with_extension("csv")).unwrap();
    assert!(csv.starts_with("panel,series,x,y,low,high\n") && csv.contains("query,A,0,"), "{csv}");

    let factors = |folder: &Path| Adapter { name: "it".into(), pairs: read_factors(folder).unwrap() };
    for row in compare(&[factors(&one), factors(&one)]).unwrap() {
        for side in Side::BOTH {
            assert!((row.of(side).moments().mean - 1.0).abs() < 1e-9, "{row:?}");
        }
    }
    // The random initial values of A are independent, so the mean similarity is r/d, within four standard errors.
    let rows = compare(&[factors(&one), factors(&two)]).unwrap();
    let of_a: Vec<f64> = rows.iter().map(|row| row.a.moments().mean).collect();
    let expected = asym::analysis::similarity::Expected::of(128, 8, 8);
    let mean = of_a.iter().sum::<f64>() / of_a.len() as f64;
    let error = expected.std / (of_a.len() as f64).sqrt();
    assert!((mean - expected.mean).abs() < 4.0 * error, "{mean} is not {}", expected.mean);
}

/// Folders written by PEFT with each method that has factors.
#[test]
fn adapters_of_peft_can_be_compared() {
    for (name, module) in [
        ("peft-lora", "attention.self.query"),
        ("peft-dora", "intermediate.dense"),
        ("peft-adalora", "attention.self.value"),
        ("peft-embedding", "word_embeddings"),
        ("peft-conv", "conv"),
        ("peft-bart-all", "encoder_attn.q_proj"),
    ] {
        let folder = fixture(name);
        let said = stdout(&asym(["similarity", path(&folder), path(&folder)]));
        assert!(said.contains(module), "{name}: {said}");
        let rows = said.lines().skip(2);
        assert!(
            rows.clone().count() > 0 && rows.clone().all(|row| row.matches("1.000 |").count() >= 2),
            "{name}: {said}"
        );
    }
}

/// Layers of the encoder and the decoder have the same indices and module names, but they are different layers.
#[test]
fn encoder_and_decoder_layers_are_distinguished() {
    let other = copy(&fixture("peft-bart-all"), "similarity-bart");
    let file = other.join("adapter_model.safetensors");
    let mut tensors = read(&file);
    for (key, stored) in tensors.iter_mut().filter(|(key, _)| key.contains(".decoder.") && key.contains("lora_B")) {
        let value = |at: usize| ((at * at + key.len()) as f32 * 0.61).sin();
        stored.data = (0..stored.data.len() / 4).flat_map(|at| value(at).to_le_bytes()).collect();
    }
    write(&file, &tensors, None);
    let stem = scratch("similarity-bart-figure").join("picture.png");
    let first = fixture("peft-bart-all");
    let said = stdout(&asym(["similarity", path(&first), path(&other), "--figure", path(&stem)]));
    println!("{said}");
    for row in said.lines().filter(|line| line.contains("layers.")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[2], "1.000", "{row}");
        assert_eq!(cells[4] == "1.000", row.contains(".encoder."), "{row}");
    }
    assert!(stem.exists() && stem.with_extension("csv").exists());
}

#[test]
fn incompatible_adapters_are_rejected() {
    let lora = fixture("peft-lora");
    let lora = path(&lora);
    refusal(&["similarity", lora], &["at least two"]);
    refusal(&["similarity", lora, path(&fixture("peft-bart-qv"))], &["compare adapters of one model"]);
    refusal(&["similarity", lora, path(&fixture("peft-ia3"))], &["peft-ia3", "(IA)", "no separate factors A and B"]);
    refusal(&["similarity", lora, path(&fixture("peft-vera"))], &["VeRA", "no separate factors A and B"]);
    refusal(&["similarity", lora, "/no/such/folder"], &["/no/such/folder"]);
    refusal(&["similarity", lora, lora, "--figure", "somewhere/"], &["the file name is missing"]);
    let start = adapter("untrained", 1, &AdapterConfig::lora(4), false);
    refusal(&["similarity", path(&start), path(&start)], &["B of `roberta.encoder.layer.0.", "all zeros"]);

    let spoilt = copy(&fixture("peft-lora"), "similarity-spoilt");
    let file = spoilt.join("adapter_model.safetensors");
    let mut tensors = read(&file);
    let key = tensors.keys().find(|key| key.ends_with("lora_A.weight")).unwrap().clone();
    tensors.get_mut(&key).unwrap().data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    write(&file, &tensors, None);
    refusal(&["similarity", lora, path(&spoilt)], &[&key, "NaN"]);
    let b = key.replace("lora_A", "lora_B");
    let mut tensors = read(&fixture("peft-lora").join("adapter_model.safetensors"));
    tensors.remove(&b);
    write(&file, &tensors, None);
    refusal(&["similarity", path(&spoilt), lora], &[&b]);
    let mut tensors = read(&fixture("peft-lora").join("adapter_model.safetensors"));
    tensors.remove(&key);
    write(&file, &tensors, None);
    refusal(&["similarity", path(&spoilt), lora], &[&key]);
}

#[test]
fn inspect_bounds_the_generalization_error() {
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/mini/glue/b-only-orthonormal-r8.toml");
    let said = stdout(&asym(["inspect", "--recipe", recipe, "--examples", "3000", "--bits", "8", "--sigma", "0.5"]));
    println!("{said}");
    // For eight weights of 128 x 128, r·Σd_out is 8192 and √(2·8·¼·ln 2·8192/3000) is 2.752. For both factors, this is multiplied
    // by √2, which gives 3.891.
    let rows: Vec<Vec<&str>> = said
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).take(4).collect())
        .collect();
    for row in [
        ["this adapter", "8", "8192", "2.752"],
        ["B", "8", "8192", "2.752"],
        ["A", "8", "8192", "2.752"],
        ["B and A", "8", "16384", "3.891"],
        ["B", "16", "16384", "3.891"],
    ] {
        assert!(rows.contains(&row.to_vec()), "{row:?} in {said}");
    }
    assert!(said.contains("lora_A.weight") && said.contains("is vacuous"), "{said}");

    // A configuration is enough, even if the model is too large for the memory.
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/asym-analysis/data/configs/Llama-2-7b.json");
    let said = stdout(&asym(["inspect", "--model", config]));
    assert!(said.contains("model.layers.31.self_attn.q_proj.weight") && said.contains("6 738 415 616"), "{said}");
    let large = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/asym-analysis/data/configs/roberta-large.json");
    let said = stdout(&asym(["inspect", "--model", large, "--recipe", recipe, "--examples", "2490"]));
    assert!(said.contains("393216") && said.contains("1 445 891 of"), "{said}");

    refusal(&["inspect", "--recipe", recipe, "--examples", "0"], &["`examples` is 0", "at least 1"]);
    refusal(&["inspect", "--recipe", recipe, "--examples", "9", "--bits", "0"], &["`bits` is 0"]);
    refusal(&["inspect", "--recipe", recipe, "--examples", "9", "--sigma", "0"], &["`sigma` is 0"]);
    refusal(&["inspect", "--model", ROBERTA_MINI.name, "--examples", "9"], &["give an --adapter or a --recipe"]);
    let ia3 = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/mini/glue/ia3.toml");
    refusal(&["inspect", "--recipe", ia3, "--examples", "9"], &["no weight has factors"]);
    refusal(&["inspect", "--model", "/no/such/config.json"], &["/no/such/config.json"]);
}

/// A recipe can initialize A from the inputs of the layers. The adapter then loads without the training data.
#[test]
fn recipes_can_initialize_a_from_layer_inputs() {
    let folder = scratch("input-svd");
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/mini/glue/b-only-orthonormal-r8.toml");
    let runs = folder.join("runs");
    let init = "tuning.adapter.a.init=input-svd";
    let said = stdout(&asym(["run", recipe, "tasks=cola", "seeds=1", "epochs=1", init, "--output", path(&runs)]));
    assert!(said.contains("A_X r=8"), "{said}");
    let adapter = runs.join("cola/b-only-orthonormal-r8-seed1/adapter");
    for pair in read_factors(&adapter).unwrap() {
        for i in 0..8 {
            for j in 0..8 {
                let expected = if i == j { 1.0 } else { 0.0 };
                let product: f64 = pair.a.row(i).zip(pair.a.row(j)).map(|(x, y)| x * y).sum();
                assert!((product - expected).abs() < 1e-4, "{}: rows {i} and {j}", pair.module);
            }
        }
    }
    // Loading needs no batch of data, and A is frozen.
    let said = stdout(&asym(["inspect", "--adapter", path(&adapter)]));
    let frozen = said.lines().filter(|line| line.contains("lora_A") && line.contains("frozen")).count();
    assert_eq!(frozen, 8, "{said}");
}

#[test]
fn parameter_counts_are_shown_with_the_published_values() {
    let said = stdout(&asym(["parameters"]));
    println!("{said}");
    let row = said.lines().find(|line| line.contains("| 0.44 %")).unwrap();
    assert!(row.contains("1769472") && row.contains("0.4355"), "{row}");
    assert!(said.contains("355.0M: no count"), "{said}");
}

/// JSON and CSV contain all numbers of a table in full precision.
#[test]
fn tables_are_available_as_json_and_csv() {
    let lora = fixture("peft-lora");
    let args = ["similarity", path(&lora), path(&lora)];
    let json = stdout(&asym([&args[..], &["--json"]].concat()));
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let csv = stdout(&asym([&args[..], &["--csv"]].concat()));
    let csv: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(csv[0], ["module", "factor", "mean", "deviation", "pairs", "independent"]);
    assert_eq!(csv.len() - 1, json.len());
    for (line, object) in csv[1..].iter().zip(&json) {
        assert_eq!((object["module"].as_str(), object["factor"].as_str()), (Some(line[0]), Some(line[1])));
        let mean: f64 = line[2].parse().unwrap();
        assert!(object["mean"] == mean && (mean - 1.0).abs() < 1e-9, "{line:?}");
    }

    let csv =
        stdout(&asym(["inspect", "--adapter", path(&lora), "--model", path(&fixture("roberta-classifier")), "--csv"]));
    let trained = |line: &&str| line.ends_with(",true,true");
    let values: usize =
        csv.lines().filter(trained).map(|line| line.split(',').nth(2).unwrap().parse::<usize>().unwrap()).sum();
    let table = stdout(&asym(["inspect", "--adapter", path(&lora), "--model", path(&fixture("roberta-classifier"))]));
    assert!(
        values > 0
            && table.lines().filter(|line| line.ends_with("trained  adapter")).count()
                == csv.lines().filter(trained).count()
    );

    let csv = stdout(&asym(["parameters", "--csv"]));
    assert!(csv.lines().any(|line| line.starts_with("roberta-large,") && line.contains(",786432,")), "{csv}");
    assert_eq!(
        asym(["parameters", "--csv", "--json"]).status.code(),
        Some(2),
        "--csv and --json were accepted together"
    );
    let bounds = ["inspect", "--adapter", path(&lora), "--examples", "100", "--json"];
    refusal(&bounds, &["--examples", "only below a table"]);
}
