//! Checkpoint, tokenizer and generated tasks fit together.
#![allow(clippy::unwrap_used, missing_docs)]

use asym::core::layout;
use asym::embedded;
use asym::models::{Loaded, SequenceClassifier};
use asym::tasks::Task;
use asym::tasks::glue::{DEV_SIZE, Dataset, Glue, GlueOptions, TRAIN_SIZE, generated};
use asym::train::Dtype;
use burn::tensor::Device;

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

/// The checkpoint is read once. A head that is drawn later is the one that reading the checkpoint again would draw.
#[test]
fn the_weights_are_read_once_for_all_runs() {
    let (base, device) = (embedded::roberta_mini().unwrap(), Device::default());
    assert!(base.read::<SequenceClassifier>(Dtype::F32, &device).unwrap().is_some());
    for (labels, seed) in [(2, 1), (3, 1), (1, 7)] {
        let shared: Loaded<SequenceClassifier> = base.load((Some(labels), false), Dtype::F32, seed, &device).unwrap();
        let read = base.checkpoint.sequence_classifier(Some(labels), seed, &device).unwrap();
        let values = |model: &SequenceClassifier| layout::collect(model, &model.naming(), |_| true);
        assert_eq!(values(&shared.model), values(&read.model));
        assert_eq!(shared.initialized, read.initialized);
        assert_eq!(shared.model.config(), read.model.config());
    }
    assert!(base.read::<SequenceClassifier>(Dtype::F32, &device).unwrap().is_none());
}
