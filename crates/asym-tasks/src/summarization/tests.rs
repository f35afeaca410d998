#![allow(clippy::unwrap_used)]

use asym_data::HubOptions;
use asym_models::generation::GenerationConfig;
use asym_train::Tuning;

use super::*;
use crate::files::Files;
use crate::scratch::{Scratch, shared};
use crate::task::{Scale, Task, TaskInfo};
use crate::{Recipe, TaskError};

fn own() -> Summarization {
    let options = SummarizationOptions {
        text: Some("report".into()),
        summary: Some("abstract".into()),
        ..SummarizationOptions::default()
    };
    Summarization { benchmark: None, options }
}

fn read(task: &Summarization, folder: &Scratch, name: &str) -> Result<SummarizationData, TaskError> {
    let path = folder.path().join(name).display().to_string();
    task.read(&Files::new(Some(&path), HubOptions::default()))
}

#[test]
fn every_form_of_a_file_and_a_folder_is_read() {
    let folder = Scratch::new("summarization-forms");
    let rows: Vec<(String, String)> =
        (0..10).map(|at| (format!("A \"long\" text, number {at}.\nMore."), format!("Short {at}"))).collect();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let csv: String = rows.iter().map(|(text, short)| format!("{short},{}\n", quoted(text))).collect();
    folder.write("a.csv", format!("abstract,report\n{csv}").as_bytes());
    folder.write("a.tsv", format!("abstract\treport\n{}", csv.replace(",\"A", "\t\"A")).as_bytes());
    let line = |(text, short): &(String, String)| serde_json::json!({"report": text, "abstract": short}).to_string();
    let lines: Vec<String> = rows.iter().map(line).collect();
    folder.write("a.jsonl", lines.join("\n").as_bytes());
    folder.write("a.json", format!("[{}]", lines.join(",")).as_bytes());
    let texts = |documents: &Documents| -> Vec<(String, String)> {
        documents.rows.iter().map(|row| (row.text.clone(), row.summary.clone())).collect()
    };
    let expected = read(&own(), &folder, "a.csv").unwrap();
    assert_eq!((expected.train.rows.len(), expected.dev.rows.len()), (8, 2));
    for name in ["a.tsv", "a.jsonl", "a.json"] {
        let found = read(&own(), &folder, name).unwrap();
        assert_eq!((texts(&found.train), texts(&found.dev)), (texts(&expected.train), texts(&expected.dev)), "{name}");
    }
    let settled = own().settled(&expected);
    assert_eq!((settled.options.dev_share, settled.options.split_seed), (Some(0.2), Some(0)));
    assert!(
        own().describe(&expected)[0].contains("8 documents to train on and 2 to evaluate on, 20 % drawn with seed 0")
    );

    // The layout of the Hub's converted data sets, with the benchmark's columns, and a row without a document.
    let xsum = Summarization::named("xsum", SummarizationOptions::default()).unwrap().resolved(Scale::Paper);
    let renamed = lines.join("\n").replace("\"report\"", "\"document\"").replace("\"abstract\"", "\"summary\"");
    for set in ["train", "validation"] {
        std::fs::create_dir_all(folder.path().join("hub/default").join(set)).unwrap();
        folder.write(&format!("hub/default/{set}/0000.jsonl"), renamed.as_bytes());
    }
    folder.write(
        "hub/default/validation/0001.jsonl",
        b"{\"document\": \"\", \"summary\": \"s\"}\n{\"document\": \"d\", \"summary\": \"s\"}\n",
    );
    let found = read(&xsum, &folder, "hub").unwrap();
    assert_eq!((found.train.rows.len(), found.dev.rows.len(), found.dev.empty.as_slice()), (10, 11, &[1][..]));
    assert!(xsum.describe(&found)[1].contains("because the document or the summary is empty: 1, the first in line 1"));
    let few = SummarizationOptions { eval_examples: Some(3), ..xsum.options.clone() };
    let few = Summarization { options: few, ..xsum.clone() };
    assert_eq!(read(&few, &folder, "hub").unwrap().dev.rows.len(), 3);
    let files = |name: &str| Files::new(Some(&folder.path().join(name).display().to_string()), HubOptions::default());
    assert_eq!(few.read_set(&files("hub"), "validation").unwrap().rows.len(), 3);
    assert_eq!(own().read_set(&files("a.csv"), "validation").unwrap().rows.len(), 10);
    let error = xsum.read_set(&files("hub"), "test").unwrap_err().to_string();
    assert!(error.contains("no set test"), "{error}");

    // Without a header, columns are numbers.
    folder.write("b.csv", csv.as_bytes());
    let numbered = SummarizationOptions {
        header: Some(false),
        text: Some("2".into()),
        summary: Some("1".into()),
        ..SummarizationOptions::default()
    };
    let found = read(&Summarization { benchmark: None, options: numbered }, &folder, "b.csv").unwrap();
    assert_eq!(texts(&found.train), texts(&expected.train));
}

#[test]
fn benchmarks_use_the_settings_of_the_paper() {
    let task = |name: &str| Summarization::named(name, SummarizationOptions::default()).unwrap().resolved(Scale::Paper);
    let settings = |name: &str| {
        let training = task(name).defaults(Scale::Paper, &Tuning::Head);
        let batch = training.batch_size * training.gradient_accumulation;
        (task(name).lengths(1024), task(name).options.num_beams, training.epochs, batch, training.learning_rate)
    };
    assert_eq!(settings("xsum"), ((768, 64), Some(8), 25, 48, 5e-4));
    assert_eq!(settings("cnn-dailymail"), ((1024, 160), Some(4), 15, 48, 5e-4));
    assert_eq!(settings("summarization").0, (1024, 128));
    assert_eq!(task("summarization").lengths(40), (40, 40));
    assert_eq!(task("xsum").layers().attention, ["q_proj", "k_proj", "v_proj"]);
    let text = "tasks = [\"xsum\"]\nseeds = [1]\ntuning = \"full\"\n[task]\nmax_target_length = 32";
    let recipe = Recipe::parse(std::path::Path::new("recipe"), text, &[]).unwrap();
    let options = recipe.runs().next().unwrap().task.options();
    assert_eq!((options["max_target_length"].as_integer(), options["text"].as_str()), (Some(32), Some("document")));
}

/// The settings of the checkpoint are used, except for the length and the beams.
#[test]
fn beam_search_uses_the_settings_of_the_checkpoint() {
    let file =
        r#"{"no_repeat_ngram_size": 3, "max_length": 20, "max_new_tokens": 7, "num_beams": 4, "early_stopping": true}"#;
    let own_settings = GenerationConfig::parse(file, std::path::Path::new("generation_config.json")).unwrap();
    let xsum = Summarization { benchmark: Some(Benchmark::Xsum), ..own() };
    let search = xsum.generation(&own_settings, 64).unwrap().resolve(1, Some(1024), 100).unwrap();
    assert_eq!((search.num_beams, search.max_new_tokens, search.no_repeat_ngram_size), (8, 63, 3));
    assert_eq!(own().generation(&own_settings, 10).unwrap().resolve(1, None, 100).unwrap().num_beams, 4);
}

/// Without files and without columns, reports are generated; a benchmark and a user's columns need files.
#[test]
fn reports_are_generated_if_no_files_are_given() {
    let none = || Files::new(None, HubOptions::default());
    let task = Summarization::default().resolved(Scale::Embedded);
    let data = task.read(&none()).unwrap();
    assert_eq!((data.train.rows.len(), data.dev.rows.len()), (2000, 200));
    assert_eq!(
        task.describe(&data)[0],
        "generated train, seed 0: 2000 documents to train on; generated dev, seed 0: 200 to evaluate on"
    );
    assert_eq!(task.read_set(&none(), "validation").unwrap().rows, data.dev.rows);
    assert_eq!(task.read_set(&none(), "train").unwrap().rows, data.train.rows);
    let error = task.read_set(&none(), "test").unwrap_err().to_string();
    assert!(error.contains("split") && error.contains("train or validation"), "{error}");
    let few = Summarization { options: SummarizationOptions { eval_examples: Some(3), ..Default::default() }, ..task };
    assert_eq!(few.read(&none()).unwrap().dev.rows, data.dev.rows[..3]);
    for task in [own(), Summarization { benchmark: Some(Benchmark::Xsum), ..Summarization::default() }] {
        let error = task.read(&none()).unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
    }
}

/// The real files, if they are available.
#[test]
fn real_files_are_read() {
    let Some(data) = shared().map(|shared| shared.join("data")) else { return };
    let read = |name: &str, path: &str| {
        let task = Summarization::named(name, SummarizationOptions::default()).unwrap();
        let path = data.join(path).display().to_string();
        task.read_set(&Files::new(Some(&path), HubOptions::default()), "validation").unwrap()
    };
    let (xsum, cnndm) = (read("xsum", "xsum/test_200.jsonl"), read("cnn-dailymail", "cnndm/train_sample.csv"));
    assert_eq!((xsum.rows.len(), xsum.empty.len(), cnndm.rows.len(), cnndm.empty.len()), (200, 0, 100, 0));
    assert!(cnndm.rows[0].summary.contains('\n'), "highlights are lines");
}
