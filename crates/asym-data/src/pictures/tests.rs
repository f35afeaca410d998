#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::scratch::Scratch;

/// A folder with these files. The content of each file is its path.
fn tree(name: &str, files: &[&str]) -> Scratch {
    let folder = Scratch::new(name);
    for file in files {
        std::fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        folder.write(file, file.as_bytes());
    }
    folder
}

/// The name of each class with the paths of its pictures relative to `folder`.
fn listed(collection: &Collection, folder: &Path) -> Vec<(String, Vec<String>)> {
    let name = |file: &PictureFile| Path::new(file.name()).strip_prefix(folder).unwrap().display().to_string();
    let class = |class: &Class| (class.name.clone(), class.pictures.iter().map(name).collect());
    collection.classes.iter().map(class).collect()
}

/// The order of `sorted(os.walk(...))`: capitals first, 10 before 2, and `a-b` before `a/b`, since whole paths are compared.
#[test]
fn pictures_are_sorted_as_in_image_folder() {
    let folder = tree(
        "pictures-order",
        &[
            "photo/dog/2.JPG",
            "photo/dog/10.jpg",
            "photo/dog/a/1.png",
            "photo/dog/a-b/1.png",
            "photo/dog/a/b/1.png",
            "photo/dog/Z.png",
            "photo/dog/read.me",
            "photo/dog/.hidden.png",
            "photo/.ipynb_checkpoints/1.png",
            "photo/Cat/1.png",
            "photo/list.txt",
            "sketch/dog/1.png",
        ],
    );
    let found = collections(folder.path()).unwrap();
    assert_eq!(
        found.iter().map(|found| (found.name.as_str(), found.len())).collect::<Vec<_>>(),
        [("photo", 7), ("sketch", 1)]
    );
    let expected =
        [("Cat", vec!["1.png"]), ("dog", vec!["10.jpg", "2.JPG", "Z.png", "a/1.png", "a-b/1.png", "a/b/1.png"])];
    let expected = expected.map(|(class, files)| {
        (class.to_string(), files.iter().map(|file| format!("photo/{class}/{file}")).collect::<Vec<_>>())
    });
    assert_eq!(listed(&found[0], folder.path()), expected);
    assert_eq!(found[0].pictures().map(|(class, _)| class).collect::<Vec<_>>(), [0, 1, 1, 1, 1, 1, 1]);
    assert_eq!(*found[1].classes[0].pictures[0].read().unwrap(), *b"sketch/dog/1.png");
}

#[test]
fn layouts_are_detected() {
    let folder = tree("pictures-layout", &["a/photo/dog/1.png", "b/dog/1.png", "c/1.png", "d/x/y/z/1.png"]);
    for (name, layout) in
        [("a", Layout::Collections), ("b", Layout::Classes), ("c", Layout::Other), ("d", Layout::Other)]
    {
        assert_eq!(Layout::of(&folder.path().join(name)).unwrap(), layout, "{name}");
    }
    assert_eq!(pictures_in(&folder.path().join("c")).unwrap(), [folder.path().join("c/1.png")]);
    let message = pictures_in(&folder.path().join("b")).unwrap_err().to_string();
    assert!(message.contains("no picture in this folder; looked for files that end in png, jpg"), "{message}");
    assert!(matches!(collections(&folder.path().join("none")), Err(PicturesError::Io { .. })));
}

/// Two names that differ only in case can exist in one folder if the file system is case-sensitive.
#[test]
fn names_that_differ_only_in_case_are_rejected() {
    let names = ["Dog", "cat", "dog"].map(String::from);
    let error = folders::distinct("pictures", names.iter()).unwrap_err();
    assert!(error.to_string().contains("pictures: the names `Dog` and `dog` differ only in case"), "{error}");
    folders::distinct("pictures", names[..2].iter()).unwrap();
    let folder = tree("pictures-case", &["photo/dog/1.png", "photo/Dog/2.png"]);
    if std::fs::read_dir(folder.path().join("photo")).unwrap().count() == 2 {
        assert!(matches!(collections(folder.path()), Err(PicturesError::Case { .. })));
    }
}

fn fixture(name: &str) -> Vec<PathBuf> {
    vec![Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)]
}

/// `tests/fixtures/make_parquet.py` created the file. Its rows are shuffled, and its classes are not in the order of their
/// names.
#[test]
fn tables_are_sorted_like_folders() {
    let rows = PictureTable::new(&fixture("pictures.parquet"), true).unwrap().read("").unwrap();
    assert!(rows.by_path);
    let found: Vec<(String, String, Vec<String>)> = rows
        .collections
        .iter()
        .flat_map(|environment| {
            environment.classes.iter().map(|class| {
                let bytes = |file: &PictureFile| String::from_utf8(file.read().unwrap().into_owned()).unwrap();
                (environment.name.clone(), class.name.clone(), class.pictures.iter().map(bytes).collect())
            })
        })
        .collect();
    let expected = [
        ("photo", "ant", vec!["photo/ant/d.png"]),
        ("photo", "cat", vec!["photo/cat/10.png", "photo/cat/2.png"]),
        ("photo", "dog", vec!["photo/dog/a.png"]),
        ("sketch", "ant", vec!["sketch/ant/e.png"]),
        ("sketch", "cat", vec!["sketch/cat/c.png"]),
        ("sketch", "dog", vec!["sketch/dog/b.png"]),
    ];
    let expected = expected.map(|(environment, class, files)| {
        (environment.to_string(), class.to_string(), files.into_iter().map(String::from).collect::<Vec<_>>())
    });
    assert_eq!(found, expected);
    let name = rows.collections[0].classes[0].pictures[0].name();
    assert!(name.ends_with("pictures.parquet: photo/ant/d.png"), "{name}");
}

#[test]
fn tables_without_picture_columns_are_rejected() {
    let message = PictureTable::new(&fixture("pairs.parquet"), true).unwrap_err().to_string();
    assert!(message.contains("no column domain or environment or env; the table has idx, label"), "{message}");
    let message = PictureTable::new(&fixture("pairs.parquet"), false).unwrap_err().to_string();
    assert!(message.contains("no column image or picture or img"), "{message}");
}
