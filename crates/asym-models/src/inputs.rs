//! Batches from files, logits to files, and the check that a batch fits a model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::save::{Data, Written, write_safetensors};
use crate::weights::{self, Stored};
use crate::{ModelConfig, ModelError};

/// The ids of a batch's tokens.
pub(crate) const INPUT_IDS: &str = "input_ids";
/// 1 where a token counts.
pub(crate) const ATTENTION_MASK: &str = "attention_mask";

/// A batch as a model takes it, and as safetensors files have it.
pub trait ModelInput: Sized + Clone {
    /// That of the models.
    type Config: ModelConfig;

    /// Take this batch's tensors out of a file.
    ///
    /// # Errors
    ///
    /// A tensor that is missing, or of another shape or dtype than it should be.
    fn read(file: &mut InputFile, device: &Device) -> Result<Self, ModelError>;

    /// Check on the host that a model of `config` can take the batch, where a kernel would panic.
    ///
    /// # Errors
    ///
    /// [`ModelError::Input`].
    fn check(&self, config: &Self::Config) -> Result<(), ModelError>;
}

/// The tensors of a file, of which a batch takes what it knows.
#[derive(Debug)]
pub struct InputFile {
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
}

impl InputFile {
    /// Integers `[batch, length]`; absent where there are none of that name.
    pub(crate) fn ids(&mut self, key: &'static str, device: &Device) -> Result<Option<Tensor<2, Int>>, ModelError> {
        let Some(stored) = self.tensors.remove(key) else { return Ok(None) };
        let [batch, length] = *stored.shape.as_slice() else {
            return Err(self.misshapen(key, "[batch, length]", &stored));
        };
        if batch == 0 || length == 0 {
            return Err(self.misshapen(key, "[batch, length]", &stored));
        }
        let data = TensorData::new(stored.integers(key)?, [batch, length]);
        Ok(Some(Tensor::from_data(data, device)))
    }

    /// The same of a tensor that must have the shape of `like`.
    pub(crate) fn ids_like(
        &mut self,
        key: &'static str,
        (other, like): (&str, &Tensor<2, Int>),
        device: &Device,
    ) -> Result<Option<Tensor<2, Int>>, ModelError> {
        match self.ids(key, device)? {
            Some(ids) if ids.dims() != like.dims() => Err(ModelError::Input {
                key,
                expected: format!("shape {:?} as {other}", like.dims()),
                found: format!("{:?}", ids.dims()),
            }),
            ids => Ok(ids),
        }
    }

    /// Floats `[batch, channels, height, width]`.
    pub(crate) fn floats(&mut self, key: &'static str, device: &Device) -> Result<Tensor<4>, ModelError> {
        let stored = self.tensors.remove(key).ok_or_else(|| self.missing(key))?;
        let Ok(shape) = <[usize; 4]>::try_from(stored.shape.as_slice()) else {
            return Err(self.misshapen(key, "[batch, channels, height, width]", &stored));
        };
        if shape.contains(&0) {
            return Err(self.misshapen(key, "[batch, channels, height, width]", &stored));
        }
        stored.check_floats(key)?;
        Ok(Tensor::from_data(TensorData::new(stored.floats(), shape), device))
    }

    pub(crate) fn missing(&self, key: &str) -> ModelError {
        ModelError::MissingKeys { path: self.path.clone(), keys: vec![key.into()] }
    }

    fn misshapen(&self, key: &'static str, expected: &str, stored: &Stored) -> ModelError {
        ModelError::Input {
            key,
            expected: format!("shape {expected}, not empty"),
            found: format!("{:?} in {}", stored.shape, self.path.display()),
        }
    }
}

/// Read a batch from a safetensors file, whose tensors are named as Hugging Face names them.
///
/// Whether it fits a model is another question: [`check_input`].
///
/// # Errors
///
/// A missing or invalid file; a tensor that is missing, of another shape or dtype, or unknown.
pub fn read_inputs<I: ModelInput>(path: impl AsRef<Path>, device: &Device) -> Result<I, ModelError> {
    let path = path.as_ref();
    let mut file = InputFile { path: path.into(), tensors: weights::open_file(path)? };
    let input = I::read(&mut file, device)?;
    if file.tensors.is_empty() {
        Ok(input)
    } else {
        // A misspelt mask would otherwise be no mask.
        Err(ModelError::UnexpectedKeys { path: path.into(), keys: file.tensors.into_keys().collect() })
    }
}

/// Write one tensor to a safetensors file, floats in f32 and integers as I64, whole or not at all.
///
/// # Errors
///
/// [`ModelError::Io`].
pub fn write_tensor(path: impl AsRef<Path>, name: &str, tensor: TensorData) -> Result<(), ModelError> {
    let shape = tensor.shape().to_vec();
    let data = match tensor.dtype().is_float() {
        true => Data::F32(tensor.iter::<f32>().collect()),
        false => Data::I64(tensor.iter::<i64>().collect()),
    };
    write_safetensors(path.as_ref(), vec![(name.into(), Written { shape, data })], None)
}

/// Check on the host that a model of `config` can take a batch, where a kernel would panic.
///
/// # Errors
///
/// [`ModelError::Input`]: an empty batch, tensors of different shapes, an id outside its table, a mask that is not 0 or
/// 1, a sequence longer than the model's positions.
pub fn check_input<I: ModelInput>(input: &I, config: &I::Config) -> Result<(), ModelError> {
    input.check(config)
}

/// Refuse a batch of nothing.
pub(crate) fn check_some(key: &'static str, [batch, length]: [usize; 2]) -> Result<(), ModelError> {
    match batch == 0 || length == 0 {
        true => {
            Err(ModelError::Input { key, expected: "a batch".into(), found: format!("shape {:?}", [batch, length]) })
        }
        false => Ok(()),
    }
}

/// Refuse more tokens than the model has positions for.
pub(crate) fn check_length(key: &'static str, found: usize, limit: usize) -> Result<(), ModelError> {
    match found > limit {
        true => {
            let expected = format!("at most {limit} tokens by max_position_embeddings");
            Err(ModelError::Input { key, expected, found: found.to_string() })
        }
        false => Ok(()),
    }
}

/// The values of ids below `rows` in a tensor of `shape`.
pub(crate) fn check_ids(
    key: &'static str,
    ids: &Tensor<2, Int>,
    (other, shape): (&str, [usize; 2]),
    rows: usize,
) -> Result<Vec<i64>, ModelError> {
    if ids.dims() != shape {
        let (expected, found) = (format!("shape {shape:?} as {other}"), format!("{:?}", ids.dims()));
        return Err(ModelError::Input { key, expected, found });
    }
    let values: Vec<i64> = ids.to_data().iter::<i64>().collect();
    match values.iter().position(|id| !(0..rows as i64).contains(id)) {
        Some(at) => {
            let expected = format!("ids from 0 to {}", rows - 1);
            let found = format!("{} at row {}, column {}", values[at], at / shape[1], at % shape[1]);
            Err(ModelError::Input { key, expected, found })
        }
        None => Ok(values),
    }
}
