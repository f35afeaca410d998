#![allow(clippy::unwrap_used)]

use asym_data::HubOptions;
use asym_train::Source;

use super::*;
use crate::TaskError;
use crate::files::Files;
use crate::scratch::Scratch;
use crate::task::{Task, TaskInfo};

/// Writes folders with `count` files. The files are not valid pictures.
fn tree(name: &str, folders: &[(&str, usize)]) -> Scratch {
    let scratch = Scratch::new(name);
    for (folder, count) in folders {
        std::fs::create_dir_all(scratch.path().join(folder)).unwrap();
        (0..*count).for_each(|at| scratch.write(&format!("{folder}/{at}.jpg"), b"a picture"));
    }
    scratch
}

fn read(folder: &Scratch, task: &ImageClassification) -> Result<ImageData, TaskError> {
    task.read(&Files::new(folder.path().to_str(), HubOptions::default()))
}

fn sizes(data: &ImageData) -> (usize, Option<usize>, Option<usize>) {
    (data.train.len(), data.dev.as_ref().map(|dev| dev.len()), data.test.as_ref().map(|test| test.len()))
}

#[test]
fn common_folder_names_of_sets_are_recognized() {
    let task = ImageClassification::default();
    for (name, folders, expected) in [
        ("ic-plain", vec![("cat", 5), ("dog", 7)], (12, None, None)),
        ("ic-val", vec![("train/cat", 5), ("train/dog", 7), ("val/cat", 2), ("val/dog", 1)], (12, Some(3), None)),
        ("ic-caps", vec![("Train/cat", 5), ("Train/dog", 7), ("Validation/dog", 1)], (12, Some(1), None)),
        ("ic-test", vec![("train/cat", 5), ("train/dog", 7), ("test/cat", 2)], (12, Some(2), None)),
        ("ic-all", vec![("train/cat", 5), ("train/dog", 7), ("dev/cat", 2), ("test/dog", 4)], (12, Some(2), Some(4))),
    ] {
        let data = read(&tree(name, &folders), &task).unwrap();
        assert_eq!(sizes(&data), expected, "{name}");
        assert_eq!(task.settled(&data).labels(), ["cat", "dog"], "{name}");
    }
}

#[test]
fn classes_missing_from_the_evaluation_keep_their_index() {
    let task = ImageClassification::default();
    let data = read(&tree("ic-place", &[("train/ant", 2), ("train/cat", 2), ("train/dog", 2), ("dev/dog", 3)]), &task)
        .unwrap();
    assert!(data.dev.unwrap().pictures().all(|(class, _)| class == 2));
}

#[test]
fn a_share_of_each_class_is_held_out() {
    let folder = tree("ic-share", &[("cat", 20), ("dog", 80)]);
    let task = ImageClassification::default();
    let data = read(&folder, &task).unwrap();
    let lines = task.describe(&data).join("\n");
    assert!(
        lines.contains("100 pictures; 20 % of each class, drawn with seed 0") && lines.contains("cat 20, dog 80"),
        "{lines}"
    );
    let processor = asym_data::ImageProcessor::new(8, 8).unwrap();
    let augmentation = asym_data::Augmentation::DOMAINBED;
    let pictures = crate::images::Pictures::new(std::slice::from_ref(&data.train), processor, augmentation);
    let pictures = std::sync::Arc::new(pictures);
    let (train, evaluation) = task.sources(&pictures, 1);
    let dev = &evaluation.sets[0].source;
    assert_eq!((train.len(), dev.len()), (80, 20));
    assert_eq!((0..20).filter(|at| dev.class(*at) == 0).count(), 4);
    assert_eq!(evaluation.constant["majority"], 0.8);
    assert!(train.members().iter().all(|place| !dev.members().contains(place)));
    // All runs of a table have the same split.
    assert_eq!(task.sources(&pictures, 2).0.members(), train.members());
    // A learning rate is chosen on held-out training pictures.
    let share = task.hold_out(data, 0.25).held_out;
    let choosing = std::sync::Arc::new((*pictures).clone().holding_out(share));
    let (rest, choice) = task.sources(&choosing, 1);
    let held = &choice.sets[0].source;
    assert_eq!((rest.len(), held.len(), choice.sets.len()), (60, 20, 1));
    assert_eq!((0..20).filter(|at| held.class(*at) == 0).count(), 4);
    assert!(held.members().iter().all(|place| train.members().contains(place) && !rest.members().contains(place)));
}

#[test]
fn test_pictures_do_not_choose_a_learning_rate() {
    let folder = tree("ic-choice", &[("train/cat", 10), ("train/dog", 10), ("dev/cat", 3), ("test/dog", 4)]);
    let task = ImageClassification::default();
    let data = task.hold_out(read(&folder, &task).unwrap(), 0.2);
    assert!(task.describe(&data)[0].ends_with("; 20 % of the rest of each class are held out to choose settings"));
    let sets = [data.train, data.dev.unwrap(), data.test.unwrap()];
    let processor = asym_data::ImageProcessor::new(8, 8).unwrap();
    let pictures = crate::images::Pictures::new(&sets, processor, asym_data::Augmentation::DOMAINBED);
    let pictures = std::sync::Arc::new(pictures.holding_out(data.held_out));
    let (train, evaluation) = task.sources(&pictures, 1);
    assert_eq!((train.len(), evaluation.sets.len(), evaluation.sets[0].source.len()), (16, 1, 4));
    assert!(evaluation.sets[0].source.members().iter().all(|place| *place < 20));
}

#[test]
fn folders_that_are_not_classes_are_rejected() {
    let task = ImageClassification::default();
    let share =
        ImageClassification { options: ImageClassificationOptions { dev_share: Some(1.5), ..Default::default() } };
    for (name, folders, task, part) in [
        (
            "ic-environments",
            vec![("photo/cat", 2), ("sketch/cat", 2)],
            &task,
            "none of them is called train; use a folder",
        ),
        ("ic-files", vec![(".", 3)], &task, "no folder of a class with pictures"),
        ("ic-one", vec![("cat", 3)], &task, "all pictures are of the class `cat`"),
        ("ic-few", vec![("cat", 3), ("dog", 1)], &task, "has too few pictures to be divided: 1;"),
        (
            "ic-new",
            vec![("train/cat", 3), ("train/dog", 3), ("dev/Dog", 2)],
            &task,
            "train: no picture of the class `Dog`, which dev has",
        ),
        ("ic-empty", vec![("train/cat", 3), ("train/dog", 3), ("dev/dog", 0)], &task, "dev: no picture"),
        ("ic-dev-share", vec![("cat", 3), ("dog", 3)], &share, "`dev_share` is 1.5"),
    ] {
        let message = read(&tree(name, &folders), task).unwrap_err().to_string();
        println!("{name}: {message}");
        assert!(message.contains(part), "{name}: `{part}` in: {message}");
    }
    let message = task.read(&Files::new(None, HubOptions::default())).unwrap_err().to_string();
    assert!(message.contains("--data pictures"), "{message}");
}
