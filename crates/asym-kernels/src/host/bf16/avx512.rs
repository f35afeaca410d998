//! Blocks of sums with AVX512-BF16, and the operations on vectors of 512 bits that every bf16 kernel uses: rounding and
//! prefetching.
//!
//! Its dot product adds two products of bf16 to each of 16 sums. AMD's Zen 4 multiplies twice as fast with it as in f32. Intel's
//! processors multiply half as fast, so they use AMX or f32.

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

/// Whether its dot product is faster than f32: it was measured to be on AMD's Zen 4, and not to be on Intel's Sapphire Rapids.
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
            // SAFETY: the caller's promise, and the lengths above, for rows below `high`.
            unsafe {
                let (rows, sums) = (rows.as_ptr().add(first), sums.add(first * stride));
                let (columns, start) = (columns.as_ptr(), start.as_ptr());
                // 12 rows take 24 of the 32 registers.
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

/// `N` rows of 32 sums, each in two registers from the first step to the last. Returns `N`.
///
/// # Safety
///
/// [`is_available`] must have returned true, and all that is read and written must lie within its slices.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn sum<const N: usize>(
    rows: *const Line,
    columns: *const Line,
    steps: usize,
    start: *const f32,
    sums: *mut f32,
    stride: usize,
) -> usize {
    // SAFETY: the caller's promise; a line is aligned to 64 bytes.
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

/// Round a row to bf16, to the nearest and ties to even, into every `apart`-th of `lines`. Subnormal values become zero, and a
/// line's places beyond the row are zero.
///
/// # Safety
///
/// [`is_available`] must have returned true.
///
/// # Panics
///
/// Panics if there are not as many lines.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn round_row(row: &[f32], lines: &mut [MaybeUninit<Line>], apart: usize) {
    // The lowest `count` bits, of 16 at most.
    let lowest = |count: usize| u16::MAX.checked_shl(count as u32).map_or(u16::MAX, |mask| !mask);
    for (index, values) in row.chunks(LINE).enumerate() {
        let line = lines[index * apart].as_mut_ptr().cast::<__m512i>();
        // SAFETY: values beyond the row are masked out; a line is 64 bytes and so aligned.
        unsafe {
            let low = _mm512_maskz_loadu_ps(lowest(values.len()), values.as_ptr());
            let high = _mm512_maskz_loadu_ps(lowest(values.len().saturating_sub(16)), values.as_ptr().wrapping_add(16));
            _mm512_store_si512(line, transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)));
        }
    }
}

/// Ask for a line that is read soon.
#[inline(always)]
pub(super) fn prefetch_read(line: &Line) {
    // SAFETY: a prefetch is a hint, regardless of the address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(line).cast()) };
}

/// Ask for a line that is written soon.
#[inline(always)]
pub(super) fn prefetch_write(value: *const f32) {
    // SAFETY: as above.
    unsafe { _mm_prefetch::<_MM_HINT_ET0>(value.cast()) };
}
