//! `asym generate`, `asym predict --generate`, `asym merge` and `asym classify --image`: results and errors.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym::models::{BartConfig, BartLanguageModel, Checkpoint, FileDtype, PretrainedModel, save};
use burn::tensor::Device;

use crate::common::{asym, copy, difference, edit_json, fixture, llama, predict, read, scratch};

/// The error of a command that must fail, on one line.
fn refusal<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let run = asym(args);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success(), "{stderr}");
    let message = stderr.lines().last().unwrap_or_default().to_string();
    assert!(message.starts_with("error: "), "{stderr}");
    message
}

fn text(run: &std::process::Output) -> String {
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[test]
fn other_prompts_in_a_batch_do_not_change_an_answer() {
    let folder = llama("generate-prompts");
    let model = folder.to_str().unwrap();
    let generate = |more: &[&str]| {
        let options = [["generate", "--model", model, "--max-new-tokens", "6"].as_slice(), more].concat();
        text(&asym(options))
    };
    let (first, second) = ("Hello there", "a much longer prompt than that one");
    let both = generate(&["--prompt", first, "--prompt", second, "--json"]);
    let rows: Vec<serde_json::Value> = both.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0]["prompt"].as_str(), rows[1]["prompt"].as_str()), (Some(first), Some(second)));
    assert!(rows.iter().all(|row| (1..=6).contains(&row["tokens"].as_array().unwrap().len())), "{both}");
    let alone = [first, second].map(|prompt| generate(&["--prompt", prompt, "--json"])).concat();
    assert_eq!(alone, both);
    assert_eq!(generate(&["--prompt", first, "--prompt", second, "--json", "--batch-size", "1"]), both);
    let beams = generate(&["--prompt", first, "--num-beams", "3", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&beams).unwrap()["score"].is_f64(), "{beams}");

    // Sampling depends on the seed and on the index of the prompt, but not on the batch.
    let drawn = |more: &[&str]| {
        let options = ["--prompt", first, "--prompt", second, "--do-sample", "--temperature", "1.5", "--seed", "3"];
        generate(&[options.as_slice(), more].concat())
    };
    assert_eq!(drawn(&[]), drawn(&["--batch-size", "1"]));
    assert_ne!(drawn(&[]), generate(&["--prompt", first, "--prompt", second, "--do-sample", "--seed", "4"]));

    // Options override settings in a file.
    let settings = folder.join("settings.json");
    std::fs::write(&settings, r#"{"max_new_tokens": 2, "num_beams": 3}"#).unwrap();
    let of_file = generate(&["--prompt", first, "--generate", settings.to_str().unwrap(), "--json"]);
    assert_eq!(of_file, beams);
}

/// The embedded checkpoints have no folder.
#[test]
fn embedded_models_generate_and_summarize() {
    let folder = scratch("generate-embedded");
    let document = folder.join("text.txt");
    std::fs::write(&document, "the first witness: the old king saw the young nurse.").unwrap();
    for model in ["llama-mini (embedded)", "bart-mini (embedded)"] {
        let words = ["generate", "--model", model, "--prompt", "the king", "--max-new-tokens", "4", "--json"];
        let row: serde_json::Value = serde_json::from_str(&text(&asym(words))).unwrap();
        assert!((1..=4).contains(&row["tokens"].as_array().unwrap().len()), "{model}: {row}");
    }
    let summary =
        text(&asym(["summarize", "--model", "bart-mini (embedded)", "--file", document.to_str().unwrap(), "--json"]));
    assert!(!serde_json::from_str::<serde_json::Value>(&summary).unwrap()["summary"].as_str().unwrap().is_empty());
    let error = refusal(&["generate", "--model", "roberta-mini (embedded)", "--prompt", "the king"]);
    assert!(error.contains("cannot generate text; use a Llama or BART model"), "{error}");
}

/// BART counts positions from the beginning of a row, so rows must be padded on the right.
#[test]
fn other_prompts_in_a_batch_do_not_change_bart_answers() {
    let folder = scratch("generate-bart");
    let tokenizer = fixture("sentencepiece");
    for file in ["tokenizer.model", "tokenizer_config.json"] {
        std::fs::write(folder.join(file), std::fs::read(tokenizer.join(file)).unwrap()).unwrap();
    }
    let mut config = BartConfig::new(500, 24, 2);
    config.max_position_embeddings = 64;
    config.init_std = 0.4;
    save(&BartLanguageModel::init(&config, 3, &Device::default()).unwrap(), &folder, FileDtype::F32).unwrap();
    let model = folder.to_str().unwrap();
    let generate = |more: &[&str]| {
        let options = ["generate", "--model", model, "--max-new-tokens", "6", "--num-beams", "2", "--json"];
        text(&asym([options.as_slice(), more].concat()))
    };
    let (first, second) = ("Hello there", "a much longer text than that one, which goes on");
    let both = generate(&["--prompt", first, "--prompt", second]);
    let tokens = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["tokens"].clone()).collect()
    };
    let alone = generate(&["--prompt", first]) + &generate(&["--prompt", second]);
    assert_eq!(tokens(&alone), tokens(&both));
    assert_ne!(tokens(&both)[0], tokens(&both)[1]);
}

#[test]
fn invalid_generation_requests_are_rejected() {
    let folder = llama("generate-refused");
    let model = folder.to_str().unwrap();
    let with =
        |more: &[&str]| refusal(&[["generate", "--model", model, "--prompt", "Hello"].as_slice(), more].concat());
    for (more, parts) in [
        (["--generate", r#"{"num_beam": 2}"#].as_slice(), ["`num_beam`", "num_beams"]),
        (&["--generate", r#"{"min_length": 30, "max_length": 20}"#], ["`min_length` 30", "lower it"]),
        (&["--generate", r#"{"temperature": 0.5}"#], ["`temperature` 0.5 has no effect", "do_sample"]),
        (&["--generate", r#"{"penalty_alpha": 0.6}"#], ["`penalty_alpha`", "is not supported"]),
        (&["--generate", r#"{"num_beams": 2, "num_return_sequences": 3}"#], ["num_return_sequences", "num_beams"]),
        (&["--generate", r#"{"eos_token_id": 500}"#], ["`eos_token_id`", "500"]),
        (&["--generate", "no-such-file.json"], ["no-such-file.json", "a JSON object or a file"]),
        (&["--max-new-tokens", "64"], ["max_new_tokens", "64"]),
        (&["--num-beams", "9223372036854775807"], ["num_beams", "at most 1000"]),
        (&["--batch-size", "0"], ["--batch-size 0", "at least one"]),
        (&["--dtype", "f32", "--max-new-tokens", "0"], ["max_new_tokens", "0"]),
    ] {
        let message = with(more);
        assert!(parts.iter().all(|part| message.contains(part)), "{more:?}: {message}");
    }
    // A prompt that is longer than the context is refused, but it can be truncated.
    let long = "word ".repeat(80);
    let message = refusal(&["generate", "--model", model, "--prompt", &long]);
    assert!(message.contains("prompt 1 has") && message.contains("but the model has 64 positions"), "{message}");
    let cut = asym(["generate", "--model", model, "--prompt", &long, "--max-length", "30", "--max-new-tokens", "2"]);
    assert!(cut.status.success());

    let message = refusal(&["generate", "--model", fixture("vit").to_str().unwrap(), "--prompt", "x"]);
    assert!(message.contains("cannot generate text"), "{message}");
    let inputs = fixture("vit").join("inputs.safetensors");
    let output = scratch("generate-refused-vit").join("out.safetensors");
    let run = predict(&fixture("vit"), &inputs, &output, &["--generate".as_ref(), "{}".as_ref()]);
    assert!(String::from_utf8_lossy(&run.stderr).contains("cannot generate text"));
    assert!(!output.exists());
}

#[test]
fn unsupported_configurations_are_named() {
    for (key, value, parts) in [
        ("rope_scaling", serde_json::json!({"type": "yarn", "factor": 4.0}), ["rope_scaling", "yarn"]),
        (
            "rope_parameters",
            serde_json::json!({"rope_type": "llama3", "rope_theta": 5e5}),
            ["rope_parameters", "llama3"],
        ),
        ("partial_rotary_factor", serde_json::json!(0.5), ["partial_rotary_factor", "0.5"]),
        ("head_dim", serde_json::json!(7), ["head_dim", "even"]),
        ("num_key_value_heads", serde_json::json!(3), ["num_key_value_heads", "divisor"]),
        ("hidden_act", serde_json::json!("mish"), ["hidden_act", "mish"]),
        ("model_type", serde_json::json!("mamba"), ["model_type", "mamba"]),
    ] {
        let folder = copy(&fixture("llama"), "generate-config");
        edit_json(&folder.join("config.json"), |config| drop(config.insert(key.into(), value)));
        let message = refusal(&["inspect", "--model", folder.to_str().unwrap()]);
        assert!(message.contains("config.json") && parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let shardless = copy(&fixture("llama-old"), "generate-shard");
    std::fs::remove_file(shardless.join("model-00002-of-00003.safetensors")).unwrap();
    let message = refusal(&["inspect", "--model", shardless.to_str().unwrap()]);
    assert!(message.contains("model-00002-of-00003.safetensors"), "{message}");
    let absent = copy(&fixture("llama-old"), "generate-index");
    edit_json(&absent.join("model.safetensors.index.json"), |index| {
        let shard = "model-00001-of-00003.safetensors".into();
        index["weight_map"].as_object_mut().unwrap().insert("model.layers.9.mlp.up_proj.weight".into(), shard);
    });
    let message = refusal(&["inspect", "--model", absent.to_str().unwrap()]);
    assert!(message.contains("model.layers.9.mlp.up_proj.weight"), "{message}");
}

/// Merge an adapter, and compare the logits with the expected logits of the merged model. If `ASYM_EXPORT` is set, the folders
/// are kept there for `tests/python/check_merged.py`.
fn merged(base: &str, adapter: &str) {
    let root = std::env::var_os("ASYM_EXPORT").map_or_else(|| scratch("merged"), PathBuf::from);
    let folder = root.join(format!("merged-{adapter}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&root).unwrap();
    let inputs = fixture(adapter).join("inputs.safetensors");
    let [model, adapter_folder] = [fixture(base), fixture(adapter)];
    let run = asym([
        "merge",
        "--model",
        model.to_str().unwrap(),
        "--adapter",
        adapter_folder.to_str().unwrap(),
        "--output",
        folder.to_str().unwrap(),
    ]);
    assert!(text(&run).contains("merged"));
    let logits = scratch(&format!("merged-{adapter}-logits")).join("logits.safetensors");
    let run = predict(&folder, &inputs, &logits, &[]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let expected = read(&fixture(adapter).join("expected.safetensors"))["merged"].clone();
    let width = *expected.shape.last().unwrap();
    // The outputs of a decoder at padding are not compared.
    let counts = |row: usize| base != "llama" || read(&inputs)["attention_mask"].i64()[row] == 1;
    let rows = |values: Vec<f32>| -> Vec<f32> {
        let kept = values.chunks(width).enumerate().filter(|(row, _)| counts(*row));
        kept.flat_map(|(_, row)| row.to_vec()).collect()
    };
    let largest = difference(&rows(read(&logits)["logits"].f32()), &rows(expected.f32()));
    assert!(largest < 1e-4, "{adapter}: {largest}");
    if std::env::var_os("ASYM_EXPORT").is_some() {
        std::fs::copy(&inputs, folder.join("inputs.safetensors")).unwrap();
        std::fs::copy(&logits, folder.join("logits.safetensors")).unwrap();
    }
    let original = std::fs::read_to_string(fixture(base).join("config.json")).unwrap();
    let own = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let (original, own): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&original).unwrap(), serde_json::from_str(&own).unwrap());
    for key in ["bos_token_id", "eos_token_id", "forced_eos_token_id", "is_encoder_decoder"] {
        assert_eq!(own.get(key), original.get(key), "{adapter}: {key} was not kept");
    }
    let companion = Path::new("generation_config.json");
    assert_eq!(folder.join(companion).exists(), fixture(base).join(companion).exists());
    assert!(
        refusal(&["merge", "--adapter", adapter_folder.to_str().unwrap(), "--output", folder.to_str().unwrap()])
            .contains("already exists")
    );
}

#[test]
fn merged_folders_are_valid_checkpoints() {
    merged("llama", "peft-llama-all");
    merged("bart", "peft-bart-qv");
    merged("vit", "peft-vit-all");
    merged("vit", "peft-vit-old");
    merged("roberta-classifier", "peft-dora");
    merged("bert-classifier", "peft-bert-lora");
}

#[test]
fn merged_files_have_the_requested_dtype() {
    let folder = scratch("merged-f16").join("out");
    let (adapter, output) = (fixture("peft-bart-qv"), folder.to_str().unwrap().to_string());
    let run = asym(["merge", "--adapter", adapter.to_str().unwrap(), "--output", &output, "--dtype", "bf16"]);
    text(&run);
    assert_eq!(Checkpoint::open(&folder).unwrap().file_dtype(), FileDtype::BF16);
}

/// The ViT of the fixtures with an image processor for 32 × 32 pixels.
fn vit(name: &str) -> PathBuf {
    let folder = copy(&fixture("vit"), name);
    std::fs::write(
        folder.join("preprocessor_config.json"),
        r#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}"#,
    )
    .unwrap();
    folder
}

#[test]
fn pictures_are_classified_and_other_files_are_rejected() {
    let folder = vit("classify-images");
    let model = folder.to_str().unwrap();
    let pictures: Vec<PathBuf> = std::fs::read_dir(fixture("images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "png" || end == "jpg"))
        .collect();
    assert!(pictures.len() > 3);
    let options = |pictures: &[PathBuf]| {
        let mut options: Vec<String> = ["classify", "--model", model, "--json"].map(String::from).into();
        for picture in pictures {
            options.extend(["--image".to_string(), picture.display().to_string()]);
        }
        options
    };
    let together = text(&asym(options(&pictures)));
    assert_eq!(together.lines().count(), pictures.len());
    for (picture, line) in pictures.iter().zip(together.lines()) {
        let (line, alone) = (line.to_string(), text(&asym(options(std::slice::from_ref(picture)))));
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&line)["label"], parse(&alone)["label"], "{}", picture.display());
        let probabilities = parse(&line)["probabilities"].as_object().unwrap().clone();
        let sum: f64 = probabilities.values().map(|value| value.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
    let none = folder.join("config.json");
    let message = refusal(&options(std::slice::from_ref(&none)));
    assert!(message.contains("config.json"), "{message}");
    let missing = refusal(&options(&[pictures[0].clone(), folder.join("none.png")]));
    assert!(missing.contains("none.png"), "{missing}");
    let no_processor = fixture("vit");
    let message =
        refusal(&["classify", "--model", no_processor.to_str().unwrap(), "--image", pictures[0].to_str().unwrap()]);
    assert!(message.contains("preprocessor_config.json"), "{message}");
    let texts = refusal(&["classify", "--model", fixture("llama").to_str().unwrap(), "--image", "x.png"]);
    assert!(texts.contains("model_type"), "{texts}");
}
