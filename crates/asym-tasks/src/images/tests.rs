#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use asym_data::pictures::{Class, Collection};
use asym_data::{Augmentation, ImageProcessor, PictureFile};
use asym_train::{Order, Source};
use burn::tensor::Device;

use super::*;
use crate::metrics::Metric;

/// A picture of one color with a darker left half, as a BMP file of `side` pixels, which is a multiple of 4.
fn bitmap(side: u32, color: [u8; 3]) -> Vec<u8> {
    let size = 54 + 3 * side * side;
    let mut bytes = b"BM".to_vec();
    for word in [size, 0, 54, 40, side, side] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    for pixel in 0..side * side {
        let shade = if pixel % side < side / 2 { 2 } else { 1 };
        bytes.extend(color.map(|sample| sample / shade));
    }
    bytes
}

/// A collection of `count` pictures of each class; the pictures of a class differ in their brightness.
fn collection(name: &str, classes: &[(&str, usize)]) -> Collection {
    let picture = |class: &str, at: usize| {
        let bytes = bitmap(16, [40 + 10 * at as u8, 200, class.len() as u8]);
        PictureFile::bytes(format!("{name}/{class}/{at}.bmp"), bytes)
    };
    let class = |(class, count): &(&str, usize)| Class {
        name: class.to_string(),
        pictures: (0..*count).map(|at| picture(class, at)).collect(),
    };
    Collection { name: name.to_string(), classes: classes.iter().map(class).collect() }
}

fn processor() -> ImageProcessor {
    ImageProcessor::new(8, 8).unwrap()
}

fn pictures() -> Arc<Pictures> {
    let sets = [collection("a", &[("cat", 4), ("dog", 6)]), collection("b", &[("cat", 2), ("dog", 0)])];
    Arc::new(Pictures::new(&sets, processor(), Augmentation::DOMAINBED))
}

#[test]
fn pictures_have_the_right_sets_and_classes() {
    let pictures = pictures();
    assert_eq!(pictures.sets(), [("a".to_string(), 0..10), ("b".to_string(), 10..12)]);
    let classes: Vec<usize> = pictures.members().iter().map(|member| member.class).collect();
    assert_eq!(classes, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]);
    assert_eq!(*pictures.classes, ["cat", "dog"].map(String::from));
}

#[test]
fn augmentation_depends_only_on_seed_epoch_and_picture() {
    let pictures = pictures();
    let values = |index, augment, epoch| pictures.values(index, augment, epoch).unwrap().values;
    let each = values(3, Augment::EachEpoch(1), 0);
    assert_eq!(values(3, Augment::EachEpoch(1), 0), each);
    for (other, what) in [
        (values(3, Augment::EachEpoch(1), 1), "epoch"),
        (values(3, Augment::EachEpoch(2), 0), "seed"),
        (values(3, Augment::Once(1), 0), "purpose"),
        (values(3, Augment::Never, 0), "nothing"),
    ] {
        assert_ne!(other, each, "{what} changes nothing");
    }
    assert_eq!(values(3, Augment::Once(1), 0), values(3, Augment::Once(1), 7));
    assert_eq!(values(3, Augment::Never, 0), values(3, Augment::Never, 7));
}

/// A batch contains the pictures in the order of its indices, regardless of the thread that created it.
#[test]
fn batches_contain_pictures_in_index_order() {
    let pictures = pictures();
    let source = ImageSource::new(Arc::clone(&pictures), vec![11, 4, 0], Augment::EachEpoch(5));
    assert_eq!((source.len(), source.class(1)), (3, 1));
    let device = Device::default();
    let batch = source.collate(&[2, 1], 3, &device).unwrap();
    assert_eq!(batch.input.pixel_values.dims(), [2, 3, 8, 8]);
    assert_eq!(batch.classes.into_data().iter::<i64>().collect::<Vec<_>>(), [0, 1]);
    let found: Vec<f32> = batch.input.pixel_values.into_data().iter::<f32>().collect();
    let own = |index| pictures.values(index, Augment::EachEpoch(5), 3).unwrap().values;
    assert_eq!(found, [own(0), own(4)].concat());
    let loader = asym_train::Loader::new(Arc::new(source), 2, Order::Sequential, &device).unwrap();
    let batches = loader.epoch(3).map(|batch| batch.unwrap().indices).collect::<Vec<_>>();
    assert_eq!(batches, [vec![0, 1], vec![2]]);
}

#[test]
fn broken_pictures_are_named_and_can_be_skipped() {
    let sound = || [collection("a", &[("cat", 4), ("dog", 6)]), collection("b", &[("cat", 2), ("dog", 2)])];
    assert!(decode_all(&mut sound(), &processor(), Broken::Refuse).unwrap().is_empty());
    let broken = || {
        let mut sets = sound();
        let cut = bitmap(16, [9; 3])[..200].to_vec();
        sets[0].classes[1].pictures[2] = PictureFile::bytes("a/dog/cut.bmp", cut);
        sets[1].classes[0].pictures[0] = PictureFile::bytes("b/cat/page.html", b"<html>not a picture</html>".to_vec());
        sets[1].classes[0].pictures[1] = PictureFile::file(Path::new("b/cat/gone.png"));
        sets
    };
    let message = decode_all(&mut broken(), &processor(), Broken::Refuse).unwrap_err().to_string();
    for part in [
        "3 of 14 pictures cannot be read",
        "task.broken=skip",
        "a/dog/cut.bmp",
        "b/cat/page.html: not a picture",
        "b/cat/gone.png",
    ] {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
    let mut sets = broken();
    let lines = decode_all(&mut sets, &processor(), Broken::Skip).unwrap();
    assert!(lines[0].contains("3 of 14 pictures") && lines.len() == 4, "{lines:?}");
    let left: Vec<usize> = sets.iter().flat_map(|set| set.classes.iter().map(|class| class.pictures.len())).collect();
    assert_eq!(left, [4, 5, 0, 2]);
    assert!(sets[0].pictures().all(|(_, file)| !file.name().contains("cut")));
    // All cats of b were skipped, so the tasks reject the data.
    let message = same_classes(&mut sets).unwrap_err().to_string();
    assert!(message.contains("b: no picture of the class `cat`"), "{message}");
}

#[test]
fn all_sets_must_have_the_same_classes() {
    let mut sets = [collection("a", &[("cat", 1), ("cow", 0), ("dog", 1)]), collection("b", &[("cat", 1), ("dog", 1)])];
    assert_eq!(same_classes(&mut sets).unwrap(), ["cat", "dog"]);
    assert_eq!(sets[0].classes.len(), 2, "a folder without pictures is not a class");
    // A similar name is reported only if the other set lacks it.
    let with = |last: &[(&str, usize)]| {
        let mut sets = ["a", "b"].map(|name| collection(name, &[("cat", 1), ("dog", 1)])).to_vec();
        sets.push(collection("c", last));
        same_classes(&mut sets).unwrap_err().to_string()
    };
    let message = with(&[("cat", 1), ("dogs", 1)]);
    assert!(
        message.contains("a: no picture of the class `dogs`, which c has (a has `dog`, a similar name)"),
        "{message}"
    );
    let message = with(&[("cat", 1), ("dog", 1), ("dogs", 1)]);
    assert!(message.contains("`dogs`, which c has;"), "{message}");
}

#[test]
fn scores_cover_sets_classes_and_differences() {
    let set = ImageSet {
        name: "a".into(),
        // Two cats and four dogs.
        source: Arc::new(ImageSource::new(pictures(), vec![0, 1, 4, 5, 6, 7], Augment::Never)),
        last: false,
        metrics: vec![SetMetric { metric: Metric::Accuracy, score: "a".into() }],
    };
    let mut scores = set.scores(&[0, 1, 1, 1, 1, 0]);
    let expected = [("a", 4.0 / 6.0), ("a/cat", 0.5), ("a/dog", 0.75)];
    assert_eq!(scores, expected.map(|(name, score)| (name.to_string(), score)).into());
    scores.insert("b".into(), 0.5);
    let name = String::from;
    let mean = Derived::Mean { score: name("mean"), of: vec![name("a"), name("b")] };
    assert_eq!(mean.of(&scores), Some((name("mean"), (4.0 / 6.0 + 0.5) / 2.0)));
    let gap = |minus: &str| Derived::Difference { score: name("gap"), from: name("a"), minus: minus.to_string() };
    assert_eq!(gap("a/cat").of(&scores), Some((name("gap"), 4.0 / 6.0 - 0.5)));
    assert_eq!(gap("c").of(&scores), None, "a set that was not evaluated has no score");
}
