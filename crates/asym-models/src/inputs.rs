//! Batches from files, logits to files, and the check that a batch fits a model.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::save::{FileDtype, Floats, write_safetensors};
use crate::weights::{self, Stored};
use crate::{EncoderConfig, EncoderInput, ModelError};

const INPUT_IDS: &str = "input_ids";
const ATTENTION_MASK: &str = "attention_mask";
const TOKEN_TYPE_IDS: &str = "token_type_ids";

/// Read a batch from a safetensors file: `input_ids` and, where they are there, `attention_mask` and `token_type_ids`,
/// all `[batch, length]` in I64 or I32.
///
/// Whether it fits a model is another question: [`check_input`].
///
/// # Errors
///
/// A missing or invalid file; no `input_ids`; another tensor than these; another shape or dtype.
pub fn read_inputs(path: impl AsRef<Path>, device: &Device) -> Result<EncoderInput, ModelError> {
    let path = path.as_ref();
    let mut tensors = weights::open_file(path)?;
    let ids = tensors
        .remove(INPUT_IDS)
        .ok_or_else(|| ModelError::MissingKeys { path: path.into(), keys: vec![INPUT_IDS.into()] })?;
    let shape = match *ids.shape.as_slice() {
        [batch, length] if batch > 0 && length > 0 => [batch, length],
        _ => {
            let found = format!("{:?} in {}", ids.shape, path.display());
            return Err(ModelError::Input {
                key: INPUT_IDS,
                expected: "shape [batch, length], not empty".into(),
                found,
            });
        }
    };
    let read = |key: &'static str, stored: &Stored| {
        if stored.shape != shape {
            let (expected, found) = (format!("shape {shape:?} as input_ids"), format!("{:?}", stored.shape));
            return Err(ModelError::Input { key, expected, found });
        }
        let data = TensorData::new(stored.integers(key)?, shape);
        Ok(Tensor::<2, Int>::from_data(data, device))
    };
    let input = EncoderInput {
        input_ids: read(INPUT_IDS, &ids)?,
        attention_mask: tensors.remove(ATTENTION_MASK).map(|mask| read(ATTENTION_MASK, &mask)).transpose()?,
        token_type_ids: tensors.remove(TOKEN_TYPE_IDS).map(|ids| read(TOKEN_TYPE_IDS, &ids)).transpose()?,
    };
    if tensors.is_empty() {
        Ok(input)
    } else {
        // A misspelt mask would otherwise be no mask.
        Err(ModelError::UnexpectedKeys { path: path.into(), keys: tensors.into_keys().collect() })
    }
}

/// Write one tensor to a safetensors file in f32, whole or not at all.
///
/// # Errors
///
/// [`ModelError::Io`].
pub fn write_tensor<const D: usize>(path: impl AsRef<Path>, name: &str, tensor: Tensor<D>) -> Result<(), ModelError> {
    let shape = tensor.dims().to_vec();
    let values = tensor.into_data().iter::<f32>().collect();
    write_safetensors(path.as_ref(), vec![(name.into(), Floats { shape, values, dtype: FileDtype::F32 })], None)
}

/// Check on the host that a model of `config` has a row for every id, where a kernel would panic.
///
/// # Errors
///
/// [`ModelError::Input`]: an empty batch, tensors of different shapes, an id or type outside its table, a mask that is
/// not 0 or 1, a sequence longer than the position table.
pub fn check_input(input: &EncoderInput, config: &EncoderConfig) -> Result<(), ModelError> {
    let shape @ [batch, length] = input.input_ids.dims();
    if batch == 0 || length == 0 {
        return Err(ModelError::Input {
            key: INPUT_IDS,
            expected: "a batch".into(),
            found: format!("shape {shape:?}"),
        });
    }
    let ids = check_ids(INPUT_IDS, &input.input_ids, shape, config.vocab_size)?;
    if let Some(mask) = &input.attention_mask {
        check_ids(ATTENTION_MASK, mask, shape, 2)?;
    }
    if let Some(types) = &input.token_type_ids {
        check_ids(TOKEN_TYPE_IDS, types, shape, config.type_vocab_size)?;
    }
    // BERT's positions are those of the row, RoBERTa's count the tokens that are not padding.
    let longest = match config.family {
        crate::Family::Bert => length,
        crate::Family::Roberta => {
            let real = |row: &[i64]| row.iter().filter(|id| **id != config.pad_token_id as i64).count();
            ids.chunks(length).map(real).max().unwrap_or(0)
        }
    };
    if longest > config.max_length() {
        let expected = format!("at most {} tokens by max_position_embeddings", config.max_length());
        return Err(ModelError::Input { key: INPUT_IDS, expected, found: longest.to_string() });
    }
    Ok(())
}

fn check_ids(key: &'static str, ids: &Tensor<2, Int>, shape: [usize; 2], rows: usize) -> Result<Vec<i64>, ModelError> {
    if ids.dims() != shape {
        let (expected, found) = (format!("shape {shape:?} as input_ids"), format!("{:?}", ids.dims()));
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
