//! A user's own images, from `asym table` to `asym classify`. The model is a tiny ViT of the fixtures.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{copy, fixture, refused, run_in as run, scratch};

/// A BMP file of one color with a lighter bar. Both sides have `side` pixels, a multiple of 4.
fn bitmap(side: u32, color: [u8; 3], bar: u32) -> Vec<u8> {
    let size = 54 + 3 * side * side;
    let mut bytes = b"BM".to_vec();
    for word in [size, 0, 54, 40, side, side] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    for pixel in 0..side * side {
        let light = if pixel % side / 4 == bar { 40 } else { 0 };
        bytes.extend(color.map(|sample| sample + light));
    }
    bytes
}

/// Write `count` blue and `count` red images with this brightness to `folder`.
fn colors(folder: &Path, count: u8, brightness: u8) {
    for (name, color) in [("blue", [brightness, 20, 20]), ("red", [20, 20, brightness])] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for at in 0..count {
            let picture = bitmap(32, color.map(|sample| sample + at), u32::from(at) % 8);
            std::fs::write(folder.join(name).join(format!("{at}.bmp")), picture).unwrap();
        }
    }
}

/// The tiny ViT with an image processor.
fn model(name: &str) -> PathBuf {
    let folder = copy(&fixture("vit"), name);
    std::fs::write(folder.join("preprocessor_config.json"), r#"{"size": {"height": 32, "width": 32}}"#).unwrap();
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn classifiers_trained_on_pictures_name_their_classes() {
    let (folder, model) = (scratch("pictures-classes"), model("pictures-classes-model"));
    colors(&folder.join("pictures"), 10, 180);
    let model = model.to_str().unwrap();
    let fixed =
        ["table", "--data", "pictures", "--model", model, "--seeds", "1", "--epochs", "15", "--learning-rate", "1e-2"];
    let own = [
        "--full-learning-rate",
        "3e-3",
        "--batch-size",
        "8",
        "--new-head",
        "--methods",
        "full,b-only-r4",
        "task.image_size=24",
    ];
    let command = [&fixed[..], &own[..]].concat();
    let (out, err) = run(&folder, &command);
    for part in [
        "pictures: 20 pictures; 20 % of each class, drawn with seed 0, held out for evaluation",
        "classes: blue 10, red 10",
        "24 x 24 pixels, 3 x 3 patches",
        "the checkpoint is for 32 x 32 pixels, so its position embeddings are interpolated",
    ] {
        assert!(err.contains(part), "`{part}` in: {err}");
    }
    assert!(out.contains("accuracy %") && out.contains("majority %") && out.contains("input %"), "{out}");

    // The contact sheet has a row of 8 images for each class, with margins.
    let sheet = ["data", "--preview", "sheet.png", "--data", "pictures", "--model", model, "task.image_size=24"];
    let (out, _) = run(&folder, &sheet);
    assert!(
        out.contains("row 1: blue") && out.contains("row 2: red") && out.contains("sheet.png: 210 x 54 pixels"),
        "{out}"
    );
    let png = std::fs::read(folder.join("sheet.png")).unwrap();
    // The header of the file contains the same size.
    assert!(png.starts_with(b"\x89PNG") && png[16..24] == [0, 0, 0, 210, 0, 0, 0, 54], "{:?}", &png[..24]);
    assert!(refused(&folder, &sheet).contains("already exists"));

    // The adapter and the model classify new images, which are preprocessed in the same way.
    colors(&folder.join("more"), 3, 120);
    let runs = folder.join("runs/image-classification-1");
    for (run_folder, option, place) in [("full-seed1", "--model", "model"), ("b-only-r4-seed1", "--adapter", "adapter")]
    {
        let place = runs.join(run_folder).join(place);
        let results = json(&runs.join(run_folder).join("results.json"));
        assert_eq!(results["scores"]["accuracy"], 1.0, "{run_folder}");
        assert_eq!(results["scores"]["dev/red"], 1.0, "{run_folder}");
        assert_eq!(json(&place.join("preprocessor_config.json"))["size"]["height"], 24);
        let images = ["--image", "more/red", "more/blue/0.bmp", "--json"];
        let found = run(&folder, &[&["classify", option, place.to_str().unwrap()], &images[..]].concat()).0;
        let found: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let labels: Vec<&Value> = found.iter().map(|line| &line["label"]).collect();
        assert_eq!(labels, ["red", "red", "red", "blue"], "{run_folder}: {found:?}");
    }
    // The recipe of the run reproduces it bit for bit, including augmentation and threads.
    let recipe = runs.join("b-only-r4-seed1/recipe.toml");
    run(&folder, &["run", recipe.to_str().unwrap(), "--output", "again"]);
    let scores = |path: PathBuf| {
        let results = json(&path);
        (results["scores"].clone(), results["epochs"].clone())
    };
    let again = folder.join("again/image-classification/recipe-seed1/results.json");
    assert_eq!(scores(again), scores(runs.join("b-only-r4-seed1/results.json")));
}

#[test]
fn domainbed_trains_on_one_environment_and_tests_the_others() {
    let (folder, model) = (scratch("pictures-domains"), model("pictures-domains-model"));
    for (name, brightness) in [("bright", 200), ("dark", 90), ("middle", 150)] {
        colors(&folder.join("data").join(name), 8, brightness);
    }
    let model = model.to_str().unwrap();
    let fixed = ["table", "--task", "domainbed", "--data", "data", "--model", model, "--methods", "full,head"];
    let own = ["--seeds", "0", "--epochs", "10", "--full-learning-rate", "3e-3", "--new-head", "task.train=middle"];
    let (out, err) = run(&folder, &[&fixed[..], &own[..]].concat());
    for part in [
        "48 pictures of 2 classes: bright 16, dark 16, middle 16",
        "trained on middle, tested on bright, dark",
        "id 3, train 13, bright 13, dark 13",
    ] {
        assert!(err.contains(part), "`{part}` in: {err}");
    }
    for column in ["ood %", "id %", "bright %", "dark %", "train %", "gap %"] {
        assert!(out.contains(column), "{out}");
    }
    let results = json(&folder.join("runs/domainbed-1/full-seed0/results.json"));
    let score = |name: &str| results["scores"][name].as_f64().unwrap();
    assert!((score("ood") - (score("bright") + score("dark")) / 2.0).abs() < 1e-12);
    assert!((score("gap") - (score("train") - score("ood"))).abs() < 1e-12);
    assert!((score("gap dark") - (score("train") - score("dark"))).abs() < 1e-12);
    // Training images are evaluated with augmentation, which changes red to other colors. All other images are evaluated without
    // it.
    assert!(score("ood") > 0.9 && score("dark/red") > 0.9 && score("train") > 0.5, "{results}");
    // The other environments are evaluated only after the last epoch.
    let epochs = results["epochs"].as_array().unwrap();
    assert!(epochs.len() == 10 && epochs[..9].iter().all(|epoch| epoch["dev"].get("dark").is_none()));
    assert!(epochs.iter().all(|epoch| epoch["dev"].get("id").is_some()));
}

/// Without a model and data, the embedded ViT is trained on drawn images.
#[test]
fn tables_of_drawn_pictures_need_no_file() {
    let folder = scratch("pictures-drawn");
    let own = ["table", "--task", "domainbed", "--methods", "head,b-only-r4", "--seeds", "1", "--epochs", "1"];
    let (out, err) = run(&folder, &own);
    for part in [
        "8400 drawn pictures",
        "of 7 classes: flat 2100, outline 2100, shaded 2100, striped 2100",
        "trained on flat, tested on outline, shaded, striped",
        "id 420, train 1680, outline 1680, shaded 1680, striped 1680",
        "model: vit-mini (embedded)",
    ] {
        assert!(err.contains(part), "`{part}` in: {err}");
    }
    assert!(out.contains("outline %") && !out.contains("paper"), "{out}");
    // The embedded checkpoint is found by the name in the adapter.
    let (out, _) = run(&folder, &["data", "--preview", "sheet.png", "--task", "domainbed", "--columns", "4"]);
    assert!(out.contains("row 1: crescent") && out.contains("row 7: triangle"), "{out}");
    let adapter = folder.join("runs/domainbed-1/b-only-r4-seed1/adapter");
    let (out, _) =
        run(&folder, &["classify", "--adapter", adapter.to_str().unwrap(), "--image", "sheet.png", "--json"]);
    let found: Value = serde_json::from_str(out.trim()).unwrap();
    assert!(
        ["crescent", "cross", "heart", "ring", "square", "star", "triangle"].iter().any(|name| found["label"] == *name)
    );
}

/// PACS is recognized by the names of its environments, so the environment and the scores of the paper are used.
#[test]
fn domainbed_data_sets_are_recognized_by_environments() {
    let (folder, model) = (scratch("pictures-recognized"), model("pictures-recognized-model"));
    for name in ["art_painting", "cartoon", "photo", "sketch"] {
        colors(&folder.join("data").join(name), 5, 180);
    }
    let fixed = ["table", "--task", "domainbed", "--data", "data", "--model", model.to_str().unwrap()];
    let (out, err) =
        run(&folder, &[&fixed[..], &["--methods", "head", "--seeds", "0", "--epochs", "1", "--new-head"]].concat());
    assert!(err.contains("PACS: 40 pictures") && err.contains("trained on cartoon"), "{err}");
    assert!(out.contains("paper"), "{out}");
    let message = refused(&folder, &["table", "--task", "pacs", "--methods", "head"]);
    assert!(message.contains("--data PACS") && message.contains("the task domainbed draws pictures"), "{message}");
}

#[test]
fn unsuitable_pictures_and_models_are_rejected() {
    let (folder, model) = (scratch("pictures-refused"), model("pictures-refused-model"));
    colors(&folder.join("pictures"), 6, 180);
    std::fs::write(folder.join("pictures/red/cut.bmp"), &bitmap(32, [9; 3], 0)[..500]).unwrap();
    std::fs::write(folder.join("pictures/blue/page.jpg"), "<html>not found</html>").unwrap();
    let name = model.to_str().unwrap();
    let table = |more: &[&'static str]| {
        let fixed = [
            "table",
            "--data",
            "pictures",
            "--model",
            name,
            "--methods",
            "head",
            "--seeds",
            "1",
            "--epochs",
            "1",
            "--new-head",
        ];
        [&fixed[..], more].concat()
    };
    let message = refused(&folder, &table(&[]));
    for part in ["2 of 14 pictures cannot be read", "cut.bmp", "page.jpg: not a picture", "task.broken=skip"] {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
    let (_, err) = run(&folder, &table(&["task.broken=skip", "--output", "skipped"]));
    assert!(err.contains("2 of 14 pictures cannot be read and are left out") && err.contains("cut.bmp"), "{err}");
    let message = refused(&folder, &table(&["task.image_size=7"]));
    assert!(message.contains("image_size` is 7: it must be at least the patch size of the model"), "{message}");
    std::fs::remove_file(model.join("preprocessor_config.json")).unwrap();
    let message = refused(&folder, &table(&["task.broken=skip"]));
    assert!(message.contains("neither preprocessor_config.json nor"), "{message}");
    let other = fixture("roberta-classifier");
    let args =
        ["table", "--data", "pictures", "--model", other.to_str().unwrap(), "--methods", "head", "task.broken=skip"];
    let message = refused(&folder, &args);
    assert!(message.contains("image-classification trains ViT"), "{message}");
    assert!(!folder.join("runs").exists(), "a refused command left a run");
}
