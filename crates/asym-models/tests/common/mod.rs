//! What the tests share: fixtures, golden tensors, folders to write to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Int, Tensor, TensorData};
use safetensors::SafeTensors;

/// A fixture of `tests/fixtures/make.py`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures")).join(name)
}

/// An empty folder for the test `name`.
#[allow(dead_code, reason = "each test file is a program of its own")]
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The f32 tensors of a file, by name.
#[allow(dead_code, reason = "each test file is a program of its own")]
pub fn golden(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let floats = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            (name, floats.collect())
        })
        .collect()
}

/// The largest difference from `expected`, over the positions that `mask` counts.
#[allow(dead_code, reason = "each test file is a program of its own")]
pub fn difference(actual: &TensorData, expected: &[f32], mask: Option<&Tensor<2, Int>>) -> f32 {
    let actual: Vec<f32> = actual.iter::<f32>().collect();
    assert_eq!(actual.len(), expected.len());
    let counts: Vec<bool> = match mask {
        Some(mask) => mask.to_data().iter::<i64>().map(|value| value == 1).collect(),
        None => vec![true],
    };
    let width = actual.len() / counts.len();
    let differences = actual.iter().zip(expected).enumerate().filter(|(i, _)| counts[i / width]);
    differences.map(|(_, (a, b))| (a - b).abs()).fold(0.0, |largest: f32, d| {
        assert!(!d.is_nan());
        largest.max(d)
    })
}
