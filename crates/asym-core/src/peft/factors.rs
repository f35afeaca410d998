//! The factor pairs of an adapter folder, which are read without a model.

use std::collections::BTreeMap;
use std::path::Path;

use super::{WEIGHTS, parse, read, read_config, tensor};
use crate::linalg::Matrix;
use crate::{AdapterError, Method};

/// The factors of one weight's update B·A. For AdaLoRA, the update is B·(E ⊙ A), and E is not included.
#[derive(Debug, Clone)]
pub struct FactorPair {
    /// The adapted module's name.
    pub module: String,
    /// A, `[rank, d_input]`. The d_input of a convolution is channels in × kernel height × kernel width.
    pub a: Matrix,
    /// B, `[d_output, rank]`.
    pub b: Matrix,
}

/// The maximum number of columns of a factor without rows, or of rows without columns. No layer has so many.
const WIDEST: usize = 1 << 24;

/// The factor pairs in `folder`, an adapter in PEFT's format that any library may have written, in the order of the modules'
/// names.
///
/// For AdaLoRA, dropped triplets, whose value of E is zero, are not included.
///
/// # Errors
///
/// A missing or damaged file; values that are not finite; a factor A without its B, or the reverse; factors with different
/// ranks; a method without a factor pair for each weight ([`AdapterError::NoFactors`]).
pub fn read_factors(folder: impl AsRef<Path>) -> Result<Vec<FactorPair>, AdapterError> {
    let folder = folder.as_ref();
    let config = read_config(folder)?;
    let path = folder.join(WEIGHTS);
    let data = read(folder, &path)?;
    let file = parse(&path, &data)?;
    let matrix = |key: &str, transposed: bool| -> Result<Option<Matrix>, AdapterError> {
        let Ok(view) = file.tensor(key) else { return Ok(None) };
        let shape = view.shape().to_vec();
        let values = tensor(&path, &file, key.to_string(), &shape)?;
        let rows = shape.first().copied().unwrap_or(0);
        let columns = shape.iter().skip(1).fold(1, |columns: usize, size| columns.saturating_mul(*size));
        // The header can contain any dimensions of an empty tensor, because it takes no bytes of the file.
        if values.is_empty() && rows.max(columns) > WIDEST {
            let expected = vec![rows.min(WIDEST), columns.min(WIDEST)];
            return Err(AdapterError::Shape { path: path.clone(), key: key.to_string(), expected, found: shape });
        }
        let at = |i: usize, j: usize| f64::from(values[i * columns + j]);
        Ok(Some(match transposed {
            false => Matrix::from_fn(rows, columns, at),
            true => Matrix::from_fn(columns, rows, |i, j| at(j, i)),
        }))
    };

    let mut modules = BTreeMap::new();
    for key in file.names() {
        let Some(name) = key.strip_prefix("base_model.model.") else { continue };
        for suffix in ["lora_A.weight", "lora_embedding_A", "lora_A"] {
            // If one factor is missing, this is an error below.
            for suffix_found in [suffix.to_string(), suffix.replace('A', "B")] {
                if let Some(module) = name.strip_suffix(&suffix_found).and_then(|module| module.strip_suffix('.')) {
                    modules.insert(module.to_string(), suffix);
                }
            }
        }
    }
    if modules.is_empty() && !matches!(config.method, Method::Ia3(_) | Method::Vera(_)) {
        let keys = vec!["base_model.model.….lora_A.weight".to_string()];
        return Err(AdapterError::MissingKeys { path, keys, hint: "; the file contains no factors of any module" });
    }
    if modules.is_empty() {
        return Err(AdapterError::NoFactors { path: folder.to_path_buf(), method: config.method.to_string() });
    }
    let pair = |(module, suffix): (String, &str)| {
        let key = |suffix: &str| format!("base_model.model.{module}.{suffix}");
        let (a_key, b_key) = (key(suffix), key(&suffix.replace('A', "B")));
        let missing =
            |key: &str| AdapterError::MissingKeys { path: path.clone(), keys: vec![key.to_string()], hint: "" };
        let mut a = matrix(&a_key, false)?.ok_or_else(|| missing(&a_key))?;
        let mut b = matrix(&b_key, false)?.ok_or_else(|| missing(&b_key))?;
        if a.rows() != b.columns() {
            let (expected, found) = (vec![b.rows(), a.rows()], vec![b.rows(), b.columns()]);
            return Err(AdapterError::Shape { path: path.clone(), key: b_key, expected, found });
        }
        if let Some(singular) = matrix(&key("lora_E"), true)? {
            let left: Vec<usize> =
                (0..a.rows()).filter(|&i| i < singular.columns() && singular[(0, i)] != 0.0).collect();
            a = Matrix::from_fn(left.len(), a.columns(), |i, j| a[(left[i], j)]);
            b = Matrix::from_fn(b.rows(), left.len(), |i, j| b[(i, left[j])]);
        }
        Ok(FactorPair { module, a, b })
    };
    modules.into_iter().map(pair).collect()
}
