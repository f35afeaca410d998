//! x·W + bias, divided among tasks and into blocks of 32 × 32 sums.

use std::ops::Range;

use rayon::prelude::*;

use super::avx512::{prefetch_read, prefetch_write, round_row};
use super::packed::{BLOCK, LINE, Line, Packed, STEP, TILE};
use crate::host::math::written;

/// Bytes of rounded rows that a task works on at most, so they stay in the second cache of its core.
const ROWS: usize = 1 << 20;

/// Instructions that compute a block of sums.
pub(super) trait Blocks: Sized {
    /// Prepare this thread to compute blocks, until the value is dropped.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions. While the value lives, no other value of the kind may be set up on this thread.
    unsafe fn set_up() -> Self;

    /// Up to 32 × 32 sums: `start` in each row, plus `rows` · `columns`. At least the first `high` rows are computed.
    ///
    /// # Safety
    ///
    /// `sums` must be valid for writes of 32 rows of 32 values whose starts are `stride` values apart.
    ///
    /// # Panics
    ///
    /// Panics if the operands differ in their steps, if they have none, if `start` is not 32 values, or if `high` is above 32.
    unsafe fn block(&self, rows: &[Line], high: usize, columns: &[Line], start: &[f32], sums: *mut f32, stride: usize);
}

/// A product: its weight, the rows that its sums start from, and where it goes.
struct Product<'a> {
    weight: &'a Packed,
    /// The bias, with zeros up to the last panel's edge.
    start: &'a [f32],
    /// Rows of `weight.columns` values.
    output: *mut f32,
}

// SAFETY: tasks write parts of the output that do not overlap.
unsafe impl Sync for Product<'_> {}

/// x·W + bias, for `x` in rows of as many values as the weight has.
///
/// Many rows are divided among the tasks, each of which rounds and lays out its own; few are laid out once, and the panels of the
/// weight are divided.
///
/// # Safety
///
/// The processor must have the instructions of `B`, and AVX512-BF16.
///
/// # Panics
///
/// Panics if `x` does not consist of whole rows, or if the length of the bias differs from that of an output row.
pub(super) unsafe fn product<B: Blocks>(x: &[f32], weight: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let (inner, columns, panels) = (weight.inner, weight.columns, weight.panels());
    let count = x.len() / inner;
    assert_eq!(x.len(), count * inner, "whole rows of {inner} values");
    let mut start = vec![0.0f32; panels * BLOCK];
    if let Some(bias) = bias {
        start[..columns].copy_from_slice(bias);
    }
    let parts = 2 * rayon::current_num_threads();
    // SAFETY: every row and every panel is written, by a single task.
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

/// Round `rows` of `inner` values into `lines`: blocks of 32 rows, each in steps of two tiles. Rows beyond the last are zero.
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
        // SAFETY: the caller's promise.
        unsafe { round_row(row, &mut room[place(index)..], STEP) };
    }
    for index in count..count.next_multiple_of(BLOCK) {
        for step in 0..steps {
            room[place(index) + step * STEP].write(Line::ZERO);
        }
    }
    // SAFETY: each of the blocks' rows was written in each of the steps.
    unsafe { lines.set_len(length) };
}

impl Product<'_> {
    /// The sums of some rows, whose `lines` are given, and some panels.
    ///
    /// # Safety
    ///
    /// The requirements of [`product`]. In addition, no other task may write these rows of these panels.
    unsafe fn block_rows<B: Blocks>(&self, rows: Range<usize>, lines: &[Line], panels: Range<usize>) {
        let (steps, columns) = (self.weight.steps(), self.weight.columns);
        // SAFETY: the caller's promise; nothing below gives the thread to another task.
        let blocks = unsafe { B::set_up() };
        let mut edge = [0.0f32; BLOCK * BLOCK];
        for index in panels.clone() {
            let panel = self.weight.panel(index);
            let start = &self.start[index * BLOCK..][..BLOCK];
            let wide = BLOCK.min(columns - index * BLOCK);
            // Each block asks for its share of the next panel.
            let mut next = if index + 1 < panels.end { self.weight.panel(index + 1) } else { &[] };
            let share = next.len().div_ceil(rows.len().div_ceil(BLOCK));
            for (block, lines) in lines.chunks_exact(steps * STEP).enumerate() {
                let first = rows.start + block * BLOCK;
                let high = BLOCK.min(rows.end - first);
                // SAFETY: the row and the panel lie within the output.
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
                // SAFETY: both operands have as many steps, and the sums lie within the output or are the edge's block.
                unsafe { blocks.block(lines, high, panel, start, sums, stride) };
                if !is_whole {
                    for (row, sums) in edge.chunks_exact(BLOCK).take(high).enumerate() {
                        // SAFETY: the part of the row lies within the output.
                        unsafe { output.add(row * columns).copy_from_nonoverlapping(sums.as_ptr(), wide) };
                    }
                }
            }
        }
    }
}
