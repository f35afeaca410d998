//! Instruction tuning with the command: the preview of examples, the run, and the use of its adapter.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;

use asym::models::{FileDtype, LlamaConfig, LlamaLanguageModel, PretrainedModel, save};
use burn::tensor::Device;
use serde_json::{Value, json};

use crate::common::{fixture, scratch};

/// A folder with a small Llama with random weights in `model`, and with examples in `rows.json`.
fn case(name: &str) -> PathBuf {
    let folder = scratch(name);
    let model = folder.join("model");
    let mut config = LlamaConfig::new(500, 24, 2, 4);
    (config.intermediate_size, config.max_position_embeddings, config.initializer_range) = (40, 300, 0.3);
    config.pad_token_id = Some(2);
    save(&LlamaLanguageModel::init(&config, 3, &Device::default()).unwrap(), &model, FileDtype::F32).unwrap();
    std::fs::copy(fixture("chat").join("tokenizer.json"), model.join("tokenizer.json")).unwrap();
    let tokens = json!({"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"});
    std::fs::write(model.join("tokenizer_config.json"), tokens.to_string()).unwrap();
    let words = ["bane", "tiro", "lusa", "men", "dor"];
    let row = |at: usize| {
        let word = words[at % 5];
        json!({"instruction": format!("Say {word}."), "input": "", "output": format!("{word} {word}")})
    };
    std::fs::write(folder.join("rows.json"), Value::from((0..40).map(row).collect::<Vec<_>>()).to_string()).unwrap();
    folder
}

fn run(folder: &std::path::Path, args: &[&str]) -> (bool, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_asym"))
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.success(), out, err)
}

#[test]
fn trained_adapters_of_a_table_generate_text() {
    let folder = case("instruction-table");
    let plain = "task.template={{ instruction }}\n";
    let (good, table, said) = run(
        &folder,
        &[
            "table",
            "--task",
            "instruction",
            "--model",
            "model",
            "--data",
            "rows.json",
            "--methods",
            "lora-r4,b-only-r4,full",
            "--seeds",
            "1,2",
            "--epochs",
            "3",
            "--learning-rate",
            "3e-2",
            "--full-learning-rate",
            "1e-2",
            "--compare",
            "lora-r4",
            "--output",
            "runs",
            plain,
        ],
    );
    println!("{said}\n{table}");
    assert!(good, "{said}");
    for part in [
        "40 rows; 38 to train on and 2 to evaluate on, 5 % drawn with seed 0",
        "columns instruction, output, input; template {{ instruction }}",
        "the loss is computed on the tokens of the answers",
        "each text ends with <|im_end|>, unless it is cut",
        "none is cut",
        "LoRA r=4 seed 1: loss ",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
    // A loss is not a percentage, and a lower loss is better.
    assert!(table.contains(" loss | ") && table.contains(" perplexity |") && !table.contains("loss %"), "{table}");
    assert!(table.contains("Against LoRA r=4, seed by seed, less is better,"), "{table}");

    let results: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("runs/lora-r4-seed1/results.json")).unwrap())
            .unwrap();
    let losses: Vec<f64> =
        results["epochs"].as_array().unwrap().iter().map(|epoch| epoch["dev"]["loss"].as_f64().unwrap()).collect();
    assert!(losses.len() == 3 && losses[2] < losses[0], "{losses:?}");
    let perplexity = results["scores"]["perplexity"].as_f64().unwrap();
    assert!((perplexity - losses[2].exp()).abs() < 1e-9);

    // The recipe of a run contains the settings that were left out, and it reproduces the run.
    let left = std::fs::read_to_string(folder.join("runs/lora-r4-seed1/recipe.toml")).unwrap();
    for part in ["input = \"input\"", "eos = true", "loss = \"answer\"", "unlabeled = \"refuse\"", "dev_share = 0.05"] {
        assert!(left.contains(part), "{part}: {left}");
    }
    let (good, _, said) = run(&folder, &["run", "runs/lora-r4-seed1/recipe.toml", "--output", "again"]);
    assert!(good, "{said}");
    let logged = |path: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join(path).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].clone()).collect()
    };
    assert_eq!(logged("runs/lora-r4-seed1"), logged("again/instruction/recipe-seed1"));

    // The adapter is a PEFT adapter for causal language models, and a fully trained model is saved with its tokenizer.
    let config = std::fs::read_to_string(folder.join("runs/b-only-r4-seed1/adapter/adapter_config.json")).unwrap();
    assert!(config.contains("\"CAUSAL_LM\""), "{config}");
    let prompt = ["--prompt", "Say men.\n", "--max-new-tokens", "4"];
    for source in [["--adapter", "runs/b-only-r4-seed1/adapter"], ["--model", "runs/full-seed1/model"]] {
        let (good, text, said) = run(&folder, &[&["generate"], &source[..], &prompt[..]].concat());
        assert!(good && !text.trim().is_empty(), "{source:?}: {said}");
    }
}

#[test]
fn previews_show_examples_before_training() {
    let folder = case("instruction-preview");
    let preview = |more: &[&str]| {
        let args = ["data", "--task", "alpaca", "--model", "model", "--data", "rows.json", "--preview"];
        run(&folder, &[&args[..], more].concat())
    };
    let (good, text, said) = preview(&["-", "--examples", "2", "task.max_length=200"]);
    println!("{text}");
    assert!(good, "{said}");
    assert_eq!(text.matches("batch 1, line ").count(), 2, "{text}");
    let labeled: Vec<&str> = text.lines().filter(|line| line.starts_with("> ")).collect();
    assert!(labeled.len() == 2 && labeled.iter().all(|line| line.ends_with(" <|im_end|>")), "{text}");
    assert!(said.contains("template stanford"), "{said}");

    // The file contains all tokens of the batches, in the order of training.
    let (good, _, said) =
        preview(&["batches.jsonl", "--seed", "3", "--examples", "9", "batch_size=4", "task.loss=all"]);
    assert!(good, "{said}");
    let lines = std::fs::read_to_string(folder.join("batches.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let batches: Vec<u64> = lines.iter().map(|line| line["batch"].as_u64().unwrap()).collect();
    assert_eq!(batches, [0, 0, 0, 0, 1, 1, 1, 1, 2]);
    for line in &lines {
        let count = |key: &str| line[key].as_array().unwrap().len();
        assert!(count("input_ids") == count("labeled") && count("tokens") == count("labeled"));
        assert_eq!((line["labeled"][0].as_u64(), line["labeled"][1].as_u64()), (Some(0), Some(1)));
    }
    let (good, _, said) = preview(&["batches.jsonl"]);
    assert!(!good && said.contains("already exists"), "{said}");
    // A model of another family is refused before its weights are read.
    let bert = fixture("bert-classifier");
    let other =
        ["data", "--task", "alpaca", "--model", bert.to_str().unwrap(), "--data", "rows.json", "--preview", "-"];
    let (good, _, said) = run(&folder, &other);
    assert!(!good && said.contains("alpaca trains Llama"), "{said}");
}

/// Without a model and data, the embedded Llama is trained on examples about an invented world and evaluated on questions about
/// it.
#[test]
fn tables_about_the_invented_world_need_no_file() {
    let folder = scratch("instruction-invented");
    let table = ["table", "--task", "alpaca", "--methods", "b-only-r4", "--seeds", "1", "--epochs", "1"];
    let (good, out, said) = run(&folder, &table);
    assert!(good, "{said}");
    for part in ["3000 rows", "model: llama-mini (embedded)", "MMLU: 240 questions of 5 subjects"] {
        assert!(said.contains(part), "`{part}` in: {said}");
    }
    for column in ["mmlu all %", "mmlu choice %", "mmlu letters %", "loss", "perplexity"] {
        assert!(out.contains(column), "{out}");
    }
    let runs = folder.join("runs/alpaca-1/b-only-r4-seed1");
    let results: Value = serde_json::from_str(&std::fs::read_to_string(runs.join("results.json")).unwrap()).unwrap();
    // The command evaluates the adapter of the run on the same questions.
    let adapter = runs.join("adapter");
    let again = ["evaluate", "mmlu", "--adapter", adapter.to_str().unwrap(), "--output", "answers"];
    let (good, _, said) = run(&folder, &again);
    assert!(good, "{said}");
    // A relative path of the same adapter continues the same evaluation.
    let relative = ["evaluate", "mmlu", "--adapter", "runs/alpaca-1/b-only-r4-seed1/adapter", "--output", "answers"];
    let (good, _, said) = run(&folder, &relative);
    assert!(good, "{said}");
    let again = std::fs::read_to_string(folder.join("answers/results.json")).unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    let accuracy = |protocol: &str| {
        let found = again.as_array().unwrap().iter().find(|scores| scores["protocol"] == protocol).unwrap();
        found["micro"]["accuracy"].as_f64().unwrap()
    };
    for (score, protocol) in [("mmlu all", "generated"), ("mmlu choice", "choice")] {
        let trained = results["scores"][score].as_f64().unwrap();
        assert!((trained - accuracy(protocol)).abs() < 1e-12, "{score}: {trained} and {}", accuracy(protocol));
    }
}
