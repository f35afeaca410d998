//! `asym evaluate mmlu`: the answers, the output folder, and errors.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym::models::{FileDtype, LlamaConfig, LlamaLanguageModel, PretrainedModel, save};
use burn::tensor::Device;
use serde_json::{Value, json};

use crate::common::{asym, fixture, llama, scratch};

/// The words of the tokenizer. All other words are the unknown token.
const WORDS: [&str; 12] = ["[UNK]", "A", "B", "C", "D", "What", "bone", "is", "one", "two", "Question", "Answer"];

/// A small Llama with random weights, and a word-level tokenizer.
fn model(name: &str) -> PathBuf {
    let folder = scratch(name);
    let mut config = LlamaConfig::new(WORDS.len(), 24, 2, 4);
    (config.intermediate_size, config.max_position_embeddings, config.initializer_range) = (40, 600, 0.6);
    save(&LlamaLanguageModel::init(&config, 3, &Device::default()).unwrap(), &folder, FileDtype::F32).unwrap();
    let vocabulary: serde_json::Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    folder
}

/// Two subjects as in the benchmark's archive: cells with line breaks, quotes, commas and semicolons, and a question whose first
/// line has a semicolon.
fn data(folder: &Path) -> PathBuf {
    let folder = folder.join("mmlu");
    let row =
        |at: usize, right: char| format!("\"What; is\nbone {at}, \"\"one\"\"?\",one,two,\"A, B\",bone {at},{right}\n");
    for (split, rows) in [("val", 7), ("dev", 5)] {
        std::fs::create_dir_all(folder.join(split)).unwrap();
        for subject in ["anatomy", "marketing"] {
            let text: String = (0..rows).map(|at| row(at, ['A', 'B', 'C', 'D'][at % 4])).collect();
            std::fs::write(folder.join(split).join(format!("{subject}_{split}.csv")), text).unwrap();
        }
    }
    folder
}

struct Case {
    model: PathBuf,
    data: PathBuf,
    output: PathBuf,
}

impl Case {
    fn new(name: &str) -> Self {
        let model = model(name);
        let data = data(&model);
        Self { data, output: model.join("answers"), model }
    }

    fn run(&self, more: &[&str]) -> std::process::Output {
        let [model, data, output] = [&self.model, &self.data, &self.output].map(|path| path.to_str().unwrap());
        let args = ["evaluate", "mmlu", "--model", model, "--data", data, "--output", output, "--split", "val"];
        asym([args.as_slice(), more].concat())
    }

    fn table(&self, more: &[&str]) -> String {
        let run = self.run(more);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    fn refusal(&self, more: &[&str]) -> String {
        let run = self.run(more);
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success(), "{stderr}");
        let message = stderr.lines().last().unwrap_or_default().to_string();
        assert!(message.starts_with("error: "), "{stderr}");
        message
    }

    fn answers(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.output.join(file)).unwrap();
        let mut answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        answers.sort_by_key(|answer| (answer["subject"].to_string(), answer["question"].as_u64()));
        answers
    }
}

/// The options of a short evaluation.
const SHORT: [&str; 4] = ["--subjects", "anatomy,marketing", "--shots", "0,5"];

#[test]
fn stopped_evaluations_are_resumed() {
    let case = Case::new("evaluate-goes-on");
    let all = [SHORT.as_slice(), &["--protocol", "choice,loglikelihood,generated"]].concat();
    let table = case.table(&all);
    // Neither anatomy nor marketing belongs to the humanities.
    let has_gap = |line: &&str| line.split('|').any(|cell| cell.trim() == "-");
    assert_eq!(table.lines().filter(has_gap).count(), 6, "{table}");
    let whole = case.answers("choice-5.jsonl");
    assert_eq!(whole.len(), 14);
    for answer in &whole {
        let scores: Vec<f64> =
            answer["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
        let best = (0..4).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        let right = answer["question"].as_u64().unwrap() as usize % 4;
        assert_eq!((&answer["answer"], &answer["right"]), (&json!(["A", "B", "C", "D"][best]), &json!(best == right)));
    }
    // Likelihoods are probabilities, so their sum is at most 1.
    for answer in case.answers("loglikelihood-0.jsonl") {
        let sum: f64 = answer["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap().exp()).sum();
        assert!(sum > 0.0 && sum <= 1.0 + 1e-6, "{answer}");
    }
    assert!(case.answers("generated-0.jsonl").iter().all(|answer| answer["text"].is_string()));
    let results: Value = serde_json::from_slice(&std::fs::read(case.output.join("results.json")).unwrap()).unwrap();
    let right = whole.iter().filter(|answer| answer["right"] == true).count();
    assert_eq!(results[1]["protocol"], "choice");
    assert_eq!(results[1]["micro"]["questions"], 14);
    assert!((results[1]["micro"]["accuracy"].as_f64().unwrap() - right as f64 / 14.0).abs() < 1e-12);

    // If answers are missing or a line is incomplete, the same command asks these questions again.
    let path = case.output.join("choice-5.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(5).collect();
    std::fs::write(&path, format!("{}\n{}", kept.join("\n"), &text.lines().nth(5).unwrap()[..9])).unwrap();
    assert_eq!(case.table(&all), table);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with(&kept.join("\n")));
    let close = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-4;
    for (again, before) in case.answers("choice-5.jsonl").iter().zip(&whole) {
        assert_eq!((&again["question"], &again["answer"]), (&before["question"], &before["answer"]));
        let scores = |answer: &Value| answer["scores"].as_array().unwrap().clone();
        assert!(scores(again).iter().zip(&scores(before)).all(|(a, b)| close(a, b)), "{again} and {before}");
    }
    // The batch size does not change the result.
    std::fs::remove_dir_all(&case.output).unwrap();
    assert_eq!(case.table(&[all.as_slice(), &["--batch-size", "1"]].concat()), table);

    let error = case.refusal(&[all.as_slice(), &["--dtype", "bf16"]].concat());
    assert!(error.contains("evaluation.json") && error.contains("dtype is \"f32\", but this evaluation"), "{error}");
    std::fs::write(&path, "{\"subject\":\"anatomy\"}\n").unwrap();
    let error = case.refusal(&all);
    assert!(error.contains("choice-5.jsonl:1: missing field"), "{error}");
}

#[test]
fn bad_input_is_refused() {
    let case = Case::new("evaluate-refuses");
    for (options, expected) in [
        (&["--subjects", "anatomie"][..], "there is no subject `anatomie` (did you mean `anatomy`?)"),
        (&["--subjects", "anatomy,astronomy"], "no file of the subject astronomy for the split `val`"),
        (&[], "no file of the subject abstract_algebra for the split `val` (other subjects without a file: 54)"),
        (&["--subjects", "anatomy", "--shots", "6"], "five examples"),
        (&["--subjects", "anatomy", "--batch-size", "0"], "at least one prompt"),
        (&["--subjects", "anatomy", "--split", "train"], "expected test, val or dev"),
        (&["--subjects", "astronomy,virology"], "no files of MMLU for the split `val`"),
    ] {
        // `case.refusal` already gives --split, and an option cannot be given twice.
        let error = if options.contains(&"--split") {
            let [model, data, output] = [&case.model, &case.data, &case.output].map(|path| path.to_str().unwrap());
            let args = ["evaluate", "mmlu", "--model", model, "--data", data, "--output", output];
            String::from_utf8_lossy(&asym([args.as_slice(), options].concat()).stderr).into_owned()
        } else {
            case.refusal(options)
        };
        assert!(error.contains(expected), "{options:?}: {error}");
    }
    // The embedded model is not the default for the questions of the benchmark.
    let [data, output] = [&case.data, &case.output].map(|path| path.to_str().unwrap());
    let output =
        asym(["evaluate", "mmlu", "--data", data, "--output", output, "--split", "val", "--subjects", "anatomy"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("give a --model"), "{error}");
    let file = case.data.join("val/anatomy_val.csv");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (rows, expected) in [
        ("one,A,B,C,D,E\n", "anatomy_val.csv:1: the right answer is `E`, but A, B, C or D is expected"),
        ("one,A,B,C,D,A\none,A,B,C,A\n", "anatomy_val.csv:2"),
    ] {
        std::fs::write(&file, rows).unwrap();
        let error = case.refusal(&["--subjects", "anatomy"]);
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(&file, whole).unwrap();
    let dev = case.data.join("dev/anatomy_dev.csv");
    std::fs::write(&dev, "one,A,B,C,D,A\n").unwrap();
    let error = case.refusal(&["--subjects", "anatomy", "--shots", "5"]);
    assert!(error.contains("anatomy: --shots 5 needs 5 examples, but the number in the split dev is 1"), "{error}");
    assert!(!case.output.exists(), "the output folder was written");
}

#[test]
fn unsuitable_models_and_tokenizers_are_rejected() {
    let mut case = Case::new("evaluate-models");
    // Only one protocol truncates prompts that are too long.
    crate::common::edit_json(&case.model.join("config.json"), |config| {
        config.insert("max_position_embeddings".into(), json!(20));
    });
    let error = case.refusal(&["--subjects", "anatomy", "--protocol", "choice"]);
    assert!(error.contains("question 0 of anatomy has") && error.contains("a prompt can have at most 20"), "{error}");
    case.table(&["--subjects", "anatomy", "--protocol", "loglikelihood"]);
    // The vocabulary has a token for D with its space, but not for the other letters.
    case.model = llama("evaluate-pieces");
    crate::common::edit_json(&case.model.join("config.json"), |config| {
        config.insert("max_position_embeddings".into(), json!(4096));
    });
    let error = case.refusal(&["--subjects", "anatomy"]);
    assert!(error.contains("this tokenizer encodes the answer `A` as"), "{error}");
    case.model = fixture("bert-classifier");
    let error = case.refusal(&["--subjects", "anatomy"]);
    assert!(error.contains("cannot answer the questions of MMLU; use a Llama model"), "{error}");
}

/// With `task.mmlu`, a run asks the same questions as the command does for the adapter of the run.
#[test]
fn runs_ask_the_same_questions_as_the_command() {
    let case = Case::new("mmlu-in-a-run");
    let anatomy = std::fs::read(case.data.join("val/anatomy_val.csv")).unwrap();
    for subject in asym::tasks::mmlu::Subject::all() {
        std::fs::write(case.data.join(format!("val/{}_val.csv", subject.name())), &anatomy).unwrap();
    }
    let row = |at: usize| json!({"instruction": "What is bone", "output": if at.is_multiple_of(2) { "A" } else { "one two" }});
    let rows = case.model.join("rows.json");
    std::fs::write(&rows, Value::from((0..40).map(row).collect::<Vec<_>>()).to_string()).unwrap();
    let runs = case.model.join("runs");
    let [model, data, rows, output] = [&case.model, &case.data, &rows, &runs].map(|path| path.to_str().unwrap());
    let mmlu = format!("task.mmlu={data}");
    let fixed = ["table", "--task", "instruction", "--model", model, "--data", rows, "--output", output, &mmlu];
    let own = ["--methods", "b-only-r4", "--seeds", "1", "--epochs", "2", "--learning-rate", "1e-2"];
    let run = asym([&fixed[..], &own[..]].concat());
    let (table, said) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert!(said.contains("MMLU: 399 questions of 57 subjects"), "{said}");
    assert!(
        table.contains("mmlu all %") && table.contains("mmlu choice %") && table.contains("mmlu letters %"),
        "{table}"
    );
    let run = runs.join("b-only-r4-seed1");
    let json = |path: &Path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap();
    let results = json(&run.join("results.json"));
    assert!(run.join("evaluation-2/generated-0.jsonl").is_file(), "the answers were not saved");
    // MMLU is evaluated only after the last epoch.
    assert!(results["epochs"][0]["dev"].get("mmlu all").is_none(), "{results}");
    case.table(&["--adapter", run.join("adapter").to_str().unwrap(), "--protocol", "generated,choice"]);
    let answers = json(&case.output.join("results.json"));
    for (at, score) in ["mmlu all", "mmlu choice"].into_iter().enumerate() {
        assert_eq!(results["scores"][score], answers[at]["micro"]["accuracy"], "{score}");
    }
    assert_eq!(results["scores"]["mmlu letters"], answers[0]["letters"]);
}
