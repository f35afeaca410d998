//! Checks that the embedded checkpoints, their tokenizers or image processors, and the generated tasks fit together.
#![allow(clippy::unwrap_used, missing_docs)]

use asym::core::layout;
use asym::data::HubOptions;
use asym::embedded::{ALL, BART_MINI, Embedded, ROBERTA_MINI, VIT_MINI};
use asym::models::{Loaded, SequenceClassifier, VitClassifier};
use asym::tasks::drawing::{SIDE, Shape, environments};
use asym::tasks::glue::{DEV_SIZE, Dataset, Glue, GlueOptions, TRAIN_SIZE, generated};
use asym::tasks::summarization::{Document, Summarization};
use asym::tasks::{AnyTask, Files, Task};
use asym::train::Dtype;
use burn::tensor::Device;

use crate::common::scratch;

#[test]
fn the_mini_roberta_and_the_generated_sets_fit_together() {
    let base = ROBERTA_MINI.base().unwrap();
    for dataset in Dataset::ALL {
        // Each word is one token, so a pair with its special tokens is not truncated at 64 tokens.
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

#[test]
fn embedded_checkpoints_are_found_by_name_and_task() {
    for embedded in ALL {
        assert!(std::ptr::eq(Embedded::named(embedded.name).unwrap(), embedded));
    }
    assert!(Embedded::named("roberta-large").is_none());
    let of_task = |name: &str| Embedded::of_family(name.parse::<AnyTask>().unwrap().family()).unwrap().name;
    let found = [of_task("mrpc"), of_task("domainbed"), of_task("summarization")];
    assert_eq!(found, [ROBERTA_MINI.name, VIT_MINI.name, BART_MINI.name]);
}

/// The mini ViT uses the drawn images without resizing, and it was pre-trained on other shapes.
#[test]
fn the_mini_vit_and_the_drawn_pictures_fit_together() {
    let base = VIT_MINI.base().unwrap();
    let loaded = base.checkpoint.load::<VitClassifier>(Some(7), 0, &Device::default()).unwrap();
    // Each run initializes its own head.
    assert_eq!(loaded.initialized, ["classifier.weight", "classifier.bias"]);
    assert!(loaded.left_out.is_empty());
    let known = Shape::PRETRAINING.map(Shape::name);
    let processor = base.image_processor().unwrap();
    assert_eq!(processor.output_size(), Some((SIDE, SIDE)));
    for environment in environments(0).unwrap() {
        assert!(environment.classes.iter().all(|class| !known.contains(&class.name.as_str())));
        let (_, file) = environment.pictures().next().unwrap();
        let picture = processor.open(file.name(), &file.read().unwrap()).unwrap();
        assert_eq!(processor.fit(file.name(), picture.clone()).unwrap(), picture);
    }
}

/// The mini BART reads whole reports, its vocabulary contains all of their words, and beam search uses the settings in its
/// `config.json`.
#[test]
fn the_mini_bart_and_the_generated_reports_fit_together() {
    let base = BART_MINI.base().unwrap();
    let task = Summarization::default();
    let data = task.read(&Files::new(None, HubOptions::default())).unwrap();
    let words = |rows: &[Document]| rows.iter().map(|row| row.text.split(' ').count()).collect::<Vec<_>>();
    let expected = [words(&data.train.rows), words(&data.dev.rows)];
    let prepared = task.prepare(data, &base).unwrap();
    let found = [prepared.train.all(), prepared.evaluation.dev.all()];
    for (pairs, expected) in found.into_iter().zip(expected) {
        // The words are between two special tokens.
        assert!(pairs.iter().zip(expected).all(|(pair, words)| pair.source.len() == words + 2));
        let unknown = base.tokenizer().unwrap().token_id("<unk>").unwrap() as u32;
        assert!(pairs.iter().all(|pair| !pair.source.contains(&unknown) && !pair.target.contains(&unknown)));
    }
    let search = base.checkpoint.generation_config().unwrap().resolve(1, Some(128), 1000).unwrap();
    assert_eq!((search.num_beams, search.no_repeat_ngram_size), (4, 3));
}

/// The checkpoint is read once. A head that is initialized later equals the head of a checkpoint that is read again.
#[test]
fn the_weights_are_read_once_for_all_runs() {
    let (base, device) = (ROBERTA_MINI.base().unwrap(), Device::default());
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

/// A merged model needs these files in transformers.
#[test]
fn embedded_checkpoints_save_the_files_that_prepare_inputs() {
    for embedded in ALL {
        let folder = scratch(&format!("embedded-{}", embedded.name.split(' ').next().unwrap()));
        embedded.base().unwrap().save_inputs(&folder).unwrap();
        let mut files: Vec<_> =
            folder.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let is_vit = embedded.name == VIT_MINI.name;
        let expected: &[&str] =
            if is_vit { &["preprocessor_config.json"] } else { &["tokenizer.json", "tokenizer_config.json"] };
        assert_eq!(files, expected, "{}", embedded.name);
    }
}
