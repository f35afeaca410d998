//! The tensors of one or several safetensors files. Their values are read on demand.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asym_core::layout::each_f32;
use burn::tensor::FloatDType;
use half::f16;
use safetensors::Dtype;
use serde::Deserialize;

use crate::bytes::Bytes;
use crate::config::{LINK, is_link};
use crate::{FileDtype, ModelError};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const READABLE: &str = "F32, F16, BF16 or F64";

/// A tensor in a file.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub path: Arc<PathBuf>,
    pub shape: Vec<usize>,
    dtype: Dtype,
    bytes: Arc<Bytes>,
    range: Range<usize>,
}

/// The tensors of a folder, from `model.safetensors` or from the shards in the index.
pub(crate) fn open_folder(folder: &Path) -> Result<BTreeMap<String, Stored>, ModelError> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    if single.exists() {
        open_file(&single)
    } else if index.exists() {
        open_shards(folder, &index)
    } else {
        let help = if folder.join("pytorch_model.bin").exists() {
            "the folder has only pytorch_model.bin; convert it in Python with `AutoModel.from_pretrained(..).save_pretrained(..)`"
        } else {
            "a checkpoint is a folder with config.json and model.safetensors, or model.safetensors.index.json and shards"
        };
        Err(ModelError::MissingFile { path: single, help })
    }
}

/// The tensors of a file whose bytes are in memory.
pub(crate) fn open_bytes(bytes: Cow<'static, [u8]>, path: PathBuf) -> Result<BTreeMap<String, Stored>, ModelError> {
    describe(Bytes::Held(bytes), path)
}

/// The tensors of one file.
pub(crate) fn open_file(path: &Path) -> Result<BTreeMap<String, Stored>, ModelError> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::MissingFile { path: path.into(), help: "check the path" },
        _ => ModelError::Io { path: path.into(), source },
    };
    describe(Bytes::open(path).map_err(io)?, path.into())
}

fn open_shards(folder: &Path, index_path: &Path) -> Result<BTreeMap<String, Stored>, ModelError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text =
        std::fs::read_to_string(index_path).map_err(|source| ModelError::Io { path: index_path.into(), source })?;
    let index: Index = serde_json::from_str(&text)
        .map_err(|source| ModelError::Json { path: index_path.into(), source: source.into() })?;

    let mut shards: HashMap<&str, BTreeMap<String, Stored>> = HashMap::new();
    for (key, shard) in &index.weight_map {
        if !shards.contains_key(shard.as_str()) {
            let path = folder.join(shard);
            // An index is untrusted data. It may only refer to files in its folder.
            let plain = Path::new(shard).file_name().is_some_and(|name| name == shard.as_str());
            if !plain || !path.exists() {
                return Err(ModelError::MissingShard {
                    path: index_path.into(),
                    key: key.clone(),
                    shard: shard.clone(),
                });
            }
            shards.insert(shard, open_file(&path)?);
        }
        if !shards[shard.as_str()].contains_key(key) {
            return Err(ModelError::NotInShard { path: index_path.into(), key: key.clone(), shard: shard.clone() });
        }
    }
    let mut tensors: BTreeMap<String, Stored> = BTreeMap::new();
    for (key, stored) in shards.into_values().flatten() {
        if let Some(other) = tensors.get(&key) {
            return Err(ModelError::DuplicateKey {
                path: stored.path.to_path_buf(),
                first: format!("{key} in {}", other.path.display()),
                second: key.clone(),
                key,
            });
        }
        tensors.insert(key, stored);
    }
    Ok(tensors)
}

/// The first bytes of a Git LFS pointer, which replaces a large file.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The number of bytes that are read to detect a Git LFS pointer or the text of a symbolic link.
const HEAD: usize = 256;

fn describe(bytes: Bytes, path: PathBuf) -> Result<BTreeMap<String, Stored>, ModelError> {
    let head = match bytes.get(0..bytes.len().min(HEAD)) {
        Ok(head) => head,
        Err(source) => return Err(ModelError::Io { path, source }),
    };
    if head.starts_with(LFS) {
        return Err(ModelError::LfsPointer { path, bytes: bytes.len() });
    }
    if is_link(&head) {
        return Err(ModelError::MissingFile { path, help: LINK });
    }
    drop(head);
    let (header, metadata) = match bytes.metadata() {
        Ok(Ok(read)) => read,
        Ok(Err(source)) => return Err(ModelError::Safetensors { path, source }),
        Err(source) => return Err(ModelError::Io { path, source }),
    };
    // A file consists of eight bytes with the length of the header, the header, and the data.
    let start = header + 8;
    let (bytes, path) = (Arc::new(bytes), Arc::new(path));
    Ok(metadata
        .tensors()
        .into_iter()
        .map(|(key, info)| {
            let (from, to) = info.data_offsets;
            let stored = Stored {
                path: path.clone(),
                shape: info.shape.clone(),
                dtype: info.dtype,
                bytes: bytes.clone(),
                range: start + from..start + to,
            };
            (key, stored)
        })
        .collect())
}

impl Stored {
    /// Check that the dtype is supported and that the values are finite. The values are not kept.
    pub(crate) fn check_floats(&self, key: &str) -> Result<(), ModelError> {
        self.check(key, Finite::default())
    }

    /// Like [`check_floats`](Self::check_floats), for an embedding. It may have rows of only minus infinity, for tokens
    /// that no text contains.
    pub(crate) fn check_rows(&self, key: &str) -> Result<(), ModelError> {
        self.check(key, Finite::in_rows(self.shape.last().copied().unwrap_or(1)))
    }

    fn check(&self, key: &str, mut finite: Finite) -> Result<(), ModelError> {
        let known = self.each_float(|index, value| finite.see(index, value))?;
        match (known, finite.found) {
            (false, _) => Err(ModelError::Dtype {
                path: self.path.to_path_buf(),
                key: key.into(),
                expected: READABLE,
                found: match self.dtype {
                    Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64 => format!("{:?}", self.dtype),
                    other => format!("{other:?}, as in a quantized checkpoint, which is not supported"),
                },
            }),
            (true, Some((index, found))) => {
                Err(ModelError::NotFinite { path: self.path.to_path_buf(), key: key.into(), index, found })
            }
            (true, None) => Ok(()),
        }
    }

    /// Whether two tensors have the same dtype, shape and bytes.
    pub(crate) fn equals(&self, other: &Self) -> Result<bool, ModelError> {
        if (self.dtype, &self.shape) != (other.dtype, &other.shape) {
            return Ok(false);
        }
        let (mut same, mut failed) = (true, None);
        self.pieces(|at, piece| {
            let start = other.range.start + at;
            match other.bytes.get(start..start + piece.len()) {
                Ok(bytes) => same &= bytes == piece,
                Err(source) => failed = Some(source),
            }
        })?;
        match failed {
            Some(source) => Err(ModelError::Io { path: other.path.to_path_buf(), source }),
            None => Ok(same),
        }
    }

    /// The dtype of the tensor, if asym can write files in this dtype.
    pub(crate) fn file_dtype(&self) -> Option<FileDtype> {
        match self.dtype {
            Dtype::F32 => Some(FileDtype::F32),
            Dtype::F16 => Some(FileDtype::F16),
            Dtype::BF16 => Some(FileDtype::BF16),
            _ => None,
        }
    }

    /// The values as f32. [`check_floats`](Self::check_floats) must have accepted the tensor.
    pub(crate) fn floats(&self) -> Result<Vec<f32>, ModelError> {
        let mut values = Vec::with_capacity(self.shape.iter().product());
        self.each_float(|_, value| values.push(value))?;
        Ok(values)
    }

    /// Like [`floats`](Self::floats). Returns an error if a finite value is too large for `dtype`.
    pub(crate) fn floats_within(&self, key: &str, dtype: FloatDType) -> Result<Vec<f32>, ModelError> {
        let values = self.floats()?;
        let too_large =
            |value: &&f32| dtype == FloatDType::F16 && value.is_finite() && f16::from_f32(**value).is_infinite();
        match values.iter().find(too_large) {
            Some(&found) => Err(ModelError::TooLarge { path: self.path.to_path_buf(), key: key.into(), found }),
            None => Ok(values),
        }
    }

    /// The values of an integer tensor.
    pub(crate) fn integers(&self, key: &str) -> Result<Vec<i64>, ModelError> {
        let io = |source| ModelError::Io { path: self.path.to_path_buf(), source };
        let bytes = &self.bytes.get(self.range.clone()).map_err(io)?;
        match self.dtype {
            Dtype::I64 => Ok(chunks(bytes).map(i64::from_le_bytes).collect()),
            Dtype::I32 => Ok(chunks(bytes).map(|bytes| i32::from_le_bytes(bytes).into()).collect()),
            // PyTorch programs often store masks as booleans.
            Dtype::BOOL | Dtype::U8 => Ok(bytes.iter().map(|byte| i64::from(*byte)).collect()),
            other => Err(ModelError::Dtype {
                path: self.path.to_path_buf(),
                key: key.into(),
                expected: "I64, I32, U8 or BOOL",
                found: format!("{other:?}"),
            }),
        }
    }

    /// Call `each` with the index and the value of each element. Returns `false` if the dtype is not a supported
    /// floating-point dtype.
    fn each_float(&self, mut each: impl FnMut(usize, f32)) -> Result<bool, ModelError> {
        let mut known = true;
        self.pieces(|at, piece| {
            let first = at * 8 / self.dtype.bitsize().max(1);
            known &= each_f32(self.dtype, piece, |index, value| each(first + index, value));
        })?;
        // A tensor without values has no chunk, so its dtype is checked here.
        Ok(known && each_f32(self.dtype, &[], |_, _| ()))
    }

    fn pieces(&self, each: impl FnMut(usize, &[u8])) -> Result<(), ModelError> {
        let io = |source| ModelError::Io { path: self.path.to_path_buf(), source };
        self.bytes.pieces(self.range.clone(), each).map_err(io)
    }
}

/// Finds the first value that is not finite.
#[derive(Debug, Default)]
pub(crate) struct Finite {
    /// The length of rows that may consist of only minus infinity; 0 if there are no such rows.
    width: usize,
    /// The number of leading values of the current row that are minus infinity.
    low: usize,
    /// The index and the value that were found.
    pub(crate) found: Option<(usize, f32)>,
}

impl Finite {
    /// A search that accepts rows of only minus infinity. `width` is the length of a row.
    pub(crate) fn in_rows(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Check the next value.
    pub(crate) fn see(&mut self, index: usize, value: f32) {
        if self.found.is_some() || (value.is_finite() && self.low == 0) {
            return;
        }
        let column = index % self.width.max(1);
        if self.width > 0 && value == f32::NEG_INFINITY && column == self.low {
            // The row began with minus infinity, and all of its values may be minus infinity.
            self.low = if column + 1 == self.width { 0 } else { column + 1 };
        } else if self.low > 0 {
            self.found = Some((index - column, f32::NEG_INFINITY));
        } else {
            self.found = Some((index, value));
        }
    }
}

/// The bytes in chunks of `N`. safetensors has checked that the number of bytes is a multiple of `N`.
fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
