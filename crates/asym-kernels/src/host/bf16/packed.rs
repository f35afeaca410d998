//! A weight in the order in which the kernels read it.

use half::bf16;
use rayon::prelude::*;

use crate::host::HostTensor;

/// The number of values per line, which has 64 bytes.
pub(super) const LINE: usize = 32;

/// The number of rows per tile.
pub(super) const TILE: usize = 16;

/// The numbers of rows and columns of a block of sums, which is two tiles high and wide.
pub(super) const BLOCK: usize = 2 * TILE;

/// The number of lines of one step along the inner dimension, which consists of two tiles.
pub(super) const STEP: usize = 2 * TILE;

/// A cache line, which contains a row of a tile.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [bf16; LINE]);

impl Line {
    pub(super) const ZERO: Self = Self([bf16::ZERO; LINE]);
}

/// A bf16 matrix in a slice, with any strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [bf16],
    /// The numbers of rows and columns.
    pub(super) shape: [usize; 2],
    /// The distances, in values, between rows and between columns.
    pub(super) strides: [usize; 2],
}

impl<'a> Source<'a> {
    /// The values of a bf16 tensor of rank 2.
    ///
    /// # Panics
    ///
    /// Panics if the tensor has another rank, another dtype or a negative stride.
    pub(super) fn of(tensor: &'a HostTensor) -> Self {
        let layout = tensor.layout();
        let (&[rows, columns], &[down, across]) = (layout.shape().as_slice(), layout.strides()) else {
            panic!("a weight has two axes, but the shape is {:?}", layout.shape())
        };
        assert!(down >= 0 && across >= 0, "strides of {down} and {across}");
        let values = &tensor.storage::<bf16>()[layout.start_offset()..];
        Self { values, shape: [rows, columns], strides: [down as usize, across as usize] }
    }

    pub(super) fn transposed(self) -> Self {
        let ([rows, columns], [down, across]) = (self.shape, self.strides);
        Self { shape: [columns, rows], strides: [across, down], ..self }
    }
}

/// The right operand of a product.
///
/// It is divided into panels of 32 columns, which are divided into steps of 32 rows. A step consists of two tiles, each with 16
/// pairs of rows and 16 columns. Values beyond the edges of the matrix are zero.
#[derive(Debug)]
pub(super) struct Packed {
    lines: Vec<Line>,
    /// The number of rows.
    pub(super) inner: usize,
    /// The number of columns.
    pub(super) columns: usize,
}

impl Packed {
    pub(super) fn new(source: Source<'_>) -> Self {
        let ([inner, columns], [down, across]) = (source.shape, source.strides);
        let lines = inner.div_ceil(LINE) * STEP;
        let write = |index: usize, panel: &mut [Line]| {
            for (at, line) in panel.iter_mut().enumerate() {
                let (step, tile, pair) = (at / STEP, at / TILE % 2, at % TILE);
                let (row, first) = (step * LINE + 2 * pair, index * BLOCK + tile * TILE);
                let present = TILE.min(columns.saturating_sub(first));
                for (place, two) in line.0.as_chunks_mut::<2>().0.iter_mut().take(present).enumerate() {
                    for (value, row) in two.iter_mut().zip(row..inner) {
                        *value = source.values[row * down + (first + place) * across];
                    }
                }
            }
        };
        let mut packed = vec![Line::ZERO; columns.div_ceil(BLOCK) * lines];
        packed.par_chunks_mut(lines).enumerate().for_each(|(index, panel)| write(index, panel));
        Self { lines: packed, inner, columns }
    }

    /// The number of steps along the inner dimension.
    pub(super) fn steps(&self) -> usize {
        self.inner.div_ceil(LINE)
    }

    /// The number of panels of 32 columns.
    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(BLOCK)
    }

    /// The lines of a panel.
    pub(super) fn panel(&self, index: usize) -> &[Line] {
        let lines = self.steps() * STEP;
        &self.lines[index * lines..][..lines]
    }
}
