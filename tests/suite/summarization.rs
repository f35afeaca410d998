//! Summarization: losses and summaries are compared with PyTorch, and the commands are tested from a table to the summary of a
//! file.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asym::models::generation::GenerationConfig;
use asym::models::{
    BartConfig, BartInput, BartLanguageModel, Checkpoint, FileDtype, PretrainedModel, generate_batch, load_adapter,
    save,
};
use asym::tasks::sequences::{Pair, PairLoss, Pairs};
use asym::train::{Loader, Order, Run, State, TrainSettings, Tuning, fit};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::{Value, json};

use crate::common::{Tensors, difference, fixture, folder_from, read, refused, run_in as run, scratch};

/// A folder of `tests/fixtures/make_summarization.py`: a model without dropout, and the settings of its training.
struct Case {
    folder: PathBuf,
    base: Checkpoint,
    learning_rate: f64,
    /// The number of tokens of a summary.
    length: usize,
}

impl Case {
    /// The fixture.
    fn small() -> Self {
        Self { folder: fixture("summarization"), base: plain(&fixture("bart")), learning_rate: 1e-2, length: 12 }
    }

    /// The folder of `--base-shaped`, if there is one.
    fn base_shaped() -> Option<Self> {
        let what = "a model of BART-base's shape on XSum";
        let folder = folder_from("ASYM_SUMMARIZATION", what)?;
        Some(Self { base: plain(&folder.join("base")), folder, learning_rate: 1e-3, length: 48 })
    }
}

/// The checkpoint in a folder, without dropout.
fn plain(folder: &Path) -> Checkpoint {
    let mut config: serde_json::Map<String, Value> =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    config.insert("dropout".into(), 0.0.into());
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    Checkpoint::from_bytes("bart", &serde_json::to_string(&config).unwrap(), weights).unwrap()
}

/// The rows of a fixture, without padding.
fn rows(file: &Tensors, name: &str) -> Vec<Vec<u32>> {
    let (ids, lengths) = (file[&format!("{name}s")].i64(), file[&format!("{name}_lengths")].i64());
    let width = file[&format!("{name}s")].shape[1];
    let row = |(at, length): (usize, &i64)| ids[at * width..][..*length as usize].iter().map(|id| *id as u32).collect();
    lengths.iter().enumerate().map(row).collect()
}

/// 30 steps of LoRA on q, k and v, with and without label smoothing.
fn losses(Case { folder, base, learning_rate, .. }: &Case) {
    let (data, expected) = (read(&folder.join("data.safetensors")), read(&folder.join("expected.safetensors")));
    let device = Device::default().autodiff();
    for (smoothing, key) in [(0.0, "losses"), (0.1, "smoothed_losses")] {
        let model: BartLanguageModel = base.load(None, 0, &device).unwrap().model;
        let naming = model.naming();
        let (model, config) = load_adapter(model, folder.join("initial")).unwrap();
        let settings = TrainSettings {
            epochs: 5,
            batch_size: 4,
            learning_rate: *learning_rate,
            warmup_ratio: 0.1,
            weight_decay: 0.0,
            ..TrainSettings::default()
        };
        let pairs = rows(&data, "source").into_iter().zip(rows(&data, "target"));
        let pairs: Vec<Pair> = pairs.map(|(source, target)| Pair { source, target, line: 1 }).collect();
        let train = Arc::new(Pairs::new(pairs, base.config_of::<BartConfig>().unwrap()));
        let train = Loader::new(train, 4, Order::Sequential, &device).unwrap();
        let mut state = State::new(model, Tuning::Adapter(config), &naming, &settings, 30).unwrap();
        let outcome = fit(&mut state, &PairLoss { smoothing }, &train, &(), Run::new("summarization")).unwrap();
        let found: Vec<f32> = outcome.losses.iter().map(|loss| *loss as f32).collect();
        let largest = difference(&found, &expected[key].f32());
        println!("{}: {key} differ by {largest:.1e}", folder.display());
        assert!(largest < 1e-3, "{key}: {found:?}");
        assert!(found[29] < found[0] - 0.5, "{found:?}");
    }
}

/// Summaries with eight beams, from the adapter that the fixture's script trained without label smoothing.
fn summaries(Case { folder, base, length, .. }: &Case, generation: &Path) {
    let (data, expected) = (read(&folder.join("data.safetensors")), read(&folder.join("expected.safetensors")));
    let device = Device::default();
    let model: BartLanguageModel = base.load(None, 0, &device).unwrap().model;
    let model = load_adapter(model, folder.join("final")).unwrap().0.valid();
    let (sources, width) = (rows(&data, "source"), data["sources"].shape[1]);
    let tensor =
        |values: Vec<i64>| Tensor::<2, Int>::from_data(TensorData::new(values, [sources.len(), width]), &device);
    let mask = sources.iter().flat_map(|row| (0..width).map(|at| i64::from(at < row.len()))).collect();
    let input = BartInput {
        input_ids: tensor(data["sources"].i64()),
        attention_mask: Some(tensor(mask)),
        decoder_input_ids: None,
        decoder_attention_mask: None,
    };
    let own = Checkpoint::open(generation).unwrap().generation_config().unwrap();
    let asked = format!("{{\"num_beams\": 8, \"max_length\": {length}, \"do_sample\": false}}");
    let config = own.overlaid_with(&GenerationConfig::strict(&asked).unwrap());
    let found = generate_batch(&model, &input, &config, 0, |_, _| {}).unwrap();
    let expected = expected["summaries"].i64();
    let mut different = std::collections::HashSet::new();
    for (row, expected) in found.rows.iter().zip(expected.chunks(*length)) {
        let mut tokens = vec![2];
        tokens.extend(row.continuation().iter().map(|token| i64::from(*token)));
        tokens.resize(*length, 1);
        assert_eq!(tokens, expected);
        different.insert(tokens);
    }
    println!("{}: {} summaries, {} of them different", folder.display(), found.rows.len(), different.len());
    assert!(different.len() > 3, "the summaries do not depend on the documents");
}

#[test]
fn losses_match_pytorch() {
    losses(&Case::small());
}

#[test]
fn summaries_match_transformers() {
    summaries(&Case::small(), &fixture("bart"));
}

#[test]
fn losses_of_a_base_sized_bart_on_xsum_match_pytorch() {
    let Some(case) = Case::base_shaped() else { return };
    // The summaries are not compared, because beams of a random model of this size have equal scores in f32.
    losses(&case);
}

const WORDS: [&str; 20] = [
    "<s>", "<pad>", "</s>", "<unk>", ".", "the", "cat", "dog", "cow", "bird", "sat", "ran", "slept", "red", "old",
    "big", "on", "Monday", "Tuesday", "Friday",
];

/// A small BART with random weights, and a word-level tokenizer that adds BART's special tokens.
fn model(name: &str) -> PathBuf {
    let folder = scratch(name);
    let mut config = BartConfig::new(WORDS.len(), 32, 1);
    (config.max_position_embeddings, config.init_std, config.dropout) = (40, 0.1, 0.0);
    save(&BartLanguageModel::init(&config, 3, &Device::default()).unwrap(), &folder, FileDtype::F32).unwrap();
    let vocabulary: serde_json::Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), json!(id))).collect();
    let special = |id: usize| {
        json!({ "id": id, "content": WORDS[id], "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true })
    };
    let token = |id: usize| json!({ "SpecialToken": { "id": WORDS[id], "type_id": 0 } });
    let text = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    let known = |id: usize| json!({ "id": WORDS[id], "ids": [id], "tokens": [WORDS[id]] });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token(0), text("A"), token(2)],
            "pair": [token(0), text("A"), token(2), token(2), text("B"), token(2)],
            "special_tokens": { "<s>": known(0), "</s>": known(2) },
        },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    folder
}

/// Documents with two sentences. The summary is the second sentence without its adjective.
fn documents(count: usize) -> Vec<(String, String)> {
    let word = |from: usize, of: usize, at: usize| WORDS[from + at % of];
    let each = |at: usize| {
        let (first, second) = (at * 7 + at / 3, at * 5 + at / 4);
        let (animal, verb) = (word(6, 4, second), word(10, 3, second / 2));
        let document = format!(
            "the {} {} {} on {} . the {} {animal} {verb} .",
            word(13, 3, at),
            word(6, 4, first),
            word(10, 3, first / 2),
            word(17, 3, at / 2),
            word(13, 3, at / 5)
        );
        (document, format!("the {animal} {verb} ."))
    };
    (0..count).map(each).collect()
}

fn json_lines(rows: &[(String, String)]) -> String {
    rows.iter()
        .map(|(text, summary)| json!({ "id": 7, "report": text, "abstract": summary }).to_string() + "\n")
        .collect()
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn results(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn trained_adapters_summarize_files() {
    let folder = model("summarization-table");
    let rows = documents(80);
    std::fs::write(folder.join("train.jsonl"), json_lines(&rows[..64])).unwrap();
    // An example with an empty summary is left out, with a message.
    let empty = "{\"id\": 7, \"report\": \"the cat sat .\", \"abstract\": \" \"}\n";
    std::fs::write(folder.join("validation.jsonl"), json_lines(&rows[64..]) + empty).unwrap();
    let columns = ["task.text=report", "task.summary=abstract", "task.max_target_length=6", "task.num_beams=2"];
    let table = [
        &["table", "--task", "summarization", "--model", folder.to_str().unwrap(), "--data", "."][..],
        &["--methods", "full,lora-r4", "--full-learning-rate", "1e-2", "--learning-rate", "2e-2", "--seeds", "1"],
        &["--epochs", "12", "--output", "runs", "training.gradient_accumulation=1", "task.label_smoothing=0.05"],
        &columns,
    ]
    .concat();
    let (out, err) = run(&folder, &table);
    for part in [
        "64 documents to train on",
        "16 to evaluate on",
        "because the document or the summary is empty: 1, the first in line 17",
        "16 documents are summarized: 2 beams, at most 6 tokens",
        "the first example as tokens",
    ] {
        assert!(err.contains(part), "`{part}` in: {err}");
    }
    assert!(out.contains("rouge1 %") && out.contains("rougeLsum cut %"), "{out}");
    let full = folder.join("runs/full-seed1");
    let scores = results(&full.join("results.json"))["scores"].clone();
    let rouge2 = scores["rouge2"].as_f64().unwrap();
    println!("{out}\n{scores}");
    // The summaries of the run are saved, and they have the scores of the run.
    let summaries = lines(&full.join("evaluation-12/summaries.jsonl"));
    assert_eq!(summaries.len(), 16);
    let adapter = lines(&folder.join("runs/lora-r4-seed1/evaluation-12/summaries.jsonl"));
    assert!(adapter.len() == 16 && adapter != summaries);
    let (rouge, _) = run(
        &folder,
        &[
            "evaluate",
            "rouge",
            "--predictions",
            "runs/full-seed1/evaluation-12/summaries.jsonl",
            "--references",
            "runs/full-seed1/evaluation-12/summaries.jsonl",
            "--json",
            "--rows",
            "rows.jsonl",
        ],
    );
    let rouge: Value = serde_json::from_str(&rouge).unwrap();
    let close =
        |found: &Value, expected: f64| assert!((found.as_f64().unwrap() - expected).abs() < 1e-9, "{found} {expected}");
    close(&rouge["scores"]["rouge2"]["f1"]["mean"], rouge2);
    let each = lines(&folder.join("rows.jsonl"));
    let mean = each.iter().map(|row| row["rouge2"]["f1"].as_f64().unwrap()).sum::<f64>() / 16.0;
    close(&rouge["scores"]["rouge2"]["f1"]["mean"], mean);

    // The evaluation command computes the scores of the run with the settings of its recipe.
    let evaluate = |model: &[&str], output: &str, more: &[&str]| {
        let fixed = ["evaluate", "summarization", "--data", ".", "--output", output];
        run(&folder, &[&fixed[..], model, more].concat())
    };
    let own = ["--model", "runs/full-seed1/model"];
    let (whole, err) = evaluate(&own, "answers", &[]);
    assert!(err.contains("16 documents") && whole.contains("Against references cut at 6 tokens"), "{whole}{err}");
    let json = results(&folder.join("answers/results.json"));
    close(&json["whole references"]["scores"]["rouge2"]["f1"]["mean"], rouge2);
    close(&json["cut references"]["scores"]["rougeLsum"]["f1"]["mean"], scores["rougeLsum cut"].as_f64().unwrap());
    // If summaries are missing or a line is incomplete, the same command generates these summaries again.
    let file = folder.join("answers/summaries.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: String = text.lines().take(5).map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, format!("{kept}{{\"row\":")).unwrap();
    assert_eq!(evaluate(&own, "answers", &["--batch-size", "3"]).0, whole);
    assert!(std::fs::read_to_string(&file).unwrap().starts_with(&kept));
    let sorted = |path: &Path| {
        let mut lines = lines(path);
        lines.sort_by_key(|line| line["row"].as_u64());
        lines
    };
    let mut before: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    before.sort_by_key(|line| line["row"].as_u64());
    assert_eq!(sorted(&file), before);
    let error = refused(
        &folder,
        &[
            "evaluate",
            "summarization",
            "--data",
            ".",
            "--output",
            "answers",
            "--model",
            "runs/full-seed1/model",
            "task.num_beams=3",
        ],
    );
    assert!(
        error.contains("evaluation.json") && error.contains("num_beams is 2, but this evaluation needs 3"),
        "{error}"
    );
    let adapter = ["--adapter", "runs/lora-r4-seed1/adapter"];
    evaluate(&adapter, "tuned", &["task.eval_examples=4", "--merge"]);
    assert_eq!(lines(&folder.join("tuned/summaries.jsonl")).len(), 4);

    // A file that is longer than the model can read.
    std::fs::write(folder.join("short.txt"), format!("\u{feff}{}\n", rows[70].0)).unwrap();
    std::fs::write(folder.join("long.txt"), "the old cat sat . ".repeat(20_000)).unwrap();
    let summarize = ["summarize", "--model", "runs/full-seed1/model", "--file", "short.txt", "--file", "long.txt"];
    let (out, err) = run(&folder, &summarize);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(err.contains("long.txt: ") && err.contains("to 40 tokens"), "{err}");
    assert!(!err.contains("short.txt: "), "{err}");
    let of_run = summaries.iter().find(|line| line["row"] == 6).unwrap();
    assert_eq!(out.lines().next().unwrap(), of_run["prediction"].as_str().unwrap());
    let (out, _) = run(&folder, &[&summarize[..], &["--json", "--max-length", "9", "--num-beams", "1"]].concat());
    let first: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((&first["file"], &first["read"], &first["cut"]), (&json!("short.txt"), &json!(9), &json!(5)));
}

#[test]
fn bad_input_is_refused() {
    let folder = model("summarization-refuses");
    let rows = documents(10);
    std::fs::write(folder.join("data.jsonl"), json_lines(&rows)).unwrap();
    std::fs::write(folder.join("none.jsonl"), "{\"report\": \"a\", \"abstract\": \"\"}\n").unwrap();
    let table = |more: &[&'static str]| {
        let fixed = ["table", "--methods", "lora-r2", "--seeds", "1", "--task"];
        refused(&folder, &[&fixed[..], more].concat())
    };
    let own = ["summarization", "--model", ".", "--data", "data.jsonl", "task.text=report", "task.summary=abstract"];
    for (more, expected) in [
        (&["xsum", "--model", "."][..], "needs `data`"),
        (&["summarization", "--model", ".", "task.text=report"], "needs `data`"),
        (&["summarization", "--model", ".", "--data", "data.jsonl"], "needs `text`"),
        (&["xsum", "--model", ".", "--data", "data.jsonl"], "no column `document`"),
        (&[&own[..6], &["task.summary=summary"]].concat(), "no column `summary`"),
        (&[&own[..], &["task.max_source_length=41"]].concat(), "41"),
        (&[&own[..], &["task.max_target_length=2"]].concat(), "give at least 3"),
        (&[&own[..], &["task.label_smoothing=1"]].concat(), "`label_smoothing` is 1"),
        (&[&own[..], &["task.num_beams=0"]].concat(), "`num_beams` is 0"),
        (&[&own[..], &["task.beams=3"]].concat(), "num_beams"),
        (
            &[&own[..3], &["--data", "none.jsonl"], &own[5..]].concat(),
            "none.jsonl: 0 rows with a document and a summary",
        ),
    ] {
        let error = table(more);
        assert!(error.contains(expected), "{expected} in {error}");
    }
    // The tokenizer does not add the end-of-text token.
    let text = std::fs::read_to_string(folder.join("tokenizer.json")).unwrap();
    crate::common::edit_json(&folder.join("tokenizer.json"), |tokenizer| {
        for form in ["single", "pair"] {
            tokenizer["post_processor"][form].as_array_mut().unwrap().pop();
        }
    });
    let error = table(&own);
    assert!(error.contains("does not end texts with the token 2"), "{error}");
    std::fs::write(folder.join("tokenizer.json"), text).unwrap();

    let evaluate = |more: &[&str]| refused(&folder, &[&["evaluate", "summarization"], more].concat());
    let llama = fixture("llama").display().to_string();
    let columns = ["task.text=report", "task.summary=abstract"];
    let error = evaluate(&[&["--model", &llama, "--data", "data.jsonl", "--output", "a"][..], &columns].concat());
    assert!(error.contains("cannot summarize texts; use a BART model"), "{error}");
    let error = evaluate(&["--model", ".", "--data", "data.jsonl", "--output", "a", "--task", "rte"]);
    assert!(error.contains("the task rte is not a summarization task"), "{error}");
    let error =
        evaluate(&[&["--model", ".", "--data", ".", "--split", "test", "--output", "a"][..], &columns].concat());
    assert!(error.contains("no set test"), "{error}");

    std::fs::write(folder.join("empty.txt"), " \n").unwrap();
    std::fs::write(folder.join("text.txt"), "the cat sat .\n").unwrap();
    for (more, expected) in [
        (&["--model", ".", "--file", "empty.txt"][..], "empty.txt: no text"),
        (&["--model", ".", "--file", "absent.txt"], "absent.txt"),
        (&["--model", &llama, "--file", "text.txt"], "cannot summarize texts; use a BART model"),
        (&["--model", ".", "--file", "text.txt", "--max-length", "41"], "the model has only 40 positions"),
        (&["--model", ".", "--file", "text.txt", "--num-beams", "0"], "num_beams"),
    ] {
        let error = refused(&folder, &[&["summarize"], more].concat());
        assert!(error.contains(expected), "{expected} in {error}");
    }

    std::fs::write(folder.join("a.txt"), "one\n\nthree\n").unwrap();
    std::fs::write(folder.join("b.txt"), "one\ntwo\n").unwrap();
    let rouge = |more: &[&str]| refused(&folder, &[&["evaluate", "rouge"], more].concat());
    let error = rouge(&["--predictions", "a.txt", "--references", "b.txt"]);
    assert!(error.contains("a.txt: 3 summaries, but b.txt: 2 references"), "{error}");
    let error = rouge(&["--predictions", "a.txt", "--references", "data.jsonl"]);
    assert!(error.contains("no column `reference`") && error.contains("abstract"), "{error}");
    let error = rouge(&["--predictions", "a.txt", "--references", "a.txt"]);
    assert!(error.contains("a.txt:2: the reference is empty"), "{error}");
    std::fs::write(folder.join("c.csv"), "text,abstract\nx,one\ny,two\nz,four\n").unwrap();
    let (out, err) = run(
        &folder,
        &["evaluate", "rouge", "--predictions", "a.txt", "--references", "c.csv", "--reference-column", "abstract"],
    );
    assert!(err.contains("a.txt: empty summaries, which score 0: 1 of 3, in line 2"), "{err}");
    assert!(out.contains("| rouge1    | 33.33 |"), "{out}");
}

/// Without a model and data, the embedded BART is trained on the generated reports, and its summaries are evaluated.
#[test]
fn summarization_with_the_embedded_model_needs_no_file() {
    let folder = scratch("summarization-embedded");
    let (out, err) = run(&folder, &["data", "--task", "summarization", "--preview", "-", "--examples", "1"]);
    assert!(err.contains("the first sentence of a document as its summary: rouge1 "), "{err}");
    let labeled: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert!(labeled.len() == 1 && labeled[0].starts_with("<s> Ġ") && labeled[0].ends_with("Ġ. </s>"), "{out}");
    assert!(out.contains("\n  <s> Ġfirst Ġ: Ġ"), "{out}");

    let table = ["table", "--task", "summarization", "--methods", "b-only-r8", "--seeds", "1", "--epochs", "1"];
    run(&folder, &[&table[..], &["--output", "runs", "task.eval_examples=8"]].concat());
    let scores = results(&folder.join("runs/b-only-r8-seed1/results.json"))["scores"].clone();
    // The adapter contains the name of its base model, and the task in the run's recipe needs no data.
    let adapter = ["evaluate", "summarization", "--adapter", "runs/b-only-r8-seed1/adapter", "--output", "answers"];
    run(&folder, &adapter);
    let again = results(&folder.join("answers/results.json"));
    let mean = again["whole references"]["scores"]["rouge2"]["f1"]["mean"].as_f64().unwrap();
    assert!((mean - scores["rouge2"].as_f64().unwrap()).abs() < 1e-9, "{again} {scores}");
    assert_eq!(lines(&folder.join("answers/summaries.jsonl")).len(), 8);
}
