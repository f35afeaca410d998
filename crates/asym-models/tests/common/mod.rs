//! Shared functions of the tests: fixtures, expected tensors and folders for output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Int, Tensor, TensorData};
use safetensors::SafeTensors;

/// The path of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures")).join(name)
}

/// An empty folder for the test `name`.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The f32 tensors of a file, by name.
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

/// The largest absolute difference from `expected`, over the positions for which `mask` is 1.
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

/// The shapes and values of the I64 tensors of a file, by name.
pub fn integers(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<i64>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .filter(|(_, view)| view.dtype() == safetensors::Dtype::I64)
        .map(|(name, view)| {
            let values = view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
            (name, (view.shape().to_vec(), values.collect()))
        })
        .collect()
}

/// The dtype, shape and bytes of a tensor.
pub type Owned = (safetensors::Dtype, Vec<usize>, Vec<u8>);

/// A copy of the fixture `name` with changed weights, in a folder named `copy`.
pub fn rewritten(name: &str, copy: &str, change: impl FnOnce(&mut BTreeMap<String, Owned>)) -> PathBuf {
    let folder = scratch(copy);
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::write(folder.join(entry.file_name()), std::fs::read(entry.path()).unwrap()).unwrap();
    }
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let owned = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    let mut tensors: BTreeMap<String, Owned> = file.tensors().into_iter().map(owned).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    folder
}
