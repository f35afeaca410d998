//! Writes tensors to safetensors files. A file is written completely or not at all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensorError, View};

use crate::ModelError;

/// The dtype of the tensors in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileDtype {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, IEEE half precision. Values above 65504 do not fit.
    F16,
    /// 16 bits, with the range of f32 and a precision of about three digits.
    BF16,
}

impl FileDtype {
    /// The name of the dtype in `config.json`.
    pub(crate) const fn torch(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
        }
    }
}

/// Write named tensors to a file, completely or not at all.
pub(crate) fn write_safetensors(
    path: &Path,
    tensors: Vec<(String, Written)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<(), ModelError> {
    write_atomically(path, |temporary| {
        // safetensors creates files that only the owner can read. An existing file keeps its permissions, so the file is
        // created first, with the permissions of the user's umask.
        fs::File::create(temporary).map_err(|source| ModelError::Io { path: path.into(), source })?;
        safetensors::serialize_to_file(tensors, metadata, temporary).map_err(|source| match source {
            SafeTensorError::IoError(source) => ModelError::Io { path: path.into(), source },
            source => ModelError::Safetensors { path: path.into(), source },
        })
    })
}

/// Let `write` fill a temporary file next to `path`, and rename it to `path` when it is on the disk.
pub(crate) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    asym_core::fill_whole(path, &temporary, write, |source| ModelError::Io { path: path.into(), source })
}

/// A tensor to write.
#[derive(Clone)]
pub(crate) struct Written {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// The values of a tensor.
#[derive(Clone)]
pub(crate) enum Data {
    F32(Vec<f32>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    I64(Vec<i64>),
}

impl Data {
    /// Convert floats to the dtype of a file.
    pub(crate) fn floats(values: Vec<f32>, dtype: FileDtype) -> Self {
        match dtype {
            FileDtype::F32 => Self::F32(values),
            FileDtype::F16 => Self::F16(values.into_iter().map(f16::from_f32).collect()),
            FileDtype::BF16 => Self::BF16(values.into_iter().map(bf16::from_f32).collect()),
        }
    }
}

impl View for Written {
    fn dtype(&self) -> Dtype {
        match self.data {
            Data::F32(_) => Dtype::F32,
            Data::F16(_) => Dtype::F16,
            Data::BF16(_) => Dtype::BF16,
            Data::I64(_) => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let little = cfg!(target_endian = "little");
        match &self.data {
            Data::F32(values) if little => Cow::Borrowed(bytemuck::cast_slice(values)),
            Data::F16(values) if little => Cow::Borrowed(bytemuck::cast_slice(values)),
            Data::BF16(values) if little => Cow::Borrowed(bytemuck::cast_slice(values)),
            Data::I64(values) if little => Cow::Borrowed(bytemuck::cast_slice(values)),
            Data::F32(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Data::F16(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Data::BF16(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Data::I64(values) => Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        }
    }

    fn data_len(&self) -> usize {
        match &self.data {
            Data::F32(values) => values.len() * 4,
            Data::F16(values) => values.len() * 2,
            Data::BF16(values) => values.len() * 2,
            Data::I64(values) => values.len() * 8,
        }
    }
}
