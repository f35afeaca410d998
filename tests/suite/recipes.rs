//! The recipes for the paper's tables, and the commands that run recipes and use, evaluate and submit their results.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use asym::tasks::Recipe;
use asym::tasks::domainbed::domainbed_cells;
use asym::tasks::glue::{Dataset, generated, paper_cells};
use asym::tasks::instruction::mmlu_cells;
use asym::tasks::summarization::summarization_cells;
use asym::train::Tuning;

use crate::common::{asym, scratch};

const MINI: &str = "recipes/mini/glue/b-only-orthonormal-r8.toml";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The message of a command that must fail with an exit code and without a panic.
fn refusal<const N: usize>(args: [&str; N], parts: &[&str]) -> String {
    let output = asym(args);
    let message = stderr(&output);
    println!("{args:?}: {message}");
    assert_eq!(output.status.code(), Some(if parts.contains(&"Usage") { 2 } else { 1 }), "{message}");
    assert!(!message.contains("panicked at"), "{message}");
    for part in parts.iter().filter(|part| **part != "Usage") {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
    message
}

fn recipes(folder: &str) -> Vec<(String, Recipe)> {
    let mut found: Vec<(String, Recipe)> = std::fs::read_dir(root(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_string(), Recipe::read(&path, &[]).unwrap()))
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

#[test]
fn every_glue_row_has_a_recipe_at_both_scales() {
    let (large, mini) = (recipes("recipes/glue"), recipes("recipes/mini/glue"));
    assert_eq!(large.len(), 20);
    let mut cells = BTreeSet::new();
    for ((name, plan), (mini_name, mini)) in large.iter().zip(&mini) {
        assert_eq!((name, &plan.tuning), (mini_name, &mini.tuning));
        assert_eq!(plan.model.as_deref(), Some("FacebookAI/roberta-large"));
        assert_eq!((plan.data.as_deref(), mini.model.as_deref()), (Some("nyu-mll/glue"), None));
        let header = std::fs::read_to_string(root("recipes/glue").join(format!("{name}.toml"))).unwrap();
        for run in plan.runs().chain(mini.runs()) {
            run.validate().unwrap();
        }
        for task in &plan.tasks {
            // The header of the recipe contains the paper's scores for this tuning.
            let cell = task.paper(&plan.tuning).pop().unwrap_or_else(|| panic!("{name}: {task}"));
            let score = cell.std.map_or(cell.mean.to_string(), |std| format!("{:?} ± {std}", cell.mean));
            assert!(header.contains(&format!("{task} {score}")), "{name}: {task} {score}");
            assert!(cells.insert((task.name(), plan.tuning.to_string())), "{name} has the row of another recipe");
        }
    }
    assert_eq!(cells.len(), paper_cells().unwrap().len());
}

/// Tables 7, 11, 12 and 13 have the same rows for four data sets.
#[test]
fn every_domainbed_row_has_a_recipe_at_both_scales() {
    let (found, mini) = (recipes("recipes/domainbed"), recipes("recipes/mini/domainbed"));
    let mut cells = BTreeSet::new();
    assert_eq!(found.len(), mini.len());
    for ((name, recipe), (mini_name, mini)) in found.iter().zip(&mini) {
        assert_eq!((name, &recipe.tuning), (mini_name, &mini.tuning));
        assert_eq!(
            (mini.model.as_deref(), mini.data.as_deref(), mini.tasks[0].name().as_str()),
            (None, None, "domainbed")
        );
        mini.runs().for_each(|run| run.validate().unwrap());
        assert_eq!((recipe.tasks.len(), recipe.seeds.as_slice()), (4, &[0, 1, 2][..]), "{name}");
        let header = std::fs::read_to_string(root("recipes/domainbed").join(format!("{name}.toml"))).unwrap();
        for run in recipe.runs() {
            run.validate().unwrap();
            let scores = run.task.paper(&recipe.tuning);
            let score = |score: &str| scores.iter().find(|cell| cell.score == score).unwrap();
            let (id, ood, gap) = (score("id"), score("ood").mean, score("gap").mean);
            let line = format!(
                "{}: in domain {:.2} ± {:.2}, out of domain {ood:.2}, gap {gap:.2}",
                run.task,
                id.mean,
                id.std.unwrap()
            );
            assert!(header.contains(&line), "{name}: {line}");
            // Without `ood`, `train` and `gap`, the scores are the accuracies of the four environments.
            cells.insert((run.task.name(), recipe.tuning.to_string(), scores.len() - 3));
        }
    }
    let count: usize = cells.iter().map(|(.., environments)| environments).sum();
    assert_eq!((found.len(), count), (7, domainbed_cells().unwrap().len()));
}

/// Tables 2, 6 and 9: both benchmarks have the same rows. The embedded scale has one recipe per row.
#[test]
fn every_summarization_row_has_an_embedded_recipe() {
    let mini = recipes("recipes/mini/summarization");
    for benchmark in ["xsum", "cnn-dailymail"] {
        let found = recipes(&format!("recipes/summarization/{benchmark}"));
        assert_eq!(found.len(), mini.len());
        for ((name, recipe), (mini_name, mini)) in found.iter().zip(&mini) {
            // The schedule of AdaLoRA depends on the number of training steps.
            let is_same = name.starts_with("adalora") || recipe.tuning == mini.tuning;
            assert!(name == mini_name && is_same, "{name}: {} and {}", recipe.tuning, mini.tuning);
            let (task, data) = (mini.tasks[0].name(), (mini.model.as_deref(), mini.data.as_deref()));
            assert_eq!((task.as_str(), data), ("summarization", (None, None)));
            mini.runs().for_each(|run| run.validate().unwrap());
        }
    }
}

/// Tables 3 and 8 are the same. The paper does not say whether the row for the plain model is tuned.
#[test]
fn every_mmlu_row_has_a_recipe_at_both_scales() {
    let (found, mini) = (recipes("recipes/instruction"), recipes("recipes/mini/instruction"));
    for ((name, recipe), (mini_name, mini)) in found.iter().zip(&mini) {
        assert_eq!((name, &recipe.tuning), (mini_name, &mini.tuning));
        assert_eq!((mini.model.as_deref(), mini.data.as_deref(), &mini.tasks), (None, None, &recipe.tasks));
        mini.runs().for_each(|run| run.validate().unwrap());
    }
    assert_eq!(found.len(), mini.len());
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a-only-orthonormal-r32", "b-only-orthonormal-r32", "full", "lora-r32"]);
    let mut cells = 0;
    for (name, recipe) in &found {
        let header = std::fs::read_to_string(root("recipes/instruction").join(format!("{name}.toml"))).unwrap();
        for run in recipe.runs() {
            run.validate().unwrap();
        }
        let scores = recipe.tasks[0].paper(&recipe.tuning);
        for score in &scores {
            let cell = format!("{} {:.2}", score.score.replace("mmlu ", ""), score.mean);
            assert!(header.contains(&cell), "{name}: {cell}");
        }
        assert_eq!(scores.is_empty(), name == "full");
        cells += scores.len();
    }
    assert_eq!(cells + 5, mmlu_cells().unwrap().len());
}

/// Tables 2 and 6, and Table 9's schedule of AdaLoRA, for two data sets.
#[test]
fn every_summarization_row_has_a_recipe() {
    let mut cells = BTreeSet::new();
    for (task, schedule, steps) in
        [("xsum", [6000, 50000, 100], 106_275), ("cnn-dailymail", [5000, 85000, 100], 134_595)]
    {
        let folder = format!("recipes/summarization/{task}");
        for (name, recipe) in recipes(&folder) {
            let header = std::fs::read_to_string(root(&folder).join(format!("{name}.toml"))).unwrap();
            let Tuning::Adapter(config) = &recipe.tuning else { panic!("{name}: not an adapter") };
            let run = recipe.runs().next().unwrap();
            run.validate().unwrap();
            assert_eq!((run.task.name(), recipe.runs().count()), (task.to_string(), 1), "{name}");
            let examples = if task == "xsum" { 204_045 } else { 287_113 };
            if let asym::core::Method::AdaLora(adalora) = &config.method {
                assert_eq!([adalora.warmup_steps, adalora.final_steps, adalora.interval], schedule);
                assert_eq!(run.training.steps(examples), steps);
                assert!(adalora.warmup_steps + adalora.final_steps < steps, "the schedule is longer than the training");
                continue;
            }
            let scores = run.task.paper(&recipe.tuning);
            let score = |name: &str| scores.iter().find(|cell| cell.score == name).unwrap().mean;
            let [one, two, sum] = ["rouge1 cut", "rouge2 cut", "rougeLsum cut"].map(score);
            let line = format!("ROUGE-1 {one:.2}, ROUGE-2 {two:.2}, ROUGE-Lsum {sum:.2}.");
            assert!(header.contains(&line), "{name}: {line}");
            // A step has 48 examples, and the warmup has 3000 steps.
            assert_eq!(run.training.batch_size * run.training.gradient_accumulation, 48);
            let warmup = run.training.warmup_ratio * run.training.steps(examples) as f64;
            assert!((warmup - 3000.0).abs() < 5.0, "{warmup}");
            cells.insert((task, recipe.tuning.to_string()));
        }
    }
    assert_eq!(cells.len(), summarization_cells().unwrap().len());
}

/// A recipe runs, the recipe in the run's folder reproduces the run bit for bit, and the adapter is used to classify and to
/// submit.
#[test]
fn recipes_run_and_their_results_can_be_used() {
    let folder = scratch("recipe-run");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let recipe = root(MINI);
    let recipe = recipe.to_str().unwrap();
    let run = asym(["run", recipe, "tasks=stsb,mnli", "seeds=1", "epochs=1", "--output", &path("runs")]);
    let (table, said) = (stdout(&run), stderr(&run));
    println!("{table}\n{said}");
    for part in ["| STS-B ", "| MNLI ", "accuracy mismatched", "pearson", "spearman"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(said.contains("input 0.") && said.contains("samples/s"), "{said}");

    let left = path("runs/stsb/b-only-orthonormal-r8-seed1/recipe.toml");
    stdout(&asym(["run", &left, "--output", &path("again")]));
    let losses = |run: &str| {
        let text = std::fs::read_to_string(path(run).to_string() + "/metrics.jsonl").unwrap();
        let loss = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].clone();
        text.lines().map(loss).collect::<Vec<_>>()
    };
    assert_eq!(losses("runs/stsb/b-only-orthonormal-r8-seed1"), losses("again/stsb/recipe-seed1"));
    let again =
        stdout(&asym(["run", recipe, "tasks=stsb", "seeds=1", "epochs=1", "--output", &path("runs"), "--resume"]));
    assert!(again.contains("| pearson"), "{again}");

    // The task comes from the recipe of the run that saved the adapter.
    let adapter = path("runs/mnli/b-only-orthonormal-r8-seed1/adapter");
    let premise = "the boy praised the girl .";
    let answers = stdout(&asym(["classify", "--adapter", &adapter, "--text", premise, "--pair", premise, "--json"]));
    let answer: serde_json::Value = serde_json::from_str(answers.trim()).unwrap();
    let probabilities = answer["probabilities"].as_object().unwrap();
    assert_eq!(probabilities.len(), 3);
    let total: f64 = probabilities.values().map(|probability| probability.as_f64().unwrap()).sum();
    assert!((total - 1.0).abs() < 1e-5, "{answer}");
    let likeliest = probabilities.iter().max_by(|l, r| l.1.as_f64().unwrap().total_cmp(&r.1.as_f64().unwrap()));
    assert_eq!(likeliest.unwrap().0, answer["label"].as_str().unwrap());
    std::fs::write(folder.join("texts.txt"), format!("{premise}\t{premise}\nthe girl slept .\tthe boy slept .\n"))
        .unwrap();
    let stsb = path("runs/stsb/b-only-orthonormal-r8-seed1/adapter");
    let scores = stdout(&asym(["classify", "--adapter", &stsb, "--file", &path("texts.txt")]));
    assert_eq!(scores.lines().count(), 2);
    assert!(scores.lines().all(|line| line.split('\t').next().unwrap().parse::<f32>().is_ok()), "{scores}");

    std::fs::create_dir(folder.join("tests")).unwrap();
    let header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n";
    let row = "0\t-\t-\t-\t-\t-\t-\tthe boy slept .\tthe boy slept .\n";
    std::fs::write(folder.join("tests/test.tsv"), format!("{header}{row}{}", row.replacen('0', "1", 1))).unwrap();
    let submit = || {
        asym([
            "submit",
            "--task",
            "stsb",
            "--data",
            &path("tests"),
            "--adapter",
            &stsb,
            "--output",
            &path("submission"),
        ])
    };
    stdout(&submit());
    let text = std::fs::read_to_string(folder.join("submission/STS-B.tsv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "index\tprediction"));
    let score: f32 = lines[2].strip_prefix("1\t").unwrap().parse().unwrap();
    assert!((0.0..=5.0).contains(&score));
    assert!(stderr(&submit()).contains("already exists"));
    let out = path("other");
    let other = ["submit", "--task", "mrpc", "--data", &path("tests"), "--adapter", &stsb, "--output", &out];
    assert!(!asym(other).status.success());

    // Full fine-tuning saves a checkpoint with tokenizer and labels.
    let full = ["run", recipe, "tasks=sst2", "seeds=1", "epochs=1", "tuning=full", "--output", &path("full")];
    stdout(&asym(full));
    let model = path("full/sst2/b-only-orthonormal-r8-seed1/model");
    let said = stdout(&asym(["classify", "--model", &model, "--text", "the boy is happy ."]));
    assert!(said.starts_with("positive\t") || said.starts_with("negative\t"), "{said}");
    refusal(["classify", "--model", &model, "--text", "a", "--pair", "b"], &["SST-2", "single texts"]);
    refusal(["classify", "--adapter", &stsb, "--text", "a"], &["STS-B", "pairs"]);
    std::fs::write(folder.join("tests/test.tsv"), "index\tsentence\n0\tthe boy slept .\n").unwrap();
    let of = |task| {
        ["submit", "--task", task, "--data", &path("tests"), "--model", &model, "--output", &out].map(String::from)
    };
    assert!(stderr(&asym(of("cola"))).contains("trained on sst2, not on cola"));
    stdout(&asym(of("sst2")));

    // The order of the labels in the checkpoint is respected, and labels of another task are refused.
    std::fs::remove_file(folder.join("full/sst2/b-only-orthonormal-r8-seed1/recipe.toml")).unwrap();
    let label = |names: [&str; 2]| {
        crate::common::edit_json(&PathBuf::from(&model).join("config.json"), |config| {
            config["id2label"] = serde_json::json!({ "0": names[0], "1": names[1] });
            config["label2id"] = serde_json::json!({ names[0]: 0, names[1]: 1 });
        });
        asym(["classify", "--task", "sst2", "--model", &model, "--text", "the boy is happy ."])
    };
    let (plain, swapped) = (stdout(&label(["negative", "positive"])), stdout(&label(["POSITIVE", "NEGATIVE"])));
    assert_ne!(plain.split('\t').next().unwrap(), swapped.to_lowercase().split('\t').next().unwrap());
    assert!(stderr(&label(["cat", "dog"])).contains("label `cat` is not a label of the task"));
}

/// A generated data set is written in GLUE's file layout, and it is the same when it is read again.
#[test]
fn generated_sets_are_written_in_the_layout_of_glue() {
    let folder = scratch("generated").join("glue");
    stdout(&asym(["data", "--output", folder.to_str().unwrap()]));
    for dataset in Dataset::ALL {
        let (read, made) = (asym::tasks::glue::read(*dataset, &folder).unwrap(), generated(*dataset, 0));
        let rows = |part: &asym::tasks::glue::Part| -> Vec<_> {
            part.examples.iter().map(|one| (one.first.clone(), one.second.clone(), one.target.clone())).collect()
        };
        assert!(rows(&read.train) == rows(&made.train), "{dataset}");
        assert_eq!(read.dev.len(), made.dev.len());
        assert!(read.dev.iter().zip(&made.dev).all(|(read, made)| rows(read) == rows(made)), "{dataset}");
    }
    refusal(["data", "--output", folder.to_str().unwrap()], &["already exists"]);
}

#[test]
fn mistakes_are_rejected_before_training() {
    let mini = root(MINI);
    let mini = mini.to_str().unwrap();
    refusal(["run", mini, "training.epoch=3"], &[mini, "`epoch`", "did you mean `epochs`?"]);
    refusal(["run", mini, "warmup=0.1"], &[mini, "`warmup`", "`training.warmup_ratio`"]);
    refusal(["run", mini, "task.num_beams=4"], &[mini, "mnli", "`num_beams`", "max_length"]);
    refusal(["run", mini, "tuning.adapter.rnk=3"], &["`rnk`", "did you mean `rank`?"]);
    refusal(["run", mini, "tasks=mprc"], &["`mprc`", "did you mean `mrpc`?"]);
    refusal(["run", mini, "epochs"], &["key=value"]);
    refusal(["run", mini, "epochs=0"], &["`epochs` is 0"]);
    refusal(["run", mini, "tasks=rte,rte"], &["`rte` appears twice in tasks"]);
    refusal(["table", "--task", "rte", "--methods", "lora,lora-r8"], &["`lora-r8` appears twice in methods"]);
    refusal(
        ["table", "--task", "rte", "--methods", "b-only,full", "--dtype", "bf16"],
        &["`dtype`", "full fine-tuning"],
    );
    refusal(["run", mini, "dtype=bf17"], &["`bf17`", "`bf16`"]);
    refusal(["run", mini, "dtype=bf16", "tuning=full"], &["`dtype`", "full fine-tuning"]);
    refusal(["run", "no-such.toml"], &["no-such.toml"]);
    refusal(["run", mini, "data=./no-such-folder"], &["./no-such-folder: no such folder"]);
    refusal(["run", mini, "model=no such model"], &["no such model", "owner/name"]);
    refusal(["table", "--task", "mprc"], &["Usage", "did you mean `mrpc`?"]);
    refusal(["classify", "--model", "./absent", "--text", "a"], &["./absent"]);
    refusal(
        ["classify", "--adapter", "./absent", "--text", "a", "--text", "b", "--pair", "c"],
        &["2 --text and 1 --pair"],
    );

    // A checkpoint of another family is refused before its weights are read.
    for (name, family) in [("vit", "ViT"), ("llama", "Llama"), ("bart", "BART")] {
        let model = format!("model={}", crate::common::fixture(name).display());
        refusal(["run", mini, "tasks=rte", &model], &["config.json", "rte", family]);
    }

    let folder = scratch("bad-data");
    let fixture = |name: &str| std::fs::read(root("crates/asym-data/tests/fixtures").join(name)).unwrap();
    let data = format!("data={}", folder.display());
    for name in ["train.parquet", "validation.parquet"] {
        std::fs::write(folder.join(name), fixture("pairs.parquet")).unwrap();
    }
    refusal(["run", mini, "tasks=qnli", &data], &["train.parquet", "`question`", "sentence1"]);
    let quoted = "index\tsentence1\tsentence2\tlabel\n0\t\"a \"\"b\"\" c\"\td\tentailment\n";
    for name in ["train.tsv", "dev.tsv"] {
        std::fs::write(folder.join(name), quoted).unwrap();
    }
    refusal(["run", mini, "tasks=rte", &data], &["train.tsv:2", "quoted", ".csv"]);
    // A name on the Hub without access to the Hub.
    let cache = scratch("empty-cache");
    let offline = std::process::Command::new(env!("CARGO_BIN_EXE_asym"))
        .args(["run", mini, "model=FacebookAI/roberta-large", "--offline"])
        .env("HF_HUB_CACHE", &cache)
        .output()
        .unwrap();
    let message = stderr(&offline);
    println!("{message}");
    assert!(!offline.status.success() && message.contains("FacebookAI/roberta-large"), "{message}");
    assert!(message.contains("--offline") || message.contains("offline"), "{message}");
    let unreachable = std::process::Command::new(env!("CARGO_BIN_EXE_asym"))
        .args(["run", mini, "data=nyu-mll/glue"])
        // No server listens on the discard port.
        .envs([("HF_ENDPOINT", "http://127.0.0.1:9"), ("HF_HUB_CACHE", cache.to_str().unwrap())])
        .output()
        .unwrap();
    let message = stderr(&unreachable);
    println!("{message}");
    assert!(!unreachable.status.success() && message.contains("127.0.0.1:9"), "{message}");
}
