//! Checkpoint, tokenizer and generated tasks fit together.
#![allow(clippy::unwrap_used, missing_docs)]

use asym::embedded;
use asym::tasks::Task;
use asym::tasks::glue::{DEV_SIZE, Dataset, Glue, GlueOptions, TRAIN_SIZE, generated};

#[test]
fn checkpoint_tokenizer_and_tasks_fit_together() {
    let base = embedded::roberta_mini().unwrap();
    for dataset in Dataset::ALL {
        // A token for each word: with the marks around a pair, nothing is cut at 64.
        let task = Glue { dataset: *dataset, options: GlueOptions { max_length: Some(64) } };
        let data = task.prepare(generated(*dataset, 0), &base).unwrap();
        let (train, dev) = (data.train.all(), data.evaluation.dev.all());
        assert_eq!((train.len(), dev.len()), (TRAIN_SIZE, data.evaluation.parts.len() * DEV_SIZE));
        let longest = train.iter().chain(dev).map(|example| example.input_ids.len()).max().unwrap();
        assert!(longest < 64, "{dataset}: {longest}");
        let unknown = base.tokenizer().unwrap().token_id("<unk>").unwrap() as u32;
        assert!(dev.iter().all(|example| !example.input_ids.contains(&unknown)), "{dataset}");
    }
}
