//! Files from other sources, read by the command: extreme sizes, values that are not finite, and files that are not for asym.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use crate::common::{asym, copy, edit_json, fixture, llama, predict, scratch};

/// The message of a command that must fail with exit code 1 and without a panic.
fn refusal<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> String {
    let run = asym(args);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(!stderr.contains("panicked at"), "{stderr}");
    stderr
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A classifier with a tokenizer.
fn classifier(name: &str) -> PathBuf {
    let folder = copy(&fixture("roberta-classifier"), name);
    std::fs::copy(fixture("tokenizer").join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    edit_json(&folder.join("tokenizer.json"), |tokenizer| {
        // The embedding of the fixture has 60 rows, so the vocabulary must be small.
        let post = tokenizer["post_processor"].clone();
        tokenizer["model"] = serde_json::json!({
            "type": "WordLevel", "unk_token": "<unk>",
            "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "cat": 4},
        });
        tokenizer["added_tokens"] = serde_json::json!([]);
        tokenizer["normalizer"] = serde_json::Value::Null;
        tokenizer["pre_tokenizer"] = serde_json::json!({"type": "Whitespace"});
        tokenizer["decoder"] = serde_json::Value::Null;
        tokenizer["post_processor"] = post;
    });
    folder
}

#[test]
fn huge_label_counts_are_rejected() {
    let config = fixture("roberta-classifier").join("config.json");
    let message = refusal(&["inspect", "--model", text(&config), "--num-labels", "10000000000"]);
    assert!(message.contains("`num_labels`") && message.contains("10000000000"), "{message}");
}

#[test]
fn non_finite_logits_are_rejected() {
    let adapter = copy(&fixture("peft-lora"), "foreign-alpha");
    edit_json(&adapter.join("adapter_config.json"), |config| drop(config.insert("lora_alpha".into(), 1e300.into())));
    let (model, output) = (fixture("roberta-classifier"), scratch("foreign-alpha-output").join("logits.safetensors"));
    let inputs = model.join("inputs.safetensors");
    let run = predict(&model, &inputs, &output, &["--adapter".as_ref(), adapter.as_os_str()]);
    let message = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && message.contains("not finite") && message.contains("alpha"), "{message}");
    assert!(message.contains(text(&inputs)) && !output.exists(), "{message}");

    let model = classifier("foreign-alpha-texts");
    let classify = |adapter: &Path| {
        asym(["classify", "--model", text(&model), "--adapter", text(adapter), "--text", "cat", "--text", "cat cat"])
    };
    assert!(classify(&fixture("peft-lora")).status.success());
    let run = classify(&adapter);
    let message = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && message.contains("not finite") && run.stdout.is_empty(), "{message}");
}

#[test]
fn recipes_of_other_programs_are_ignored() {
    let model = classifier("foreign-recipe");
    let folder = scratch("foreign-recipe-adapter");
    let adapter = folder.join("adapter");
    std::fs::create_dir(&adapter).unwrap();
    for entry in std::fs::read_dir(fixture("peft-lora")).unwrap() {
        let entry = entry.unwrap();
        std::fs::write(adapter.join(entry.file_name()), std::fs::read(entry.path()).unwrap()).unwrap();
    }
    let classify = || asym(["classify", "--model", text(&model), "--adapter", text(&adapter), "--text", "cat"]);
    let expected = classify().stdout;
    for foreign in ["[ingredients]\nflour = 500\n", "flour: 500 g"] {
        std::fs::write(folder.join("recipe.toml"), foreign).unwrap();
        let run = classify();
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(
            run.status.success() && stderr.contains("recipe.toml: ignored, since it is not a recipe of asym"),
            "{stderr}"
        );
        assert_eq!(run.stdout, expected);
    }
    // A recipe of asym must be valid.
    std::fs::write(folder.join("recipe.toml"), "tasks = [\"nothing\"]\n").unwrap();
    let message = refusal(&["classify", "--model", text(&model), "--adapter", text(&adapter), "--text", "cat"]);
    assert!(message.contains("error: ") && message.contains("recipe.toml"), "{message}");
}

#[test]
fn terminal_control_characters_in_files_are_escaped() {
    let data = scratch("foreign-columns").join("data.csv");
    let table = |text_of: &str| {
        std::fs::write(&data, text_of).unwrap();
        refusal(&["table", "--data", text(&data), "--text", "a", "--label", "b"])
    };
    let message = table("x\u{1b}[2J\u{1b}]0;title\u{7},y\n1,2\n");
    assert!(message.contains("x\\u{1b}[2J") && !message.contains(['\u{1b}', '\u{7}']), "{message:?}");
    // A cell of a megabyte is shortened in the message.
    let message = table(&format!("a,b\nword,{}\nword,1\nword,2\n", "x".repeat(1 << 20)));
    assert!(message.len() < 6000, "{} bytes", message.len());
}

/// The post-processor and the added tokens contain ids that are not limited by the vocabulary.
#[test]
fn special_tokens_outside_the_embedding_are_rejected() {
    let model = classifier("foreign-special");
    edit_json(&model.join("tokenizer.json"), |tokenizer| {
        let whole = tokenizer["post_processor"].to_string();
        let special =
            serde_json::json!({"type": "RobertaProcessing", "sep": ["</s>", 4_000_000_000_u32], "cls": ["<s>", 0]});
        assert!(whole.contains("</s>"), "{whole}");
        tokenizer["post_processor"] = special;
    });
    let message = refusal(&["classify", "--model", text(&model), "--text", "cat"]);
    assert!(message.contains("4000000000") && message.contains("tokenizer.json"), "{message}");

    let model = llama("foreign-special-llama");
    let path = model.join("tokenizer_config.json");
    if !path.exists() {
        std::fs::write(&path, "{}").unwrap();
    }
    edit_json(&path, |config| {
        let token = serde_json::json!({"content": "far", "special": true});
        config.insert("added_tokens_decoder".into(), serde_json::json!({"3000000000": token}));
    });
    refusal(&["generate", "--model", text(&model), "--prompt", "far away"]);
}

/// A prompt is encoded only up to the number of tokens that the model can read.
#[test]
fn huge_prompts_are_rejected() {
    let model = llama("foreign-prompt");
    let file = scratch("foreign-prompt-file").join("prompts.txt");
    std::fs::write(&file, "a longer prompt ".repeat(4 << 20)).unwrap();
    let message = refusal(&["generate", "--model", text(&model), "--file", text(&file)]);
    assert!(message.contains("prompt 1 has") && message.contains("--max-length"), "{message}");
}
