//! Reads batches from files, writes tensors to files, and checks that a batch fits a model and that logits are finite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::weights::{self, Stored};
use crate::write::{Data, Written, write_safetensors};
use crate::{ModelConfig, ModelError};

/// The name of the tensor with the token ids.
pub(crate) const INPUT_IDS: &str = "input_ids";
/// The name of the tensor that is 1 for tokens and 0 for padding.
pub(crate) const ATTENTION_MASK: &str = "attention_mask";

/// Tensors that data sets for transformers contain in addition to the inputs, and that do not affect any output.
const SPARE: [&str; 4] = ["labels", "label", "special_tokens_mask", "length"];

/// The input of a model, which can be read from a safetensors file.
pub trait ModelInput: Sized + Clone {
    /// The configuration of the model.
    type Config: ModelConfig;

    /// Take the tensors of a batch from a file.
    ///
    /// # Errors
    ///
    /// Returns an error if a tensor is missing, or if its shape or dtype is wrong.
    fn read(file: &mut InputFile, device: &Device) -> Result<Self, ModelError>;

    /// Check on the host that a model with `config` accepts the batch. A kernel may panic on other batches.
    ///
    /// # Errors
    ///
    /// [`ModelError::Input`] if the model does not accept the batch.
    fn check(&self, config: &Self::Config) -> Result<(), ModelError>;
}

/// The tensors of a file. A batch takes its tensors out of it.
#[derive(Debug)]
pub struct InputFile {
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
}

impl InputFile {
    /// Take a tensor of integers, `[batch, length]`; `None` if the file has no tensor with this name.
    pub(crate) fn ids(&mut self, key: &'static str, device: &Device) -> Result<Option<Tensor<2, Int>>, ModelError> {
        let Some(stored) = self.tensors.remove(key) else { return Ok(None) };
        let [batch, length] = *stored.shape.as_slice() else {
            return Err(self.misshapen(key, "[batch, length]", &stored));
        };
        if batch == 0 || length == 0 {
            return Err(self.misshapen(key, "[batch, length]", &stored));
        }
        let values = stored.integers(key)?;
        // A device may use 32-bit integers. It would panic on a larger value or change it.
        if let Some(at) = values.iter().position(|value| i32::try_from(*value).is_err()) {
            return Err(ModelError::Input {
                key,
                expected: "32-bit integers".into(),
                found: format!(
                    "{} at row {}, column {} in {}",
                    values[at],
                    at / length,
                    at % length,
                    self.path.display()
                ),
            });
        }
        Ok(Some(Tensor::from_data(TensorData::new(values, [batch, length]), device)))
    }

    /// Like [`ids`](Self::ids), for a tensor that must have the shape of `like`.
    pub(crate) fn ids_like(
        &mut self,
        key: &'static str,
        (other, like): (&str, &Tensor<2, Int>),
        device: &Device,
    ) -> Result<Option<Tensor<2, Int>>, ModelError> {
        match self.ids(key, device)? {
            Some(ids) if ids.dims() != like.dims() => Err(ModelError::Input {
                key,
                expected: format!("the shape {:?} of {other}", like.dims()),
                found: format!("{:?}", ids.dims()),
            }),
            ids => Ok(ids),
        }
    }

    /// Take a tensor of floats, `[batch, channels, height, width]`.
    pub(crate) fn floats(&mut self, key: &'static str, device: &Device) -> Result<Tensor<4>, ModelError> {
        let stored = self.tensors.remove(key).ok_or_else(|| self.missing(key))?;
        let Ok(shape) = <[usize; 4]>::try_from(stored.shape.as_slice()) else {
            return Err(self.misshapen(key, "[batch, channels, height, width]", &stored));
        };
        if shape.contains(&0) {
            return Err(self.misshapen(key, "[batch, channels, height, width]", &stored));
        }
        stored.check_floats(key)?;
        Ok(Tensor::from_data(TensorData::new(stored.floats()?, shape), device))
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

/// Read a batch from a safetensors file. The tensors have the names of Hugging Face.
///
/// [`check_input`] checks whether the batch fits a model.
///
/// # Errors
///
/// Returns an error if the file is missing or invalid, or if a tensor is missing, unknown, or of a wrong shape or
/// dtype.
pub fn read_inputs<I: ModelInput>(path: impl AsRef<Path>, device: &Device) -> Result<I, ModelError> {
    let path = path.as_ref();
    let mut file = InputFile { path: path.into(), tensors: weights::open_file(path)? };
    let input = I::read(&mut file, device)?;
    file.tensors.retain(|key, _| !SPARE.contains(&key.as_str()));
    if file.tensors.is_empty() {
        Ok(input)
    } else {
        // Otherwise, a misspelled mask would be ignored.
        Err(ModelError::UnexpectedKeys { path: path.into(), keys: file.tensors.into_keys().collect() })
    }
}

/// Write a tensor to a safetensors file, with floats as F32 and integers as I64. The file is never written partially.
///
/// # Errors
///
/// [`ModelError::Io`] if the file cannot be written.
pub fn write_tensor(path: impl AsRef<Path>, name: &str, tensor: TensorData) -> Result<(), ModelError> {
    let shape = tensor.shape().to_vec();
    let data = if tensor.dtype().is_float() {
        Data::F32(tensor.iter::<f32>().collect())
    } else {
        Data::I64(tensor.iter::<i64>().collect())
    };
    write_safetensors(path.as_ref(), vec![(name.into(), Written { shape, data })], None)
}

/// Check on the host that a model with `config` accepts a batch. A kernel may panic on other batches.
///
/// # Errors
///
/// [`ModelError::Input`] if the batch is empty, if tensors have different shapes, if an id is out of range, if a mask
/// is not 0 or 1, or if a sequence is longer than the model's positions.
pub fn check_input<I: ModelInput>(input: &I, config: &I::Config) -> Result<(), ModelError> {
    input.check(config)
}

/// Check that the logits of a batch, `[batch, ...]`, are finite.
///
/// # Errors
///
/// [`ModelError::Logits`] for the first row with a value that is not finite.
pub fn check_logits(logits: &TensorData) -> Result<(), ModelError> {
    let rows = logits.shape().first().copied().unwrap_or(1).max(1);
    let width = (logits.num_elements() / rows).max(1);
    match logits.iter::<f32>().enumerate().find(|(_, value)| !value.is_finite()) {
        Some((at, found)) => Err(ModelError::Logits { row: 1 + at / width, found }),
        None => Ok(()),
    }
}

/// Check that a batch is not empty.
pub(crate) fn check_some(key: &'static str, [batch, length]: [usize; 2]) -> Result<(), ModelError> {
    if batch == 0 || length == 0 {
        let found = format!("shape {:?}", [batch, length]);
        return Err(ModelError::Input { key, expected: "a batch that is not empty".into(), found });
    }
    Ok(())
}

/// Check that a sequence is not longer than the model's positions.
pub(crate) fn check_length(key: &'static str, found: usize, limit: usize) -> Result<(), ModelError> {
    if found > limit {
        let expected = format!("at most {limit} tokens (max_position_embeddings)");
        return Err(ModelError::Input { key, expected, found: found.to_string() });
    }
    Ok(())
}

/// Check that a tensor has `shape`, which is that of `other`, and that its ids are below `rows`. Return the ids.
pub(crate) fn check_ids(
    key: &'static str,
    ids: &Tensor<2, Int>,
    (other, shape): (&str, [usize; 2]),
    rows: usize,
) -> Result<Vec<i64>, ModelError> {
    if ids.dims() != shape {
        let (expected, found) = (format!("the shape {shape:?} of {other}"), format!("{:?}", ids.dims()));
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
