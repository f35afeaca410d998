//! Variants of files that users have: for each folder in `fixtures/variants`, the logits equal those of transformers and PEFT.
//! Adapters are also merged and saved again.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym::core::{SaveOptions, save_adapter};
use asym::models::{
    BartLanguageModel, Checkpoint, LlamaLanguageModel, MaskedLanguageModel, PretrainedModel, load_adapter, read_inputs,
};
use burn::tensor::Device;

use crate::common::{asym, difference, fixture, predict, read, scratch};

/// The folders of `fixtures/variants`, with or without an adapter.
fn variants(adapters: bool) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(fixture("variants")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        folders.filter(|folder| folder.join("adapter_config.json").is_file() == adapters).collect();
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

/// The base model of an adapter.
fn base(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(folder.join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    folder.join(config["base_model_name_or_path"].as_str().unwrap())
}

/// The largest difference between the logits of `asym predict` and the expected logits in `folder`, where the mask is 1, relative
/// to the largest logit.
fn error(folder: &Path, what: &str, options: &[&str]) -> f32 {
    let (inputs, output) = (folder.join("inputs.safetensors"), scratch(&format!("variants-{what}")).join("logits"));
    let run = asym(
        ["predict", "--inputs", inputs.to_str().unwrap(), "--output", output.to_str().unwrap()].iter().chain(options),
    );
    assert!(run.status.success(), "{what}: {}", String::from_utf8_lossy(&run.stderr));
    let (expected, found) = (&read(&folder.join("expected.safetensors"))["logits"], &read(&output)["logits"]);
    assert_eq!(expected.shape, found.shape, "{what}");
    let (mut expected, mut found) = (expected.f32(), found.f32());
    let inputs = read(&inputs);
    let mask = inputs
        .get("attention_mask")
        .filter(|mask| !inputs.contains_key("decoder_input_ids") && mask.shape == read(&output)["logits"].shape[..2]);
    if let Some(mask) = mask {
        let width = expected.len() / mask.i64().len();
        let counts: Vec<bool> = mask.i64().iter().flat_map(|value| vec![*value == 1; width]).collect();
        let mut kept = counts.iter();
        expected.retain(|_| *kept.next().unwrap());
        kept = counts.iter();
        found.retain(|_| *kept.next().unwrap());
    }
    let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
    difference(&expected, &found) / largest
}

#[test]
fn checkpoints_load_as_in_transformers() {
    for folder in variants(false) {
        let (what, path) = (name(&folder), folder.to_str().unwrap());
        let found = error(&folder, &what, &["--model", path]);
        assert!(found < 1e-4, "{what}: {found}");
    }
}

#[test]
fn adapters_load_and_merge_as_in_peft() {
    for folder in variants(true) {
        let (what, path) = (name(&folder), folder.to_str().unwrap());
        let found = error(&folder, &what, &["--adapter", path]);
        assert!(found < 1e-4, "{what}: {found}");
        let found = error(&folder, &format!("{what}-in-memory"), &["--adapter", path, "--merge"]);
        assert!(found < 1e-4, "{what} merged in memory: {found}");

        // `tests/python/check_merged.py` reads the folders in `ASYM_MERGED`.
        let export = std::env::var_os("ASYM_MERGED").map(|export| PathBuf::from(export).join(&what));
        let merged = export.clone().unwrap_or_else(|| scratch(&format!("variants-{what}-merged")).join("model"));
        if let Some(parent) = merged.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        let run = asym(["merge", "--adapter", path, "--output", merged.to_str().unwrap()]);
        assert!(run.status.success(), "{what}: {}", String::from_utf8_lossy(&run.stderr));
        let found = error(&folder, &format!("{what}-from-merged"), &["--model", merged.to_str().unwrap()]);
        assert!(found < 1e-4, "{what} merged: {found}");
        if let Some(folder_of_merged) = export {
            let copy = |from: &Path, to: &str| {
                std::fs::copy(from, folder_of_merged.join(to)).unwrap();
            };
            copy(&folder.join("inputs.safetensors"), "inputs.safetensors");
            let logits =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("asym/variants-{what}-from-merged/logits"));
            copy(&logits, "logits.safetensors");
        }
    }
}

/// The tensors and the configuration of a merged variant.
fn merged(what: &str) -> (Vec<String>, serde_json::Value) {
    let output = scratch(&format!("variants-files-{what}")).join("model");
    let adapter = fixture("variants").join(what);
    let run = asym(["merge", "--adapter", adapter.to_str().unwrap(), "--output", output.to_str().unwrap()]);
    assert!(run.status.success(), "{what}: {}", String::from_utf8_lossy(&run.stderr));
    let config = serde_json::from_str(&std::fs::read_to_string(output.join("config.json")).unwrap()).unwrap();
    (read(&output.join("model.safetensors")).into_keys().collect(), config)
}

#[test]
fn merging_writes_both_tensors_of_an_untied_embedding() {
    for (what, keys) in [
        ("llama-head", ["lm_head.weight", "model.embed_tokens.weight"]),
        ("llama-tokens-apart", ["lm_head.weight", "model.embed_tokens.weight"]),
        ("bart-words", ["lm_head.weight", "model.encoder.embed_tokens.weight"]),
        ("bart-head-saved", ["lm_head.weight", "model.decoder.embed_tokens.weight"]),
        ("bert-words", ["cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"]),
        ("roberta-head-saved", ["lm_head.decoder.weight", "lm_head.decoder.bias"]),
    ] {
        let (found, config) = merged(what);
        assert_eq!(config["tie_word_embeddings"], false, "{what}");
        assert!(keys.iter().all(|key| found.iter().any(|found| found == key)), "{what}: {found:?}");
    }
    // If the trained rows are shared, the parameters stay tied.
    for (what, copy) in [
        ("llama-tokens", "lm_head.weight"),
        ("bart-tokens", "lm_head.weight"),
        ("bert-tokens", "cls.predictions.decoder.weight"),
    ] {
        let (found, config) = merged(what);
        assert_eq!(config["tie_word_embeddings"], true, "{what}");
        assert!(!found.iter().any(|found| found == copy), "{what}");
    }
    let (_, config) = merged("llama-resized-words");
    assert_eq!(config["vocab_size"], 63);
    let (_, config) = merged("rank-above-width");
    assert_eq!(config["tie_word_embeddings"], false);
}

/// Load the adapter of a variant, save it, and load the saved adapter. `tests/python/check_peft.py` reads the folders in
/// `ASYM_EXPORT`.
fn saved_again<M: PretrainedModel>(what: &str, task_type: Option<&str>) {
    let folder = fixture("variants").join(what);
    let (base, device) = (base(&folder), Device::default());
    let load = |adapter: &Path| {
        let plain: M = Checkpoint::open(&base).unwrap().load(None, 0, &device).unwrap().model;
        load_adapter(plain, adapter).unwrap()
    };
    let (model, config) = load(&folder);
    let export = std::env::var_os("ASYM_EXPORT").map_or_else(|| scratch("variants-export"), PathBuf::from);
    let again = export.join(what);
    let options = SaveOptions { naming: model.naming(), base_model: base.to_str(), task_type, seed: None };
    save_adapter(&model, &config, &again, &options).unwrap();
    let input: M::Input = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let logits = |model: &M| model.logits(input.clone()).iter::<f32>().collect::<Vec<f32>>();
    let (second, read_again) = load(&again);
    assert_eq!(difference(&logits(&second), &logits(&model)), 0.0, "{what}");
    assert_eq!(read_again.token_rows, config.token_rows, "{what}");
    assert_eq!(read_again.taken_out, config.taken_out, "{what}");
    // The model that is merged by the library computes the same logits.
    let merged = asym::models::merge(model.clone());
    let largest = difference(&logits(&merged), &logits(&model));
    assert!(largest < 1e-4, "{what}: {largest}");
}

#[test]
fn adapters_can_be_loaded_and_saved_unchanged() {
    for what in ["llama-head", "llama-tokens", "llama-tokens-apart", "start-pissa", "start-olora", "negative-alpha"] {
        saved_again::<LlamaLanguageModel>(what, Some("CAUSAL_LM"));
    }
    for what in ["bart-words", "bart-head-saved", "bart-tokens"] {
        saved_again::<BartLanguageModel>(what, Some("SEQ_2_SEQ_LM"));
    }
    for what in ["bert-words", "bert-decoder", "bert-head-saved"] {
        saved_again::<MaskedLanguageModel>(what, None);
    }
}

#[test]
fn adapters_on_tied_embeddings_do_not_change_the_head() {
    use asym::core::AdapterConfig;
    let device = Device::default();
    let plain: LlamaLanguageModel =
        Checkpoint::open(fixture("llama-tied")).unwrap().load(None, 0, &device).unwrap().model;
    let naming = plain.naming();
    let config =
        AdapterConfig::new(asym::core::Lora::new(2).b(asym::core::Factor::trained(asym::core::Init::Gaussian)));
    let model = config.targets(["embed_tokens"]).attach_named(plain.clone(), 3, &naming).unwrap();
    let input = read_inputs(fixture("llama-tied").join("inputs.safetensors"), &device).unwrap();
    let logits = |model: &LlamaLanguageModel| {
        model.forward(LlamaInput::clone(&input)).into_data().iter::<f32>().collect::<Vec<_>>()
    };
    use asym::models::LlamaInput;
    let (before, merged) = (logits(&model), asym::models::merge(model));
    assert!(difference(&before, &logits(&plain)) > 0.1);
    assert!(difference(&before, &logits(&merged)) < 1e-4);
    assert!(!merged.config().tie_word_embeddings);
}

#[test]
fn resized_vocabularies_without_a_head_are_rejected() {
    let folder = crate::common::copy(&fixture("variants").join("llama-untied-resized"), "variants-headless");
    let path = folder.join("adapter_model.safetensors");
    let mut tensors = read(&path);
    tensors.remove("base_model.model.lm_head.weight").unwrap();
    crate::common::write(&path, &tensors, None);
    let inputs = folder.join("inputs.safetensors");
    let options = ["--adapter".as_ref(), folder.as_os_str()];
    let run = predict(&fixture("llama"), &inputs, &folder.join("logits"), &options);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success() && stderr.contains("lm_head.weight"), "{stderr}");
}

#[test]
fn source_n_grams_are_excluded_as_in_transformers() {
    let text = std::fs::read_to_string(fixture("generation").join("sources.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (base, runs) in cases.as_object().unwrap() {
        for (index, run) in runs.as_array().unwrap().iter().enumerate() {
            let (model, settings) = (fixture(base), run["settings"].to_string());
            let output = scratch(&format!("variants-sources-{base}-{index}")).join("sequences");
            let options = ["--generate".as_ref(), settings.as_ref()];
            let found = predict(&model, &model.join("inputs.safetensors"), &output, &options);
            assert!(found.status.success(), "{settings}: {}", String::from_utf8_lossy(&found.stderr));
            let rows: Vec<Vec<i64>> = serde_json::from_value(run["sequences"].clone()).unwrap();
            assert_eq!(read(&output)["sequences"].i64(), rows.concat(), "{base} {settings}");
        }
    }
}
