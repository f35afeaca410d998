//! Shared parts of the tests: fixtures, the reference outputs, tensors in files, and folders for output.
#![allow(dead_code, reason = "each test file is a separate program")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use asym::models::{FileDtype, LlamaConfig, LlamaLanguageModel, PretrainedModel, save};
use burn::tensor::Device;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// A fixture of `tests/fixtures/make.py`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

/// The folder in an environment variable. If the variable is not set, a message says that `what` is skipped.
pub fn folder_from(variable: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: {what}: set {variable} to its folder");
    }
    folder
}

/// The reference outputs in the shared folder.
pub fn reference(what: &str) -> Option<PathBuf> {
    Some(folder_from("ASYM_SHARED", what)?.join("reference"))
}

/// An empty folder for the test `name`.
pub fn scratch(name: &str) -> PathBuf {
    // The subfolder separates this crate from the tests of other crates.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("asym").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A copy of the files in `from`, which a test may change.
pub fn copy(from: &Path, name: &str) -> PathBuf {
    let to = scratch(name);
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // `fs::copy` would copy permissions too, but fixtures may be read-only.
        std::fs::write(to.join(entry.file_name()), std::fs::read(entry.path()).unwrap()).unwrap();
    }
    to
}

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

impl Stored {
    pub fn integers(shape: &[usize], values: &[i64]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: Dtype::I64, shape: shape.to_vec(), data }
    }

    /// The values of an F32 tensor.
    pub fn f32(&self) -> Vec<f32> {
        assert_eq!(self.dtype, Dtype::F32);
        self.data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    /// The values of an I64 or I32 tensor.
    pub fn i64(&self) -> Vec<i64> {
        match self.dtype {
            Dtype::I64 => {
                self.data.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
            }
            Dtype::I32 => {
                self.data.chunks_exact(4).map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()).into()).collect()
            }
            other => panic!("{other:?} is not an integer type"),
        }
    }
}

/// The tensors of a safetensors file, by name.
pub type Tensors = BTreeMap<String, Stored>;

pub fn read(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let stored =
        |view: TensorView<'_>| Stored { dtype: view.dtype(), shape: view.shape().to_vec(), data: view.data().to_vec() };
    file.tensors().into_iter().map(|(name, view)| (name, stored(view))).collect()
}

pub fn write(path: &Path, tensors: &Tensors, metadata: Option<HashMap<String, String>>) {
    let views = tensors
        .iter()
        .map(|(name, stored)| (name, TensorView::new(stored.dtype, stored.shape.clone(), &stored.data).unwrap()));
    std::fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
}

/// The largest absolute difference. It is infinite if a difference is NaN, if the lengths differ, or if there are no numbers.
pub fn difference(left: &[f32], right: &[f32]) -> f32 {
    if left.len() != right.len() || left.is_empty() {
        return f32::INFINITY;
    }
    left.iter().zip(right).map(|(l, r)| (l - r).abs()).fold(0.0, |largest, d| match d.is_nan() {
        true => f32::INFINITY,
        false => largest.max(d),
    })
}

/// Run the `asym` command.
pub fn asym<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    // No backtrace is printed, since tests compare the messages that users see.
    Command::new(env!("CARGO_BIN_EXE_asym")).args(args).env_remove("RUST_BACKTRACE").output().unwrap()
}

/// Run `asym predict` with the further options `more`.
pub fn predict(model: &Path, inputs: &Path, output: &Path, more: &[&OsStr]) -> Output {
    let options = ["--model".as_ref(), model.as_os_str(), "--inputs".as_ref(), inputs.as_os_str()];
    let output = ["--output".as_ref(), output.as_os_str()];
    asym([OsStr::new("predict")].into_iter().chain(options).chain(output).chain(more.iter().copied()))
}

/// Change a configuration file.
pub fn edit_json(path: &Path, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) {
    let mut fields = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(&mut fields);
    std::fs::write(path, serde_json::to_string_pretty(&fields).unwrap()).unwrap();
}

/// The checkpoint without dropout, which is disabled in the references.
pub fn without_dropout(folder: &Path) -> asym::models::Checkpoint {
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    for field in ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"] {
        config.insert(field.into(), 0.0.into());
    }
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    let config = serde_json::to_string(&config).unwrap();
    asym::models::Checkpoint::from_bytes(&folder.display().to_string(), &config, weights).unwrap()
}

/// A small Llama with random weights and the tokenizer of the fixture `sentencepiece`.
pub fn llama(name: &str) -> PathBuf {
    let folder = scratch(name);
    let tokenizer = fixture("sentencepiece");
    for file in ["tokenizer.model", "tokenizer_config.json"] {
        std::fs::write(folder.join(file), std::fs::read(tokenizer.join(file)).unwrap()).unwrap();
    }
    let mut config = LlamaConfig::new(500, 24, 2, 4);
    (config.intermediate_size, config.max_position_embeddings, config.initializer_range) = (40, 64, 0.6);
    let model = LlamaLanguageModel::init(&config, 3, &Device::default()).unwrap();
    save(&model, &folder, FileDtype::F32).unwrap();
    folder
}

/// Run the `asym` command in `folder`.
fn asym_in(folder: &Path, args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_asym"));
    command.args(args).current_dir(folder).env_remove("RUST_BACKTRACE").output().unwrap()
}

/// Run a command in `folder` that must succeed, and return its standard output and standard error.
pub fn run_in(folder: &Path, args: &[&str]) -> (String, String) {
    let output = asym_in(folder, args);
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{args:?}: {err}");
    (out, err)
}

/// Run a command in `folder` that must fail, and return its standard error.
pub fn refused(folder: &Path, args: &[&str]) -> String {
    let output = asym_in(folder, args);
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && !err.contains("panicked"), "{args:?}: {err}");
    err
}
