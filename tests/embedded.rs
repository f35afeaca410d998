//! What is compiled in is what the project's own generator makes.
#![allow(clippy::unwrap_used, missing_docs)]

use asym::embedded;
use asym::tasks::{Prepared, Task, grammar};

/// The seed that `asym pretrain` gives the tasks.
const TASK_SEED: u64 = 0;

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn committed(name: &str) -> String {
    let path = format!("{}/models/roberta-mini/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_tasks_are_those_that_the_generator_makes() {
    let pairs = grammar::paraphrase(TASK_SEED);
    assert!(committed("paraphrase/train.tsv") == text(|out| grammar::write_mrpc(out, &pairs.train)));
    assert!(committed("paraphrase/dev.tsv") == text(|out| grammar::write_mrpc(out, &pairs.dev)));
    let judgements = grammar::acceptability(TASK_SEED);
    assert!(committed("acceptability/train.tsv") == text(|out| grammar::write_cola(out, &judgements.train)));
    assert!(committed("acceptability/dev.tsv") == text(|out| grammar::write_cola(out, &judgements.dev)));
}

#[test]
fn checkpoint_tokenizer_and_tasks_fit_together() {
    let base = embedded::roberta_mini().unwrap();
    for task in [Task::Mrpc, Task::Cola] {
        let split = embedded::data(task).unwrap();
        // A token for each word: with the marks around a pair, nothing is cut at 64.
        let data = Prepared::new(task, &split, &base, 64).unwrap();
        assert_eq!((data.train.len(), data.dev.len()), (grammar::TRAIN_SIZE, grammar::DEV_SIZE));
        let longest = data.train.iter().map(|example| example.input_ids.len()).max().unwrap();
        assert!(longest < 64, "{longest}");
        let unknown = base.tokenizer.token_id("<unk>").unwrap() as u32;
        assert!(data.dev.iter().all(|example| !example.input_ids.contains(&unknown)));
    }
}
