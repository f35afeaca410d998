//! Blocks of sums with AVX512-BF16, and the rounding and prefetching that every bf16 kernel uses.
//!
//! The dot product instruction adds two products of bf16 to each of 16 sums. On AMD's Zen 4, this is twice as fast as f32. On
//! Intel's processors, it is half as fast, so they use AMX or f32.

use std::arch::x86_64::{
    __cpuid, __m512, __m512bh, __m512i, _MM_HINT_ET0, _MM_HINT_T1, _mm_prefetch, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
    _mm512_load_si512, _mm512_loadu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_store_si512, _mm512_storeu_ps,
};
use std::mem::{MaybeUninit, transmute};

use super::packed::{LINE, Line, STEP, TILE};
use super::product::Blocks;

/// Whether the processor has AVX512-BF16.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

/// Whether the dot product is faster than f32. According to measurements, it is faster on AMD's Zen 4, but not on Intel's
/// Sapphire Rapids.
pub(super) fn is_fast() -> bool {
    let vendor = __cpuid(0);
    is_available() && [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
}

/// Blocks of sums in registers.
pub(super) struct Dots;

impl Blocks for Dots {
    unsafe fn set_up() -> Self {
        Self
    }

    unsafe fn block(&self, rows: &[Line], high: usize, columns: &[Line], start: &[f32], sums: *mut f32, stride: usize) {
        let steps = rows.len() / STEP;
        assert!(rows.len() == columns.len() && start.len() == 2 * TILE && high <= 2 * TILE, "operands of a block");
        let mut first = 0;
        while first < high {
            // SAFETY: the caller guarantees that `sums` is valid, and the lengths of the slices are checked above. The rows
            // from `first` to `high` are within the block.
            unsafe {
                let (rows, sums) = (rows.as_ptr().add(first), sums.add(first * stride));
                let (columns, start) = (columns.as_ptr(), start.as_ptr());
                // The sums of 12 rows take 24 of the 32 registers.
                first += match high - first {
                    12.. => sum::<12>(rows, columns, steps, start, sums, stride),
                    8.. => sum::<8>(rows, columns, steps, start, sums, stride),
                    4.. => sum::<4>(rows, columns, steps, start, sums, stride),
                    2.. => sum::<2>(rows, columns, steps, start, sums, stride),
                    _ => sum::<1>(rows, columns, steps, start, sums, stride),
                };
            }
        }
    }
}

/// `N` rows of 32 sums, each of which is in two registers during all steps. Returns `N`.
///
/// # Safety
///
/// [`is_available`] must have returned true. In each of the `steps` steps of [`STEP`] lines, `rows` must be valid for reads of
/// `N` lines, and `columns` for reads of all lines. `start` must be valid for reads of 32 values, and `sums` for writes of `N`
/// rows of 32 values whose starts are `stride` values apart.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn sum<const N: usize>(
    rows: *const Line,
    columns: *const Line,
    steps: usize,
    start: *const f32,
    sums: *mut f32,
    stride: usize,
) -> usize {
    // SAFETY: the caller guarantees that the pointers are valid, and a line is aligned to 64 bytes.
    unsafe {
        let load = |line: *const Line| transmute::<__m512i, __m512bh>(_mm512_load_si512(line.cast()));
        let mut left: [__m512; N] = [_mm512_loadu_ps(start); N];
        let mut right: [__m512; N] = [_mm512_loadu_ps(start.add(TILE)); N];
        for step in 0..steps {
            let (rows, columns) = (rows.add(step * STEP), columns.add(step * STEP));
            for pair in 0..TILE {
                let (of_left, of_right) = (load(columns.add(pair)), load(columns.add(TILE + pair)));
                for row in 0..N {
                    let two = _mm512_set1_epi32(rows.add(row).cast::<i32>().add(pair).read());
                    let two = transmute::<__m512i, __m512bh>(two);
                    left[row] = _mm512_dpbf16_ps(left[row], two, of_left);
                    right[row] = _mm512_dpbf16_ps(right[row], two, of_right);
                }
            }
        }
        for row in 0..N {
            _mm512_storeu_ps(sums.add(row * stride), left[row]);
            _mm512_storeu_ps(sums.add(row * stride + TILE), right[row]);
        }
    }
    N
}

/// Round a row to the nearest bf16 values, with ties to even, and write them into every `apart`-th of `lines`. Subnormal values
/// become zero. The values of the last line after the end of the row are zero.
///
/// # Safety
///
/// [`is_available`] must have returned true.
///
/// # Panics
///
/// Panics if there are too few lines.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn round_row(row: &[f32], lines: &mut [MaybeUninit<Line>], apart: usize) {
    // A mask of the lowest `count` bits, at most 16.
    let lowest = |count: usize| u16::MAX.checked_shl(count as u32).map_or(u16::MAX, |mask| !mask);
    for (index, values) in row.chunks(LINE).enumerate() {
        let line = lines[index * apart].as_mut_ptr().cast::<__m512i>();
        // SAFETY: values after the end of the row are masked out, and a line has 64 bytes and is aligned to 64 bytes.
        unsafe {
            let low = _mm512_maskz_loadu_ps(lowest(values.len()), values.as_ptr());
            let high = _mm512_maskz_loadu_ps(lowest(values.len().saturating_sub(16)), values.as_ptr().wrapping_add(16));
            _mm512_store_si512(line, transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)));
        }
    }
}

/// Prefetch a line that will be read soon.
#[inline(always)]
pub(super) fn prefetch_read(line: &Line) {
    // SAFETY: a prefetch is only a hint and is valid for any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(line).cast()) };
}

/// Prefetch a cache line that will be written soon.
#[inline(always)]
pub(super) fn prefetch_write(value: *const f32) {
    // SAFETY: see `prefetch_read`.
    unsafe { _mm_prefetch::<_MM_HINT_ET0>(value.cast()) };
}
