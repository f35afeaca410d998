//! The values of tensors in files.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

/// The values of a tensor in a safetensors file; `None` if its dtype is not F32, F16, BF16 or F64.
pub fn to_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let mut values = Vec::with_capacity(view.shape().iter().product());
    each_f32(view.dtype(), view.data(), |_, value| values.push(value)).then_some(values)
}

/// Call `each` with the index and the value of each number in the little-endian `data`.
///
/// Returns false if `dtype` is not F32, F16, BF16 or F64.
pub fn each_f32(dtype: Dtype, data: &[u8], mut each: impl FnMut(usize, f32)) -> bool {
    fn chunks<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> {
        data.as_chunks().0.iter().copied()
    }
    let mut all = |values: &mut dyn Iterator<Item = f32>| values.enumerate().for_each(|(i, value)| each(i, value));
    match dtype {
        // F32 does not use the closure above, so this line compiles to a copy.
        Dtype::F32 => chunks(data).map(f32::from_le_bytes).enumerate().for_each(|(i, value)| each(i, value)),
        Dtype::F16 => all(&mut chunks(data).map(|bytes| f16::from_le_bytes(bytes).to_f32())),
        Dtype::BF16 => all(&mut chunks(data).map(|bytes| bf16::from_le_bytes(bytes).to_f32())),
        Dtype::F64 => all(&mut chunks(data).map(|bytes| f64::from_le_bytes(bytes) as f32)),
        _ => return false,
    }
    true
}

/// The transpose of `values`, which has `rows` rows and `columns` columns.
pub(super) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    // One of the two matrices is accessed across its rows, so blocks are used that fit into the L1 cache.
    const BLOCK: usize = 32;
    let mut out = vec![0.0; values.len()];
    for row in (0..rows).step_by(BLOCK) {
        for column in (0..columns).step_by(BLOCK) {
            for r in row..(row + BLOCK).min(rows) {
                for c in column..(column + BLOCK).min(columns) {
                    out[c * rows + r] = values[r * columns + c];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_is_its_own_inverse() {
        let values: Vec<f32> = (0..70 * 41).map(|i| i as f32).collect();
        let once = transpose(&values, 70, 41);
        assert_eq!(once[70], values[1]);
        assert_eq!(transpose(&once, 41, 70), values);
    }
}
