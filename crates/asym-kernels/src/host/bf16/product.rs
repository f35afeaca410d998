//! x·W + bias. The product is divided among tasks and into blocks of 32 × 32 sums.

use std::ops::Range;

use rayon::prelude::*;

use super::avx512::{prefetch_read, prefetch_write, round_row};
use super::packed::{BLOCK, LINE, Line, Packed, STEP, TILE};
use crate::host::math::written;

/// The maximum number of bytes of rounded rows per task. With this limit, they fit into the L2 cache of a core.
const ROWS: usize = 1 << 20;

/// The instructions that compute a block of sums.
pub(super) trait Blocks: Sized {
    /// Prepare this thread to compute blocks, until the value is dropped.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions. While the value is alive, no other value of this type may be created on this
    /// thread.
    unsafe fn set_up() -> Self;

    /// Up to 32 × 32 sums: `start` plus `rows` · `columns`, where `start` is the same for each row. At least the first `high`
    /// rows are computed.
    ///
    /// # Safety
    ///
    /// `sums` must be valid for writes of 32 rows of 32 values whose starts are `stride` values apart.
    ///
    /// # Panics
    ///
    /// Panics if `rows` and `columns` have different lengths, or if `start` does not have 32 values. Depending on the
    /// instructions, it also panics if the operands have no steps, or if `high` is above 32.
    unsafe fn block(&self, rows: &[Line], high: usize, columns: &[Line], start: &[f32], sums: *mut f32, stride: usize);
}

/// The weight, the initial sums and the output of a product.
struct Product<'a> {
    weight: &'a Packed,
    /// The bias, padded with zeros to the end of the last panel.
    start: &'a [f32],
    /// The output, in rows of `weight.columns` values.
    output: *mut f32,
}

// SAFETY: tasks write parts of the output that do not overlap.
unsafe impl Sync for Product<'_> {}

/// x·W + bias, where each row of `x` has as many values as the weight has rows.
///
/// Many rows are divided among the tasks, and each task rounds its own rows. Few rows are rounded once, and the panels of the
/// weight are divided among the tasks.
///
/// # Safety
///
/// The processor must have the instructions of `B`, and AVX512-BF16.
///
/// # Panics
///
/// Panics if the length of `x` is not a multiple of the row length, or if the length of the bias differs from that of an output
/// row.
pub(super) unsafe fn product<B: Blocks>(x: &[f32], weight: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let (inner, columns, panels) = (weight.inner, weight.columns, weight.panels());
    let count = x.len() / inner;
    assert_eq!(x.len(), count * inner, "whole rows of {inner} values");
    let mut start = vec![0.0f32; panels * BLOCK];
    if let Some(bias) = bias {
        start[..columns].copy_from_slice(bias);
    }
    let parts = 2 * rayon::current_num_threads();
    // SAFETY: each panel of each row is written by exactly one task.
    unsafe {
        written(count * columns, |output| {
            let product = &Product { weight, start: &start, output: output.as_mut_ptr().cast() };
            if count >= parts * BLOCK {
                let most = (ROWS / (weight.steps() * size_of::<Line>())).max(BLOCK);
                let part = most.min(count.div_ceil(parts).next_multiple_of(BLOCK)) / BLOCK * BLOCK;
                x.par_chunks(part * inner).enumerate().for_each_init(Vec::new, |lines, (index, rows)| {
                    round(rows, inner, lines);
                    product.block_rows::<B>(index * part..index * part + rows.len() / inner, lines, 0..panels);
                });
            } else {
                let mut lines = Vec::new();
                round(x, inner, &mut lines);
                let part = panels.div_ceil(parts);
                (0..panels.div_ceil(part)).into_par_iter().for_each(|index| {
                    product.block_rows::<B>(0..count, &lines, index * part..panels.min((index + 1) * part));
                });
            }
        })
    }
}

/// Round `rows` of `inner` values into `lines`: blocks of 32 rows, each in steps of two tiles. The last block is padded with
/// zeros.
///
/// # Safety
///
/// See [`round_row`].
unsafe fn round(rows: &[f32], inner: usize, lines: &mut Vec<Line>) {
    let (count, steps) = (rows.len() / inner, inner.div_ceil(LINE));
    let place = |row: usize| row / BLOCK * steps * STEP + row % BLOCK;
    let length = count.div_ceil(BLOCK) * steps * STEP;
    lines.clear();
    lines.reserve(length);
    let room = &mut lines.spare_capacity_mut()[..length];
    for (index, row) in rows.chunks_exact(inner).enumerate() {
        // SAFETY: the caller guarantees that the instructions are available.
        unsafe { round_row(row, &mut room[place(index)..], STEP) };
    }
    for index in count..count.next_multiple_of(BLOCK) {
        for step in 0..steps {
            room[place(index) + step * STEP].write(Line::ZERO);
        }
    }
    // SAFETY: every step of every row of every block was written.
    unsafe { lines.set_len(length) };
}

impl Product<'_> {
    /// Compute the sums of some rows and some panels. `lines` contains the rounded rows.
    ///
    /// # Safety
    ///
    /// The requirements of [`product`]. In addition, no other task may write to these rows and panels.
    unsafe fn block_rows<B: Blocks>(&self, rows: Range<usize>, lines: &[Line], panels: Range<usize>) {
        let (steps, columns) = (self.weight.steps(), self.weight.columns);
        // SAFETY: the caller guarantees that the instructions are available. No other task runs on this thread in this function.
        let blocks = unsafe { B::set_up() };
        let mut edge = [0.0f32; BLOCK * BLOCK];
        for index in panels.clone() {
            let panel = self.weight.panel(index);
            let start = &self.start[index * BLOCK..][..BLOCK];
            let wide = BLOCK.min(columns - index * BLOCK);
            // Each block prefetches a part of the next panel.
            let mut next = if index + 1 < panels.end { self.weight.panel(index + 1) } else { &[] };
            let share = next.len().div_ceil(rows.len().div_ceil(BLOCK));
            for (block, lines) in lines.chunks_exact(steps * STEP).enumerate() {
                let first = rows.start + block * BLOCK;
                let high = BLOCK.min(rows.end - first);
                // SAFETY: the row and the panel are within the output.
                let output = unsafe { self.output.add(first * columns + index * BLOCK) };
                for row in 0..high {
                    prefetch_write(output.wrapping_add(row * columns));
                    prefetch_write(output.wrapping_add(row * columns + TILE));
                }
                let (now, later) = next.split_at(share.min(next.len()));
                now.iter().for_each(prefetch_read);
                next = later;
                let is_whole = high == BLOCK && wide == BLOCK;
                let (sums, stride) = if is_whole { (output, columns) } else { (edge.as_mut_ptr(), BLOCK) };
                // SAFETY: a whole block of sums is within the output. Another block is written to `edge`, which has 32 × 32
                // values.
                unsafe { blocks.block(lines, high, panel, start, sums, stride) };
                if !is_whole {
                    for (row, sums) in edge.chunks_exact(BLOCK).take(high).enumerate() {
                        // SAFETY: the first `wide` values of the row are within the output.
                        unsafe { output.add(row * columns).copy_from_nonoverlapping(sums.as_ptr(), wide) };
                    }
                }
            }
        }
    }
}
