//! Invalid checkpoints and batches are refused, with a message that contains the location of the error.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use asym_core::{AdapterConfig, layout};
use asym_models::{
    Checkpoint, EncoderInput, FileDtype, InFamily, ModelError, check_input, check_logits, read_inputs, save,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::common::{fixture, scratch};

/// A copy of a fixture, which a test then damages.
fn copy_of(name: &str, test: &str) -> PathBuf {
    let folder = scratch(&format!("bad-{test}"));
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    folder
}

type Owned = (Dtype, Vec<usize>, Vec<u8>);

/// Rewrite a safetensors file with its tensors changed.
fn rewrite(path: &Path, change: impl FnOnce(&mut HashMap<String, Owned>)) {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let owned = |view: TensorView<'_>| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    let mut tensors: HashMap<String, Owned> =
        file.tensors().into_iter().map(|(name, view)| (name, owned(view))).collect();
    change(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn load(folder: &Path) -> Result<(), ModelError> {
    Checkpoint::open(folder)?.sequence_classifier(None, 0, &Device::default()).map(|_| ())
}

/// The error of a copy of `name` damaged by `damage`.
fn error_of(name: &str, test: &str, damage: impl FnOnce(&Path)) -> ModelError {
    let folder = copy_of(name, test);
    damage(&folder);
    load(&folder).unwrap_err()
}

const WEIGHT: &str = "roberta.encoder.layer.1.output.dense.weight";

fn weights(folder: &Path) -> PathBuf {
    folder.join("model.safetensors")
}

macro_rules! assert_error {
    ($error:expr, $pattern:pat, $($part:expr),+) => {{
        let error = $error;
        assert!(matches!(error, $pattern), "{error:?}");
        let message = error.to_string();
        $(assert!(message.contains($part), "{message}");)+
    }};
}

#[test]
fn missing_files_are_reported() {
    let config = error_of("roberta-classifier", "no-config", |f| fs::remove_file(f.join("config.json")).unwrap());
    assert_error!(config, ModelError::MissingFile { .. }, "config.json", "no such file");
    let none = error_of("roberta-classifier", "no-weights", |f| fs::remove_file(weights(f)).unwrap());
    assert_error!(none, ModelError::MissingFile { .. }, "model.safetensors", "no such file");
    let torch = error_of("roberta-classifier", "torch-weights", |f| {
        fs::rename(weights(f), f.join("pytorch_model.bin")).unwrap();
    });
    assert_error!(torch, ModelError::MissingFile { .. }, "save_pretrained");
}

#[test]
fn bad_configurations_are_rejected() {
    let json = error_of("roberta-classifier", "json", |f| fs::write(f.join("config.json"), "{\n\"a\": }").unwrap());
    assert_error!(json, ModelError::Json { .. }, "config.json", "line 2");
    let family = error_of("roberta-classifier", "family", |f| {
        let text = fs::read_to_string(f.join("config.json")).unwrap();
        fs::write(f.join("config.json"), text.replace("\"roberta\"", "\"deberta\"")).unwrap();
    });
    assert_error!(family, ModelError::Config { .. }, "config.json", "`model_type`", "`deberta`");
}

#[test]
fn damaged_files_are_rejected() {
    let truncated = error_of("roberta-classifier", "truncated", |f| {
        let bytes = fs::read(weights(f)).unwrap();
        fs::write(weights(f), &bytes[..bytes.len() - 100]).unwrap();
    });
    assert_error!(truncated, ModelError::Safetensors { .. }, "model.safetensors", "truncated or damaged");
    let empty = error_of("roberta-classifier", "empty", |f| fs::write(weights(f), "").unwrap());
    assert_error!(empty, ModelError::Safetensors { .. }, "model.safetensors");
    // The header contains a shape that is larger than the tensor's bytes, or it is longer than the file.
    let lying = error_of("roberta-classifier", "lying", |f| {
        let bytes = fs::read(weights(f)).unwrap();
        let (from, to): (&[u8], &[u8]) = (b"\"shape\":[24,40]", b"\"shape\":[99,40]");
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        fs::write(weights(f), [&bytes[..at], to, &bytes[at + from.len()..]].concat()).unwrap();
    });
    assert_error!(lying, ModelError::Safetensors { .. }, "model.safetensors");
    let long_header = error_of("roberta-classifier", "long-header", |f| {
        let bytes = fs::read(weights(f)).unwrap();
        fs::write(weights(f), [&u64::MAX.to_le_bytes(), &bytes[8..]].concat()).unwrap();
    });
    assert_error!(long_header, ModelError::Safetensors { .. }, "model.safetensors");
}

#[test]
fn label_counts_are_checked_before_names_are_created() {
    let config = Checkpoint::open(fixture("roberta-classifier")).unwrap().encoder().unwrap().clone();
    let error = config.clone().with_num_labels(10_000_000_000, Path::new("config.json")).unwrap_err();
    assert_error!(error, ModelError::Config { .. }, "config.json", "`num_labels`", "at most 1000000", "10000000000");
    assert_eq!(config.with_num_labels(7, Path::new("config.json")).unwrap().num_labels(), 7);
}

/// A file on a network disk, or one that is downloaded again, can be truncated after it was opened.
#[test]
fn files_truncated_during_reading_are_reported() {
    let folder = copy_of("roberta-classifier", "cut");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let length = fs::metadata(weights(&folder)).unwrap().len();
    fs::File::options().write(true).open(weights(&folder)).unwrap().set_len(length / 2).unwrap();
    let error = checkpoint.sequence_classifier(None, 0, &Device::default()).map(|_| ()).unwrap_err();
    assert_error!(error, ModelError::Io { .. }, "model.safetensors", "truncated while it was read");
}

#[test]
fn repeated_keys_in_the_header_are_rejected() {
    let error = error_of("roberta-classifier", "twice", |f| {
        let bytes = fs::read(weights(f)).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let text = std::str::from_utf8(&bytes[8..header]).unwrap().trim_end();
        let start = text.find(&format!("\"{WEIGHT}\"")).unwrap();
        let entry = &text[start..start + text[start..].find('}').unwrap() + 1];
        let text = format!("{},{entry}}}", &text[..text.len() - 1]);
        let length = (text.len() as u64).to_le_bytes();
        fs::write(weights(f), [&length, text.as_bytes(), &bytes[header..]].concat()).unwrap();
    });
    assert_error!(error, ModelError::Safetensors { .. }, WEIGHT, "twice");
}

#[test]
fn non_finite_logits_are_rejected() {
    let data = |values: Vec<f32>| TensorData::new(values, [2, 3]);
    check_logits(&data(vec![0.0; 6])).unwrap();
    for (at, value, row) in [(2, f32::INFINITY, 1), (3, f32::NEG_INFINITY, 2), (5, f32::NAN, 2)] {
        let mut values = vec![1e30; 6];
        values[at] = value;
        let error = check_logits(&data(values)).unwrap_err();
        assert_error!(error, ModelError::Logits { .. }, &format!("row {row}: "), &format!("found {value}"));
    }
}

#[test]
fn missing_extra_and_duplicate_keys_are_rejected() {
    let missing = error_of("roberta-classifier", "missing", |f| {
        rewrite(&weights(f), |tensors| drop(tensors.remove(WEIGHT)));
    });
    assert_error!(missing, ModelError::MissingKeys { .. }, WEIGHT, "bad-missing");
    // A checkpoint with half a head is refused. Only a checkpoint without a head gets a new one.
    let half = error_of("roberta-classifier", "half-head", |f| {
        rewrite(&weights(f), |tensors| drop(tensors.remove("classifier.dense.bias")));
    });
    assert_error!(half, ModelError::MissingKeys { .. }, "classifier.dense.bias");
    let unexpected = error_of("roberta-classifier", "unexpected", |f| {
        rewrite(&weights(f), |tensors| {
            let tensor = tensors[WEIGHT].clone();
            tensors.insert("roberta.encoder.layer.2.output.dense.weight".into(), tensor);
        });
    });
    assert_error!(unexpected, ModelError::UnexpectedKeys { .. }, "roberta.encoder.layer.2.output.dense.weight");
    let twice = error_of("roberta-classifier", "twice", |f| {
        rewrite(&weights(f), |tensors| {
            let tensor = tensors[WEIGHT].clone();
            tensors.insert(WEIGHT.trim_start_matches("roberta.").into(), tensor);
        });
    });
    assert_error!(twice, ModelError::DuplicateKey { .. }, WEIGHT);
}

#[test]
fn invalid_tensors_are_rejected() {
    let shape = error_of("roberta-classifier", "shape", |f| {
        rewrite(&weights(f), |tensors| {
            if let Some((_, shape, _)) = tensors.get_mut(WEIGHT) {
                shape.reverse();
            }
        });
    });
    assert_error!(shape, ModelError::Shape { .. }, WEIGHT, "[24, 40]", "[40, 24]");
    let dtype = error_of("roberta-classifier", "dtype", |f| {
        rewrite(&weights(f), |tensors| {
            if let Some((dtype, ..)) = tensors.get_mut(WEIGHT) {
                *dtype = Dtype::I32;
            }
        });
    });
    assert_error!(dtype, ModelError::Dtype { .. }, WEIGHT, "I32");
    for (test, value) in [("nan", f32::NAN), ("infinity", f32::INFINITY)] {
        let error = error_of("roberta-classifier", test, |f| {
            rewrite(&weights(f), |tensors| {
                if let Some((_, _, data)) = tensors.get_mut(WEIGHT) {
                    data[12..16].copy_from_slice(&value.to_le_bytes());
                }
            });
        });
        assert_error!(error, ModelError::NotFinite { index: 3, .. }, WEIGHT, "index 3");
    }
    let checkpoint = Checkpoint::open(fixture("roberta-classifier")).unwrap();
    let labels = checkpoint.sequence_classifier(Some(7), 0, &Device::default()).unwrap_err();
    assert_error!(labels, ModelError::Shape { .. }, "classifier.out_proj", "number of labels");
}

#[test]
fn bad_shards_are_rejected() {
    let index = |f: &Path| f.join("model.safetensors.index.json");
    let shard_names = |f: &Path| {
        let mut names: Vec<PathBuf> = fs::read_dir(f).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.to_string_lossy().contains("model-0"));
        names.sort();
        names
    };
    let missing = error_of("bert-sharded", "missing-shard", |f| fs::remove_file(&shard_names(f)[0]).unwrap());
    assert_error!(missing, ModelError::MissingShard { .. }, "index.json", "model-00001");
    let absent = error_of("bert-sharded", "absent-key", |f| {
        rewrite(&shard_names(f)[0], |tensors| {
            let key = tensors.keys().next().unwrap().clone();
            tensors.remove(&key);
        });
    });
    assert_error!(absent, ModelError::NotInShard { .. }, "index.json", "model-00001");
    let outside = error_of("bert-sharded", "outside", |f| {
        let text = fs::read_to_string(index(f)).unwrap().replace("model-00001", "../model-00001");
        fs::write(index(f), text).unwrap();
    });
    assert_error!(outside, ModelError::MissingShard { .. }, "../model-00001");
    let json = error_of("bert-sharded", "index-json", |f| fs::write(index(f), "{}").unwrap());
    assert_error!(json, ModelError::Json { .. }, "index.json", "weight_map");
}

#[test]
fn bad_inputs_are_rejected() {
    let device = Device::default();
    let folder = copy_of("bert-classifier", "inputs");
    let path = folder.join("inputs.safetensors");
    let changed = |change: fn(&mut HashMap<String, Owned>)| {
        fs::copy(fixture("bert-classifier").join("inputs.safetensors"), &path).unwrap();
        rewrite(&path, change);
        read_inputs::<EncoderInput>(&path, &device)
    };
    assert_error!(
        read_inputs::<EncoderInput>(folder.join("none.safetensors"), &device).unwrap_err(),
        ModelError::MissingFile { .. },
        "none.safetensors"
    );
    let none = changed(|tensors| drop(tensors.remove("input_ids"))).unwrap_err();
    assert_error!(none, ModelError::MissingKeys { .. }, "input_ids");
    let misspelt = changed(|tensors| {
        let mask = tensors.remove("attention_mask").unwrap();
        tensors.insert("attention_msk".into(), mask);
    });
    assert_error!(misspelt.unwrap_err(), ModelError::UnexpectedKeys { .. }, "attention_msk");
    let shape = changed(|tensors| tensors.get_mut("attention_mask").unwrap().1.reverse()).unwrap_err();
    assert_error!(shape, ModelError::Input { key: "attention_mask", .. }, "[3, 11]", "[11, 3]");
    let dtype = changed(|tensors| tensors.get_mut("input_ids").unwrap().0 = Dtype::F64).unwrap_err();
    assert_error!(dtype, ModelError::Dtype { .. }, "input_ids", "I64, I32, U8 or BOOL", "F64");
    // PyTorch programs store masks as booleans or bytes.
    let mask = |dtype: Dtype| {
        let to = move |tensors: &mut HashMap<String, Owned>| {
            let (old, _, data) = tensors.get_mut("attention_mask").unwrap();
            *data = data.chunks(8).map(|value| value[0]).collect();
            *old = dtype;
        };
        fs::copy(fixture("bert-classifier").join("inputs.safetensors"), &path).unwrap();
        rewrite(&path, to);
        let mask = read_inputs::<EncoderInput>(&path, &device).unwrap().attention_mask.unwrap();
        mask.into_data().iter::<i64>().collect::<Vec<_>>()
    };
    let plain = read_inputs::<EncoderInput>(fixture("bert-classifier").join("inputs.safetensors"), &device).unwrap();
    let plain: Vec<i64> = plain.attention_mask.unwrap().into_data().iter::<i64>().collect();
    assert!(plain.contains(&0) && plain.contains(&1));
    assert_eq!((mask(Dtype::BOOL), mask(Dtype::U8)), (plain.clone(), plain));

    // A device would panic on a tensor of such values.
    let path = folder.join("large.safetensors");
    for value in [1 << 31, i64::MAX, i64::MIN] {
        fs::copy(fixture("bert-classifier").join("inputs.safetensors"), &path).unwrap();
        rewrite(&path, |tensors| {
            tensors.get_mut("input_ids").unwrap().2[16..24].copy_from_slice(&value.to_le_bytes());
        });
        let error = read_inputs::<EncoderInput>(&path, &device).unwrap_err();
        assert_error!(
            error,
            ModelError::Input { .. },
            "`input_ids`",
            "32-bit",
            &format!("{value} at row 0, column 2"),
            "large.safetensors"
        );
    }

    let config = Checkpoint::open(&folder).unwrap().encoder().unwrap().clone();
    let of = |ids: Tensor<2, Int>| EncoderInput { input_ids: ids, attention_mask: None, token_type_ids: None };
    let ids = || Tensor::<2, Int>::from_ints([[5, 6], [7, 8]], &device);
    check_input(&of(ids()), &config).unwrap();
    let beyond = check_input(&of(ids() + 53), &config).unwrap_err();
    assert_error!(
        beyond,
        ModelError::Input { .. },
        "`input_ids`: expected ids from 0 to 59, found 60 at row 1, column 0"
    );
    let long = check_input(&of(Tensor::<2, Int>::ones([1, 13], &device)), &config).unwrap_err();
    assert_error!(long, ModelError::Input { .. }, "at most 12 tokens", "found 13");
    let types = EncoderInput { token_type_ids: Some(ids()), ..of(ids()) };
    assert_error!(check_input(&types, &config).unwrap_err(), ModelError::Input { .. }, "token_type_ids", "0 to 1");
    let mask = EncoderInput { attention_mask: Some(Tensor::ones([2, 3], &device)), ..of(ids()) };
    assert_error!(check_input(&mask, &config).unwrap_err(), ModelError::Input { .. }, "attention_mask", "[2, 2]");
}

#[test]
fn models_that_cannot_be_saved_are_rejected() {
    let device = Device::default();
    let checkpoint = Checkpoint::open(fixture("roberta-classifier")).unwrap();
    let model = checkpoint.sequence_classifier(None, 0, &device).unwrap().model;
    let naming = model.naming();

    let adapted = AdapterConfig::lora(2).targets(["query"]).attach_named(model.clone(), 0, &naming).unwrap();
    let folder = scratch("bad-save");
    let error = save(&adapted, &folder, FileDtype::F32).unwrap_err();
    assert_error!(error, ModelError::Adapted { .. }, "attention.self.query");

    let large = layout::replace(model, &naming, |entry| {
        Ok::<_, ModelError>((entry.name == WEIGHT).then(|| vec![1e5; entry.count()]))
    });
    let error = save(&large.unwrap(), &folder, FileDtype::F16).unwrap_err();
    assert_error!(error, ModelError::TooLarge { .. }, WEIGHT, "65504", "100000");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is written before everything is checked");

    let file = folder.join("a-file");
    fs::write(&file, "").unwrap();
    let model = checkpoint.sequence_classifier(None, 0, &device).unwrap().model;
    assert_error!(save(&model, &file, FileDtype::F32).unwrap_err(), ModelError::Io { .. }, "a-file");
}
