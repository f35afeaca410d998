#![allow(clippy::unwrap_used, clippy::expect_used)]

use asym_data::TableError;

use super::*;
use crate::scratch::Scratch;
use crate::text::Target;

const GLUE: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tglue\tb\n";
const HUB: &str = "{\"sentence1\": \"hub\", \"sentence2\": \"b\", \"label\": 1}\n";

fn first_word(split: &Split) -> &str {
    &split.train.examples[0].first
}

#[test]
fn every_data_set_is_in_the_table_once() {
    for dataset in Dataset::ALL {
        let row = dataset.row();
        assert_eq!(Dataset::named(row.name), Some(*dataset));
        assert_eq!(Dataset::named(&row.title.to_uppercase()), Some(*dataset));
        assert_eq!(row.parts.len(), row.submissions.len());
        assert!(row.layouts.len() >= 2 && dataset.outputs() >= 1);
        assert_eq!(serde_json::to_string(dataset).unwrap(), format!("\"{}\"", row.name));
    }
    let mut names: Vec<&str> = Dataset::ALL.iter().map(|dataset| dataset.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 8);
    assert_eq!((Dataset::named("mprc"), Dataset::named("")), (None, None));
}

#[test]
fn layouts_are_searched_in_order_of_precedence() {
    let folder = Scratch::new("glue-layouts");
    let original = format!("\u{feff}{}", GLUE.replace("glue", "original"));
    let read = || read(Dataset::Mrpc, folder.path()).unwrap();
    std::fs::create_dir(folder.path().join("mrpc")).unwrap();
    for name in ["train-00000-of-00001.jsonl", "validation.jsonl"] {
        folder.write(&format!("mrpc/{name}"), HUB.as_bytes());
    }
    assert_eq!(first_word(&read()), "hub");
    folder.write("msr_paraphrase_train.txt", original.as_bytes());
    folder.write("msr_paraphrase_test.txt", original.as_bytes());
    assert_eq!(first_word(&read()), "original");
    // An incomplete layout is not used.
    folder.write("glue_train.tsv", GLUE.as_bytes());
    assert_eq!(first_word(&read()), "original");
    folder.write("glue_dev.tsv", GLUE.as_bytes());
    let split = read();
    assert_eq!(first_word(&split), "glue");
    assert!(split.dev[0].source.ends_with("glue_dev.tsv"));
}

#[test]
fn all_shards_of_a_set_are_required() {
    let folder = Scratch::new("glue-shards");
    let line = |word: &str| HUB.replace("hub", word);
    folder.write("train-00001-of-00002.jsonl", line("second").as_bytes());
    folder.write("validation.jsonl", HUB.as_bytes());
    let error = read(Dataset::Mrpc, folder.path()).unwrap_err();
    assert!(matches!(error, GlueError::Table(TableError::MissingShard { expected: 2, found: 1, .. })), "{error:?}");
    folder.write("train-00000-of-00002.jsonl", line("first").as_bytes());
    let split = read(Dataset::Mrpc, folder.path()).unwrap();
    let words: Vec<&str> = split.train.examples.iter().map(|example| example.first.as_str()).collect();
    assert_eq!(words, ["first", "second"]);
}

#[test]
fn both_mnli_development_sets_keep_their_names() {
    let folder = Scratch::new("glue-mnli");
    let text = |label| format!("index\tsentence1\tsentence2\tlabel1\tgold_label\n0\ta\tb\t{label}\t{label}\n");
    folder.write("train.tsv", text("neutral").as_bytes());
    folder.write("dev_matched.tsv", text("contradiction").as_bytes());
    let error = read(Dataset::Mnli, folder.path()).unwrap_err();
    assert!(error.to_string().contains("dev_mismatched.tsv"), "{error}");
    folder.write("dev_mismatched.tsv", text("entailment").as_bytes());
    let split = read(Dataset::Mnli, folder.path()).unwrap();
    let sets: Vec<_> = split.dev.iter().map(|part| (part.name, part.examples[0].target.clone())).collect();
    assert_eq!(sets, [("matched", Target::Class(2)), ("mismatched", Target::Class(0))]);
    let scores: Vec<String> = Dataset::Mnli.scores().iter().map(ToString::to_string).collect();
    assert_eq!(scores, ["accuracy", "accuracy matched", "accuracy mismatched"]);
    let scores: Vec<String> = Dataset::Stsb.scores().iter().map(ToString::to_string).collect();
    assert_eq!(scores, ["pearson", "spearman"]);
}

#[test]
fn errors_for_missing_files_list_all_expected_names() {
    let folder = Scratch::new("glue-missing");
    let error = read(Dataset::Mrpc, folder.path()).unwrap_err();
    assert!(matches!(error, GlueError::MissingData { .. }), "{error:?}");
    let text = error.to_string();
    for name in ["train.tsv", "dev.tsv", "glue_dev.tsv", "msr_paraphrase_test.txt", "validation.parquet"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let error = read_tests(Dataset::Mrpc, folder.path()).unwrap_err();
    assert!(error.to_string().contains("test.tsv"), "{error}");
}

#[test]
fn invalid_utf8_is_reported_with_its_line() {
    let folder = Scratch::new("glue-latin1");
    folder.write("train.tsv", b"gj04\t1\t\tIt is.\ngj04\t1\t\tcaf\xe9\n");
    folder.write("dev.tsv", b"gj04\t1\t\tIt is.\n");
    let error = read(Dataset::Cola, folder.path()).unwrap_err();
    assert!(matches!(error, GlueError::Table(TableError::NotUtf8 { line: 2, .. })), "{error:?}");
}

/// GLUE's test files, including CoLA's, have a header and no labels.
#[test]
fn test_sets_are_read_and_submissions_are_written() {
    let folder = Scratch::new("glue-submission");
    folder.write("test.tsv", b"index\tsentence\n0\tIt is.\n1\tIs it \"it.\n");
    let tests = read_tests(Dataset::Cola, folder.path()).unwrap();
    assert_eq!(tests[0].examples[1].first, "Is it \"it.");
    assert_eq!(tests[0].examples[1].target, Target::Unknown);
    let answers = vec![vec![Target::Class(1), Target::Class(0)]];
    let written = write_submission(Dataset::Cola, &answers, &folder.path().join("out")).unwrap();
    assert_eq!(written, [folder.path().join("out/CoLA.tsv")]);
    assert_eq!(std::fs::read_to_string(&written[0]).unwrap(), "index\tprediction\n0\t1\n1\t0\n");
    assert_eq!(Dataset::Rte.row().answers.spell(&Target::Class(1)), "not_entailment");
    assert_eq!(Dataset::Stsb.row().answers.spell(&Target::Score(5.25)), "5.000");
}

#[test]
fn hub_files_of_a_data_set_are_selected() {
    let test = "mnli/test_matched-00000-of-00001.parquet";
    assert!(Dataset::Mnli.is_hub_file(test, true) && !Dataset::Mnli.is_hub_file(test, false));
    assert!(Dataset::Sst2.is_hub_file("sst2/train-00000-of-00001.parquet", false));
    for other in ["sst2x/train.parquet", "README.md", "sst2/README.md", "mrpc/train-00000-of-00001.parquet"] {
        assert!(!Dataset::Sst2.is_hub_file(other, false), "{other}");
    }
}

#[test]
fn numeric_cells_are_converted_and_lists_are_rejected() {
    let folder = Scratch::new("glue-cells");
    let line = |sentence: &str, label: &str| format!("{{\"sentence\": {sentence}, \"label\": {label}}}\n");
    folder.write("validation.jsonl", line("\"a\"", "0").as_bytes());
    folder.write("train.jsonl", (line("7", "1.0") + &line("\"b\"", "false")).as_bytes());
    let train = read(Dataset::Sst2, folder.path()).unwrap().train.examples;
    let found: Vec<_> = train.iter().map(|one| (one.first.as_str(), one.target.clone(), one.line)).collect();
    assert_eq!(found, [("7", Target::Class(1), 1), ("b", Target::Class(0), 2)]);
    // The Hub's test sets have -1 in the label column.
    folder.write("test.jsonl", line("\"a\"", "-1").as_bytes());
    assert_eq!(read_tests(Dataset::Sst2, folder.path()).unwrap()[0].examples[0].target, Target::Unknown);
    folder.write("train.jsonl", line("[\"a\"]", "1").as_bytes());
    let error = read(Dataset::Sst2, folder.path()).unwrap_err();
    assert!(
        matches!(&error, GlueError::Table(TableError::MissingValue { line: 1, column, .. }) if column == "sentence"),
        "{error:?}"
    );
    folder.write("train.jsonl", (line("\"a\"", "1") + &line("\"a\"", "2")).as_bytes());
    let error = read(Dataset::Sst2, folder.path()).unwrap_err();
    assert!(error.to_string().contains("train.jsonl:2: label `2`"), "{error}");
}

#[test]
fn generated_sets_have_the_same_form_as_real_ones() {
    for dataset in Dataset::ALL {
        let split = generated(*dataset, 0);
        assert_eq!(split.dev.len(), dataset.row().parts.len());
        assert_eq!(split.train.examples.len(), 3000);
        assert!(split.dev.iter().all(|part| part.examples.len() == 500), "{dataset}");
        let pair = split.train.examples[0].second.is_some();
        assert_eq!(pair, !matches!(dataset, Dataset::Cola | Dataset::Sst2));
    }
}

/// The numbers of rows and MRPC's majority class in the development set are from INDEX.md, and the sizes of the samples from
/// `wc -l`.
#[test]
fn real_files_are_read() {
    let Some(shared) = crate::scratch::shared() else {
        return;
    };
    let data = shared.join("data");
    for (dataset, train, dev) in [
        (Dataset::Mrpc, 3668, 408),
        (Dataset::Cola, 8551, 1043),
        (Dataset::Rte, 2490, 277),
        (Dataset::Stsb, 5749, 1500),
        (Dataset::Sst2, 67349, 872),
    ] {
        // The folder of all data sets has a subfolder for each data set.
        let split = read(dataset, &data).unwrap();
        assert_eq!((split.train.examples.len(), split.dev[0].examples.len()), (train, dev), "{dataset}");
        assert!(split.dev[0].examples.iter().all(|example| !example.first.is_empty()), "{dataset}");
    }
    let mrpc = read(Dataset::Mrpc, &data).unwrap();
    assert_eq!(mrpc.dev[0].examples.iter().filter(|example| example.target == Target::Class(1)).count(), 279);
    let original = Scratch::new("glue-original");
    for name in ["msr_paraphrase_train.txt", "msr_paraphrase_test.txt"] {
        original.write(name, &std::fs::read(data.join("MRPC").join(name)).unwrap());
    }
    let split = read(Dataset::Mrpc, original.path()).unwrap();
    assert_eq!((split.train.examples.len(), split.dev[0].examples.len()), (4076, 1725));

    // The Hub's Parquet files contain the same rows as GLUE's TSV files.
    let (tsv, hub) = (read(Dataset::Rte, &data).unwrap(), read(Dataset::Rte, &data.join("RTE/hf")).unwrap());
    let rows = |part: &Part| -> Vec<(String, Option<String>, Target)> {
        part.examples.iter().map(|one| (one.first.clone(), one.second.clone(), one.target.clone())).collect()
    };
    assert_eq!(rows(&tsv.train), rows(&hub.train));
    assert_eq!(rows(&tsv.dev[0]), rows(&hub.dev[0]));
    let tests = read_tests(Dataset::Rte, &data.join("RTE/hf")).unwrap();
    assert_eq!(tests[0].examples.len(), 3000);
    assert!(tests[0].examples.iter().all(|example| example.target == Target::Unknown));

    for (dataset, folder, tests) in [
        (Dataset::Mnli, "mnli/dummy_data/MNLI", &[1, 1][..]),
        (Dataset::Qnli, "qnli/dummy_data/QNLI", &[1]),
        (Dataset::Rte, "rte/dummy_data/RTE", &[1]),
        (Dataset::Sst2, "sst2/dummy_data/SST-2", &[1]),
        (Dataset::Stsb, "stsb/dummy_data/SST-B", &[1]),
        (Dataset::Cola, "cola/dummy_data/CoLA", &[1]),
    ] {
        let folder = data.join("GLUE-samples").join(folder);
        assert_eq!(read(dataset, &folder).unwrap().train.examples.len(), 3, "{dataset}");
        let sizes: Vec<usize> = read_tests(dataset, &folder).unwrap().iter().map(|part| part.examples.len()).collect();
        assert_eq!(sizes, tests, "{dataset}");
    }
}

/// Settings are chosen by scores on held-out training examples. No run is trained on these examples to choose a setting, and the
/// development sets are not used.
#[test]
fn held_out_examples_come_from_the_training_set() {
    use crate::task::Task;
    for dataset in [Dataset::Mnli, Dataset::Rte, Dataset::Stsb] {
        let whole = generated(dataset, task::DATA_SEED);
        let found = Glue::from(dataset).hold_out(whole.clone(), 0.2);
        let count = whole.train.examples.len();
        assert_eq!(found.dev.len(), whole.dev.len());
        for (held, dev) in found.dev.iter().zip(&whole.dev) {
            assert_eq!((held.examples.len(), held.name), (count / 5, dev.name));
            let mut all = [found.train.examples.clone(), held.examples.clone()].concat();
            all.sort_by_key(|example| example.line);
            let mut train = whole.train.examples.clone();
            train.sort_by_key(|example| example.line);
            assert_eq!(all, train);
        }
        let again = Glue::from(dataset).hold_out(whole, 0.2);
        assert_eq!(again, found);
    }
}
