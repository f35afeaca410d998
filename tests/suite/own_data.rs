//! A user's own file, from `asym table` to `asym classify`. The model is the embedded RoBERTa.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{refused, run_in as run, scratch};

/// Sentences about one of two animals, with a color and a number.
fn animals() -> Vec<(String, &'static str, bool, f64)> {
    let row = |at: usize| {
        let (animal, large) = ([("cat", "small"), ("horse", "large")][at % 2], at.is_multiple_of(3));
        let color = ["red", "green", "old"][at % 3];
        (format!("the {color} {} saw a man , number {at}", animal.0), animal.1, large, (at % 2) as f64 + 0.25)
    };
    (0..60).map(row).collect()
}

fn table<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["table", "--methods", "lora-r4", "--seeds", "1", "--epochs", "30", "--learning-rate", "5e-3"];
    [&fixed, more].concat()
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn classifiers_trained_on_a_csv_file_name_their_labels() {
    let folder = scratch("own-classes");
    let rows: String = animals().iter().map(|(text, label, ..)| format!("\"{text}\",{label}\n")).collect();
    std::fs::write(folder.join("animals.csv"), format!("text,size\n{rows}")).unwrap();
    let command = table(&["--data", "animals.csv", "--text", "text", "--label", "size"]);
    let (out, err) = run(&folder, &command);
    for part in [
        "60 rows; 48 to train on and 12 to evaluate on",
        "large: 24 (50.0 %), small: 24 (50.0 %)",
        "the most frequent answer, large, is correct for 50.0 %",
        "none is cut",
        "the first example as tokens",
        "parameters are trained",
        "scale α/r = 8/4 = 2",
    ] {
        assert!(err.contains(part), "`{part}` in: {err}");
    }
    assert!(out.contains("accuracy %") && out.contains("macro_f1 %") && out.contains("majority %"), "{out}");

    let adapter = folder.join("runs/classification-1/lora-r4-seed1/adapter");
    let texts =
        ["--text", "the red cat saw a man , number 30", "--text", "the green horse saw a man , number 31", "--json"];
    let classify =
        |adapter: &Path| run(&folder, &[&["classify", "--adapter", adapter.to_str().unwrap()], &texts[..]].concat()).0;
    let found = classify(&adapter);
    let labels: Vec<Value> = found.lines().map(|line| object(line)["label"].clone()).collect();
    assert_eq!(labels, ["small", "large"], "{found}");
    let names: Vec<String> =
        object(found.lines().next().unwrap())["probabilities"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["large", "small"]);
    // The adapter keeps its labels when it is moved.
    let moved: PathBuf = folder.join("elsewhere");
    std::fs::rename(&adapter, &moved).unwrap();
    assert_eq!(classify(&moved), found);

    // The merged model has the labels too.
    run(&folder, &["merge", "--adapter", moved.to_str().unwrap(), "--output", "merged"]);
    let config = object(&std::fs::read_to_string(folder.join("merged/config.json")).unwrap());
    assert_eq!(config["id2label"], serde_json::json!({"0": "large", "1": "small"}));
    assert_eq!(config["problem_type"], "single_label_classification");
    // Without this setting, the tokenizer of transformers does not add a space before the first word, as `tokenizer.json` does.
    let settings = object(&std::fs::read_to_string(folder.join("merged/tokenizer_config.json")).unwrap());
    assert_eq!(settings["add_prefix_space"], true);

    // The recipe of the run reproduces it, and a pair is refused, because the task has single texts.
    let recipe = folder.join("runs/classification-1/lora-r4-seed1/recipe.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    assert!(text.contains("labels = [\"large\", \"small\"]") && text.contains("single_label_classification"), "{text}");
    run(&folder, &["run", recipe.to_str().unwrap(), "--output", "again"]);
    let log = |path: &str| {
        let text = std::fs::read_to_string(folder.join(path).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| object(line)["loss"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(log("again/classification/recipe-seed1"), log("runs/classification-1/lora-r4-seed1"));
    let err = refused(&folder, &["classify", "--adapter", moved.to_str().unwrap(), "--text", "a", "--pair", "b"]);
    assert!(err.contains("single texts"), "{err}");
}

#[test]
fn multiple_labels_and_scores_are_predicted() {
    let folder = scratch("own-others");
    let labels = |(text, size, red, _): &(String, &str, bool, f64)| {
        let labels: Vec<&str> =
            [(*size == "large", "large"), (*red, "red")].iter().filter(|one| one.0).map(|one| one.1).collect();
        serde_json::json!({"text": text, "tags": labels}).to_string()
    };
    let lines: Vec<String> = animals().iter().map(labels).collect();
    std::fs::write(folder.join("tags.jsonl"), lines.join("\n")).unwrap();
    let (out, _) =
        run(&folder, &table(&["--data", "tags.jsonl", "--text", "text", "--label", "tags", "--output", "tags"]));
    assert!(out.contains("micro_f1 %") && out.contains("macro_f1 %"), "{out}");
    let adapter = folder.join("tags/lora-r4-seed1/adapter");
    let texts =
        ["--text", "the red cat saw a man , number 30", "--text", "the green horse saw a man , number 31", "--json"];
    let (found, _) = run(&folder, &[&["classify", "--adapter", adapter.to_str().unwrap()], &texts[..]].concat());
    let found: Vec<Value> = found.lines().map(object).collect();
    assert_eq!(found[0]["labels"], serde_json::json!(["red"]), "{found:?}");
    assert_eq!(found[1]["labels"], serde_json::json!(["large"]), "{found:?}");
    // Each label has its own sigmoid, so the probabilities do not add up to 1.
    let sum: f64 = found[0]["probabilities"].as_object().unwrap().values().map(|one| one.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() > 1e-3, "{found:?}");

    let rows: String = animals().iter().map(|(text, _, _, score)| format!("{text}\t{score}\n")).collect();
    std::fs::write(folder.join("scores.tsv"), rows).unwrap();
    let numbered = ["--data", "scores.tsv", "--text", "1", "--label", "2", "task.header=false", "--output", "scores"];
    let (out, err) = run(&folder, &table(&numbered));
    assert!(out.contains("pearson %") && err.contains("scores in training: 0.25 to 1.25"), "{out}{err}");
    let adapter = folder.join("scores/lora-r4-seed1/adapter");
    let (found, _) = run(&folder, &[&["classify", "--adapter", adapter.to_str().unwrap()], &texts[..]].concat());
    let scores: Vec<f64> = found.lines().map(|line| object(line)["score"].as_f64().unwrap()).collect();
    assert!(scores[0] < 0.6 && scores[1] > 0.9, "{scores:?}");
}

#[test]
fn tables_resume_only_with_unchanged_settings() {
    let folder = scratch("own-resume");
    let rows: String = animals().iter().map(|(text, label, ..)| format!("\"{text}\",{label}\n")).collect();
    std::fs::write(folder.join("animals.csv"), format!("text,size\n{rows}")).unwrap();
    let own = ["--data", "animals.csv", "--text", "text", "--label", "size", "--output", "out"];
    run(&folder, &table(&own));
    let err = refused(&folder, &table(&own));
    assert!(err.contains("already exists") && err.contains("--resume"), "{err}");
    let results = || std::fs::read_to_string(folder.join("out/lora-r4-seed1/results.json")).unwrap();
    let before = results();
    run(&folder, &table(&[&own[..], &["--resume"]].concat()));
    assert_eq!(results(), before, "a finished run was trained again");
    let err = refused(&folder, &table(&[&own[..], &["--resume", "--batch-size", "4"]].concat()));
    assert!(err.contains("training.batch_size was 16 and is 4"), "{err}");
    let err = refused(&folder, &table(&[&own[..], &["--resume", "task.max_length=20"]].concat()));
    assert!(err.contains("task.max_length was not set and is 20"), "{err}");
    // Another row of the table, with other settings, is refused too.
    let other = ["table", "--methods", "head", "--seeds", "1", "--epochs", "3"];
    let err = refused(&folder, &[&other[..], &own[..], &["--resume"]].concat());
    assert!(err.contains("training.epochs was 30 and is 3"), "{err}");
    assert!(!folder.join("out/head-seed1").exists());
    // A changed file of data is refused.
    std::fs::write(folder.join("animals.csv"), format!("text,size\n{rows}the cat,huge\n")).unwrap();
    let err = refused(&folder, &table(&[&own[..], &["--resume"]].concat()));
    assert!(err.contains("task.labels was"), "{err}");
}

#[test]
fn unsuitable_columns_are_rejected_before_training() {
    let folder = scratch("own-refused");
    std::fs::write(folder.join("a.csv"), "text,label\na,x\nb,x\n").unwrap();
    for (args, part) in [
        (&["--data", "a.csv", "--text", "text", "--label", "label"][..], "there is nothing to learn"),
        (&["--data", "a.csv", "--text", "body", "--label", "label"], "no column `body` (found: text, label)"),
        (&["--data", "a.csv", "--text", "text"], "--label"),
        (&["--data", "a.csv"], "--task"),
        (&["--text", "text", "--label", "label"], "--data"),
        (&["--data", "a.csv", "--text", "text", "--label", "label", "task.txt=5"], "did you mean `text`?"),
        (&["--task", "mrpc", "task.text=a"], "such a setting belongs to tasks of the kind classification"),
        (&["--data", "a.csv", "--text", "text", "--label", "label", "save_every=0"], "`save_every` is 0"),
    ] {
        let err = refused(&folder, &table(args));
        assert!(err.contains(part), "{args:?}: `{part}` in: {err}");
        assert!(!folder.join("runs").exists(), "{args:?} left a folder");
    }
}
