#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::submission::spell;
use super::*;
use crate::scratch::Scratch;
use crate::table::Target;

const GLUE: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tglue\tb\n";
const HUB: &str = "{\"sentence1\": \"hub\", \"sentence2\": \"b\", \"label\": 1}\n";

fn first_word(split: &Split) -> &str {
    &split.train.examples[0].first
}

#[test]
fn every_task_is_in_the_table_once() {
    for task in Task::ALL {
        let row = task.row();
        assert_eq!(row.name.parse::<Task>().unwrap(), *task);
        assert_eq!(row.title.parse::<Task>().unwrap(), *task);
        assert_eq!(row.parts.len(), row.submissions.len());
        assert!(row.layouts.len() >= 2 && task.outputs() >= 1);
        assert_eq!(serde_json::to_string(task).unwrap(), format!("\"{}\"", row.name));
    }
    let mut names: Vec<&str> = Task::ALL.iter().map(|task| task.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 8);
    let error = "mprc".parse::<Task>().unwrap_err();
    assert!(error.to_string().contains("did you mean `mrpc`?"), "{error}");
    let error = "imagenet".parse::<Task>().unwrap_err();
    assert!(!error.to_string().contains("did you mean") && error.to_string().contains("stsb"), "{error}");
}

#[test]
fn layouts_in_their_order_here_and_in_the_tasks_folder() {
    let folder = Scratch::new("glue-layouts");
    let original = format!("\u{feff}{}", GLUE.replace("glue", "original"));
    let read = || Task::Mrpc.read(folder.path()).unwrap();
    std::fs::create_dir(folder.path().join("mrpc")).unwrap();
    for name in ["train-00000-of-00001.jsonl", "validation.jsonl"] {
        folder.write(&format!("mrpc/{name}"), HUB.as_bytes());
    }
    assert_eq!(first_word(&read()), "hub");
    folder.write("msr_paraphrase_train.txt", original.as_bytes());
    folder.write("msr_paraphrase_test.txt", original.as_bytes());
    assert_eq!(first_word(&read()), "original");
    // Half a layout does not count.
    folder.write("glue_train.tsv", GLUE.as_bytes());
    assert_eq!(first_word(&read()), "original");
    folder.write("glue_dev.tsv", GLUE.as_bytes());
    let split = read();
    assert_eq!(first_word(&split), "glue");
    assert!(split.dev[0].source.ends_with("glue_dev.tsv"));
}

#[test]
fn parts_of_a_set_are_all_read_or_missed() {
    let folder = Scratch::new("glue-shards");
    let line = |word: &str| HUB.replace("hub", word);
    folder.write("train-00001-of-00002.jsonl", line("second").as_bytes());
    folder.write("validation.jsonl", HUB.as_bytes());
    let error = Task::Mrpc.read(folder.path()).unwrap_err();
    assert!(matches!(error, TaskError::MissingShard { expected: 2, found: 1, .. }), "{error:?}");
    folder.write("train-00000-of-00002.jsonl", line("first").as_bytes());
    let split = Task::Mrpc.read(folder.path()).unwrap();
    let words: Vec<&str> = split.train.examples.iter().map(|example| example.first.as_str()).collect();
    assert_eq!(words, ["first", "second"]);
}

#[test]
fn two_development_sets_keep_their_names() {
    let folder = Scratch::new("glue-mnli");
    let text = |label| format!("index\tsentence1\tsentence2\tlabel1\tgold_label\n0\ta\tb\t{label}\t{label}\n");
    folder.write("train.tsv", text("neutral").as_bytes());
    folder.write("dev_matched.tsv", text("contradiction").as_bytes());
    let error = Task::Mnli.read(folder.path()).unwrap_err();
    assert!(error.to_string().contains("dev_mismatched.tsv"), "{error}");
    folder.write("dev_mismatched.tsv", text("entailment").as_bytes());
    let split = Task::Mnli.read(folder.path()).unwrap();
    let sets: Vec<_> = split.dev.iter().map(|part| (part.name, part.examples[0].target)).collect();
    assert_eq!(sets, [("matched", Target::Class(2)), ("mismatched", Target::Class(0))]);
    let scores: Vec<String> = Task::Mnli.scores().iter().map(ToString::to_string).collect();
    assert_eq!(scores, ["accuracy", "accuracy matched", "accuracy mismatched"]);
    let scores: Vec<String> = Task::Stsb.scores().iter().map(ToString::to_string).collect();
    assert_eq!(scores, ["pearson", "spearman"]);
}

#[test]
fn a_missing_file_names_all_that_were_looked_for() {
    let folder = Scratch::new("glue-missing");
    let error = Task::Mrpc.read(folder.path()).unwrap_err();
    assert!(matches!(error, TaskError::MissingData { .. }), "{error:?}");
    let text = error.to_string();
    for name in ["train.tsv", "dev.tsv", "glue_dev.tsv", "msr_paraphrase_test.txt", "validation.parquet"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let error = Task::Mrpc.read_tests(folder.path()).unwrap_err();
    assert!(error.to_string().contains("test.tsv"), "{error}");
}

#[test]
fn bytes_that_are_not_utf8_are_found() {
    let folder = Scratch::new("glue-latin1");
    folder.write("train.tsv", b"gj04\t1\t\tIt is.\ngj04\t1\t\tcaf\xe9\n");
    folder.write("dev.tsv", b"gj04\t1\t\tIt is.\n");
    let error = Task::Cola.read(folder.path()).unwrap_err();
    assert!(matches!(error, TaskError::NotUtf8 { line: 2, .. }), "{error:?}");
}

/// GLUE's test files name their columns, CoLA's too, and have no labels.
#[test]
fn test_sets_and_their_submission() {
    let folder = Scratch::new("glue-submission");
    folder.write("test.tsv", b"index\tsentence\n0\tIt is.\n1\tIs it \"it.\n");
    let tests = Task::Cola.read_tests(folder.path()).unwrap();
    assert_eq!(tests[0].examples[1].first, "Is it \"it.");
    assert_eq!(tests[0].examples[1].target, Target::Unknown);
    let answers = vec![vec![Target::Class(1), Target::Class(0)]];
    let written = write_submission(Task::Cola, &answers, &folder.path().join("out")).unwrap();
    assert_eq!(written, [folder.path().join("out/CoLA.tsv")]);
    assert_eq!(std::fs::read_to_string(&written[0]).unwrap(), "index\tprediction\n0\t1\n1\t0\n");
    assert_eq!(spell(Task::Rte.row().answers, Target::Class(1)), "not_entailment");
    assert_eq!(spell(Task::Stsb.row().answers, Target::Score(5.25)), "5.000");
    assert_eq!(spell(Task::Stsb.row().answers, Target::Score(1.23456)), "1.235");
}

#[test]
fn a_tasks_files_on_the_hub() {
    let test = "mnli/test_matched-00000-of-00001.parquet";
    assert!(Task::Mnli.is_hub_file(test, true) && !Task::Mnli.is_hub_file(test, false));
    assert!(Task::Sst2.is_hub_file("sst2/train-00000-of-00001.parquet", false));
    for other in ["sst2x/train.parquet", "README.md", "sst2/README.md", "mrpc/train-00000-of-00001.parquet"] {
        assert!(!Task::Sst2.is_hub_file(other, false), "{other}");
    }
}

#[test]
fn generated_sets_have_the_form_of_real_ones() {
    for task in Task::ALL {
        let split = generated(*task, 0);
        assert_eq!(split.dev.len(), task.row().parts.len());
        assert_eq!(split.train.examples.len(), 3000);
        assert!(split.dev.iter().all(|part| part.examples.len() == 500), "{task}");
        let pair = split.train.examples[0].second.is_some();
        assert_eq!(pair, !matches!(task, Task::Cola | Task::Sst2));
    }
}

/// Rows by INDEX.md; dev majority of MRPC by INDEX.md, samples by `wc -l`.
#[test]
fn the_real_files() {
    let Some(shared) = crate::scratch::shared() else {
        return;
    };
    let data = shared.join("data");
    for (task, train, dev) in [
        (Task::Mrpc, 3668, 408),
        (Task::Cola, 8551, 1043),
        (Task::Rte, 2490, 277),
        (Task::Stsb, 5749, 1500),
        (Task::Sst2, 67349, 872),
    ] {
        // The folder that holds all tasks finds each in its own.
        let split = task.read(&data).unwrap();
        assert_eq!((split.train.examples.len(), split.dev[0].examples.len()), (train, dev), "{task}");
        assert!(split.dev[0].examples.iter().all(|example| !example.first.is_empty()), "{task}");
    }
    let mrpc = Task::Mrpc.read(&data).unwrap();
    assert_eq!(mrpc.dev[0].examples.iter().filter(|example| example.target == Target::Class(1)).count(), 279);
    let original = Scratch::new("glue-original");
    for name in ["msr_paraphrase_train.txt", "msr_paraphrase_test.txt"] {
        original.write(name, &std::fs::read(data.join("MRPC").join(name)).unwrap());
    }
    let split = Task::Mrpc.read(original.path()).unwrap();
    assert_eq!((split.train.examples.len(), split.dev[0].examples.len()), (4076, 1725));

    // The Hub's Parquet files hold the same rows as GLUE's TSV.
    let (tsv, hub) = (Task::Rte.read(&data).unwrap(), Task::Rte.read(&data.join("RTE/hf")).unwrap());
    let rows = |part: &Part| -> Vec<(String, Option<String>, Target)> {
        part.examples.iter().map(|one| (one.first.clone(), one.second.clone(), one.target)).collect()
    };
    assert_eq!(rows(&tsv.train), rows(&hub.train));
    assert_eq!(rows(&tsv.dev[0]), rows(&hub.dev[0]));
    let tests = Task::Rte.read_tests(&data.join("RTE/hf")).unwrap();
    assert_eq!(tests[0].examples.len(), 3000);
    assert!(tests[0].examples.iter().all(|example| example.target == Target::Unknown));

    for (task, folder, tests) in [
        (Task::Mnli, "mnli/dummy_data/MNLI", &[1, 1][..]),
        (Task::Qnli, "qnli/dummy_data/QNLI", &[1]),
        (Task::Rte, "rte/dummy_data/RTE", &[1]),
        (Task::Sst2, "sst2/dummy_data/SST-2", &[1]),
        (Task::Stsb, "stsb/dummy_data/SST-B", &[1]),
        (Task::Cola, "cola/dummy_data/CoLA", &[1]),
    ] {
        let folder = data.join("GLUE-samples").join(folder);
        assert_eq!(task.read(&folder).unwrap().train.examples.len(), 3, "{task}");
        let sizes: Vec<usize> = task.read_tests(&folder).unwrap().iter().map(|part| part.examples.len()).collect();
        assert_eq!(sizes, tests, "{task}");
    }
}
