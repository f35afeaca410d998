//! `asym sweep`: several processes on one folder, the selection of learning rates, and errors. The model is the embedded RoBERTa.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{refused, run_in as run, scratch};

/// Sentences about one of two animals.
fn animals() -> String {
    let row = |at: usize| {
        let (animal, size) = [("cat", "small"), ("horse", "large")][at % 2];
        format!("\"the {} {animal} saw a man , number {at}\",{size}\n", ["red", "green", "old"][at % 3])
    };
    format!("text,size\n{}", (0..60).map(row).collect::<String>())
}

/// A folder with the data and two recipes.
fn prepared(name: &str) -> PathBuf {
    let folder = scratch(name);
    std::fs::write(folder.join("animals.csv"), animals()).unwrap();
    let recipe = |rate: &str, train: bool| {
        format!(
            "data = \"animals.csv\"\ntasks = [\"classification\"]\nseeds = [1, 2]\n[task]\ntext = \"text\"\nlabel = \"size\"\n\
            [training]\nepochs = 3\nbatch_size = 8\nlearning_rate = {rate}\n[tuning.adapter]\nmethod = \"lora\"\nrank = 2\n\
            a = {{ init = \"orthonormal\", train = {train} }}\nb = {{ init = \"zero\", train = true }}\n\
            targets = [\"query\", \"value\"]\n"
        )
    };
    std::fs::write(folder.join("listed.toml"), recipe("[1e-4, 5e-3]", true)).unwrap();
    std::fs::write(folder.join("given.toml"), recipe("2e-3", false)).unwrap();
    folder
}

const RUNS: [&str; 8] = [
    "listed-lr1e-4-seed1",
    "listed-lr5e-3-seed1",
    "listed-seed1",
    "given-seed1",
    "listed-lr1e-4-seed2",
    "listed-lr5e-3-seed2",
    "listed-seed2",
    "given-seed2",
];

fn results(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("results.json")).unwrap()).unwrap()
}

/// The part of a result that is reproducible.
fn ending(run: &Path) -> (Value, Value, Vec<u8>) {
    let results = results(run);
    let adapter = std::fs::read(run.join("adapter/adapter_model.safetensors")).unwrap();
    (results["scores"].clone(), results["epochs"].clone(), adapter)
}

#[test]
fn concurrent_processes_train_each_run_once() {
    let folder = prepared("sweep-together");
    let command = ["sweep", "listed.toml", "given.toml", "--output"];
    let (out, err) = run(&folder, &[&command[..], &["once", "--compare", "given"]].concat());
    assert!(out.contains("Against "), "{out}");
    assert!(out.contains("candidates 1e-4, 5e-3, compared by the score on 20 % of the training examples"), "{out}");
    assert!(err.contains("48 to train on and 12 to evaluate on"), "{err}");
    assert!(
        err.contains("38 to train on and 10 to evaluate on") && err.contains("(to select a learning rate)"),
        "{err}"
    );

    let start = || {
        let mut asym = Command::new(env!("CARGO_BIN_EXE_asym"));
        asym.current_dir(&folder).args(command).args(["together", "--wait"]);
        asym.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let workers: Vec<_> = (0..3).map(|_| start()).collect();
    let mut made = Vec::new();
    for worker in workers {
        let ended = worker.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{err}");
        made.extend(
            err.lines().filter(|line| line.contains("samples/s in training,")).map(str::to_string).collect::<Vec<_>>(),
        );
    }
    // Each run was trained by one of the processes, and the results equal those of a single process.
    assert_eq!(made.len(), RUNS.len(), "{made:#?}");
    let of = |sweep: &str, name: &str| folder.join(sweep).join("classification").join(name);
    for name in RUNS {
        assert!(ending(&of("together", name)) == ending(&of("once", name)), "{name}");
        assert!(!of("together", name).join("claim-1").exists());
    }

    for seed in [1, 2] {
        // The runs that select a learning rate are trained on 38 of the 48 training examples and evaluated on the other 10. The
        // evaluation set has 12 examples.
        let score = |rate: &str| {
            let run = results(&of("once", &format!("listed-lr{rate}-seed{seed}")));
            assert_eq!(run["training"]["examples"], 3 * 38);
            assert_eq!(run["evaluation"]["examples"], 3 * 10);
            run["scores"]["accuracy"].as_f64().unwrap()
        };
        let best = if score("5e-3") > score("1e-4") { 5e-3 } else { 1e-4 };
        let counting = of("once", &format!("listed-seed{seed}"));
        let recipe: toml::Table = std::fs::read_to_string(counting.join("recipe.toml")).unwrap().parse().unwrap();
        assert_eq!(recipe["training"]["learning_rate"].as_float(), Some(best));
        assert!(!recipe.contains_key("hold_out"));
        assert_eq!(results(&counting)["training"]["examples"], 3 * 48);
        assert_eq!(results(&counting)["evaluation"]["examples"], 3 * 12);
    }
    // The recipe of a run that selects the learning rate reproduces this run.
    let deciding = of("once", RUNS[1]);
    run(&folder, &["run", deciding.join("recipe.toml").to_str().unwrap(), "--output", "again"]);
    assert!(ending(&folder.join("again/classification/recipe-seed1")) == ending(&deciding));

    let (report, _) = run(&folder, &["report", "together", "--output", "report"]);
    assert!(report.contains("8 runs: 8 done"), "{report}");
    let page = std::fs::read_to_string(folder.join("report/report.html")).unwrap();
    assert!(page.contains("decides on 5e-3") && page.contains("2 of 2"));
}

#[test]
fn lists_show_all_commands_and_status_shows_open_runs() {
    let folder = prepared("sweep-list");
    let command = ["sweep", "listed.toml", "given.toml", "epochs=1", "--output", "runs"];
    let (list, _) = run(&folder, &[&command[..], &["--list"]].concat());
    let ends: Vec<&str> = list.lines().map(|line| line.rsplit_once("--cell=classification/").unwrap().1).collect();
    assert_eq!(ends, RUNS);
    assert!(!folder.join("runs").exists(), "--list created a folder");
    let (status, _) = run(&folder, &[&command[..], &["--status"]].concat());
    assert!(status.starts_with("runs: 8 runs: 0 done, 0 running, 0 failed, 8 open"), "{status}");
    assert!(!folder.join("runs").exists(), "--status created a folder");

    // First a run is started by its command, as a scheduler does. Then a run is started by its number, which first trains the
    // runs that select its learning rate.
    let words: Vec<&str> = list.lines().nth(3).unwrap().split(' ').skip(1).collect();
    run(&folder, &words);
    run(&folder, &[&command[..], &["--cell", "3"]].concat());
    let (status, _) = run(&folder, &["sweep", "--status", "--output", "runs"]);
    assert!(status.starts_with("runs: 8 runs: 4 done, 0 running, 0 failed, 4 open"), "{status}");
    let done: BTreeSet<&str> =
        status.lines().filter_map(|line| line.strip_prefix("done       classification/")?.split(' ').next()).collect();
    assert_eq!(done, BTreeSet::from([RUNS[0], RUNS[1], RUNS[2], RUNS[3]]));
    let (json, _) = run(&folder, &["sweep", "--status", "--json", "--output", "runs"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut states = [0, 0];
    for run in json["runs"].as_array().unwrap() {
        let is_done = run["state"] == "done";
        assert_eq!(is_done, done.contains(run["run"].as_str().unwrap().strip_prefix("classification/").unwrap()));
        assert_eq!(is_done, run["value"].as_f64().is_some_and(|value| value > 0.0), "{run}");
        states[usize::from(is_done)] += 1;
    }
    assert_eq!(states, [4, 4]);
    let (csv, _) = run(&folder, &["sweep", "--status", "--csv", "--output", "runs"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), ("run,state,details,score,value", 9));
    assert!(lines[1].starts_with(&format!("classification/{},done,,", RUNS[0])), "{csv}");

    // A learning rate with which training fails is not selected, and a failed run is listed.
    let change = "learning_rate=[1e-3, 1e30]";
    let hot = ["sweep", "listed.toml", change, "epochs=1", "--seeds", "1", "--output", "hot"];
    let (out, _) = run(&folder, &hot);
    assert!(out.contains("learning rate 1e-3 (seed 1)"), "{out}");
    let (status, _) = run(&folder, &["sweep", "--status", "--output", "hot"]);
    assert!(
        status.contains("2 done, 0 running, 1 failed")
            && status.contains("failed     classification/listed-lr1e30-seed1"),
        "{status}"
    );
    let err = refused(&folder, &["sweep", "given.toml", "learning_rate=1e30", "--output", "hotter"]);
    assert!(err.contains("2 of the runs failed"), "{err}");
}

#[test]
fn invalid_sweeps_are_rejected_before_files_are_written() {
    let folder = prepared("sweep-refused");
    std::fs::create_dir(folder.join("other")).unwrap();
    std::fs::copy(folder.join("given.toml"), folder.join("other/given.toml")).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    for (words, part) in [
        (vec!["given.toml", "other/given.toml"], "`classification/given` appears twice in recipes"),
        (vec!["given.toml", "--compare", "lora"], "no row `lora` to compare with; its rows are given"),
        (vec!["given.toml", "--cell", "3"], "give a number from 1 to 2, or a name such as classification/given-seed2"),
        (vec!["given.toml", "--cell", "classification/given-seed9"], "there is no run `classification/given-seed9`"),
        (vec!["given.toml", "learning_rate=[]"], "`learning_rate` is empty"),
        (vec!["given.toml", "learning_rate=[1e-3, 1e-3]"], "appears twice in learning_rate"),
        (vec!["listed.toml", "hold_out=1.5"], "`hold_out` is 1.5: it must be above 0 and below 1"),
        (vec!["given.toml", "--seeds", "0"], "--seeds"),
        (vec!["nowhere.toml"], "nowhere.toml"),
        (vec!["epochs=1"], "give at least one recipe"),
        (vec!["given.toml", "--list", "task.separator='''a\nb'''"], "has a line break"),
    ] {
        let err = refused(&folder, &[&["sweep"][..], &words, &["--output", "runs"]].concat());
        assert!(err.contains(part), "`{part}` in: {err}");
        assert!(!folder.join("runs").exists(), "{words:?} made a folder");
    }
    let err = refused(&folder, &["sweep", "given.toml", "--output", "file"]);
    assert!(err.contains("file"), "{err}");
    // The folder has runs with the same names but other settings.
    run(&folder, &["sweep", "given.toml", "epochs=1", "--seeds", "1", "--output", "runs"]);
    let err = refused(&folder, &["sweep", "given.toml", "epochs=2", "--output", "runs"]);
    assert!(err.contains("training.epochs was 1 and is 2"), "{err}");
    // Another row can be added to the folder, and the grid then contains both rows.
    run(&folder, &["sweep", "listed.toml", "learning_rate=1e-3", "epochs=1", "--seeds", "1", "--output", "runs"]);
    let (status, _) = run(&folder, &["sweep", "--status", "--output", "runs"]);
    assert!(status.starts_with("runs: 2 runs: 2 done"), "{status}");
}

/// A read-only folder can be read by all commands, but no run can be trained in it.
#[test]
#[cfg(unix)]
fn a_read_only_folder_can_be_reported_on() {
    use std::os::unix::fs::PermissionsExt;
    let folder = prepared("sweep-read-only");
    run(&folder, &["sweep", "given.toml", "epochs=1", "--seeds", "1", "--output", "runs"]);
    let allow = |mode| {
        for place in ["runs", "runs/classification", "runs/classification/given-seed1"] {
            std::fs::set_permissions(folder.join(place), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    allow(0o555);
    let (status, _) = run(&folder, &["sweep", "--status", "--output", "runs"]);
    let (report, _) = run(&folder, &["report", "runs", "--output", "report"]);
    // The table is printed, since all runs are finished.
    let (table, _) = run(&folder, &["sweep", "given.toml", "epochs=1", "--seeds", "1", "--output", "runs"]);
    let is_root = std::fs::write(folder.join("runs/probe"), "").is_ok();
    let more =
        (!is_root).then(|| refused(&folder, &["sweep", "given.toml", "epochs=1", "--seeds", "2", "--output", "runs"]));
    allow(0o755);
    assert!(
        status.contains("1 done") && report.contains("1 done") && table.contains("accuracy"),
        "{status}{report}{table}"
    );
    match more {
        Some(err) => assert!(
            err.contains("runs") && err.contains("check that the path exists and may be read or written"),
            "{err}"
        ),
        None => eprintln!("SKIPPED: this user may write to every folder"),
    }
}
