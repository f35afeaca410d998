//! Checkpoint, tokenizer and generated tasks fit together.
#![allow(clippy::unwrap_used, missing_docs)]

use asym::embedded;
use asym::tasks::glue::generated;
use asym::tasks::{Prepared, Task, grammar};

#[test]
fn checkpoint_tokenizer_and_tasks_fit_together() {
    let base = embedded::roberta_mini().unwrap();
    for task in Task::ALL {
        // A token for each word: with the marks around a pair, nothing is cut at 64.
        let data = Prepared::new(*task, &generated(*task, 0), &base, 64).unwrap();
        assert_eq!((data.train.len(), data.dev.len()), (grammar::TRAIN_SIZE, data.parts.len() * grammar::DEV_SIZE));
        let longest = data.train.iter().chain(&*data.dev).map(|example| example.input_ids.len()).max().unwrap();
        assert!(longest < 64, "{task}: {longest}");
        let unknown = base.tokenizer.token_id("<unk>").unwrap() as u32;
        assert!(data.dev.iter().all(|example| !example.input_ids.contains(&unknown)), "{task}");
    }
}
