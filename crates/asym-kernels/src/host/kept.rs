//! Activations that are kept in bf16 for the backward pass.

use std::mem::MaybeUninit;

use burn::tensor::{DType, TensorData};
use half::bf16;
use rayon::prelude::*;

use crate::Kept;
use crate::host::HostTensor;
use crate::host::math::vectorized;

impl Kept {
    /// The form in which an activation is kept.
    pub(crate) fn keep(self, activation: HostTensor) -> HostTensor {
        match (self, activation.layout().contiguous_offsets()) {
            (Self::Rounded, Some((start, end))) if activation.dtype() == DType::F32 => {
                let values = round(&activation.storage::<f32>()[start..end]);
                HostTensor::from_data(TensorData::new(values, activation.layout().shape().clone()))
            }
            _ => activation,
        }
    }
}

/// The number of values per task.
const CHUNK: usize = 1 << 14;

/// `values`, rounded to the nearest bf16, with ties to even.
fn round(values: &[f32]) -> Vec<bf16> {
    new(values, |value| {
        let bits = value.to_bits();
        let nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        // Rounding the bits of NaN could give those of infinity.
        bf16::from_bits(if value.is_nan() { (bits >> 16 | 0x40) as u16 } else { nearest as u16 })
    })
}

/// `values` in f32.
pub(crate) fn widen(values: &[bf16]) -> Vec<f32> {
    new(values, |value| f32::from_bits(u32::from(value.to_bits()) << 16))
}

/// The results of `of` for all values.
fn new<T: Copy + Sync, U: Send>(values: &[T], of: impl Fn(T) -> U + Sync) -> Vec<U> {
    let mut converted = Vec::with_capacity(values.len());
    let room: &mut [MaybeUninit<U>] = &mut converted.spare_capacity_mut()[..values.len()];
    room.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(room, values)| {
        vectorized!(|| {
            for (room, value) in room.iter_mut().zip(values) {
                room.write(of(*value));
            }
        });
    });
    // SAFETY: the capacity is at least `values.len()`, and each of these elements was written.
    unsafe { converted.set_len(values.len()) };
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_matches_the_half_crate() {
        let ties = [0x3f80_8000, 0x3f81_8000, 0xbf80_8000, 0x3f80_8001, 0x3f80_7fff, 1, 0x7f7f_ffff, 0xff7f_ffff];
        let mut values: Vec<f32> = ties.into_iter().map(f32::from_bits).collect();
        values.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)]);
        values.extend((0..100_000).map(|i| (i as f32 - 5e4) * 0.37e-3));
        let rounded = round(&values);
        for (value, found) in values.iter().zip(&rounded) {
            let expected = bf16::from_f32(*value);
            assert!(found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(), "{value}: {found}");
        }
        for (found, value) in widen(&rounded).iter().zip(&rounded) {
            assert!(*found == value.to_f32() || value.is_nan(), "{value}: {found}");
        }
    }
}
