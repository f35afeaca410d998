//! Views of matrices within a larger matrix, products of such views, and loops that compile to vector instructions.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use gemm::{Parallelism, gemm};
use pulp::Arch;
use rayon::prelude::*;

use crate::host::HostTensor;

/// A view of a matrix in a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: *const f32,
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
    slice: PhantomData<&'a [f32]>,
}

/// A mutable view of a matrix with contiguous rows.
pub(crate) struct MatrixMut<'a> {
    values: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: isize,
    slice: PhantomData<&'a mut [f32]>,
}

impl<'a> Matrix<'a> {
    /// `rows` rows of `columns` values, whose starts are `stride` values apart.
    ///
    /// # Panics
    ///
    /// Panics if the rows overlap or exceed `values`.
    pub(crate) fn view(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(fits(values.len(), rows, columns, stride), "a matrix within its slice");
        let row_stride = stride as isize;
        Self { values: values.as_ptr(), rows, columns, row_stride, column_stride: 1, slice: PhantomData }
    }

    /// `values` in contiguous rows of `columns` values.
    pub(crate) fn of(values: &'a [f32], columns: usize) -> Self {
        Self::view(values, values.len() / columns, columns, columns)
    }

    /// A view of an f32 tensor of rank 2.
    ///
    /// # Panics
    ///
    /// Panics if the tensor is empty or has another rank, another dtype or a negative stride.
    pub(crate) fn tensor(tensor: &'a HostTensor) -> Self {
        let (layout, storage) = (tensor.layout(), tensor.storage::<f32>());
        let (&[rows, columns], &[row_stride, column_stride]) = (layout.shape().as_slice(), layout.strides()) else {
            panic!("a matrix has two axes, but the shape is {:?}", layout.shape())
        };
        let ends = [(rows, row_stride), (columns, column_stride)].map(|(count, stride)| {
            assert!(stride >= 0, "a stride of {stride}");
            count.saturating_sub(1) * stride as usize
        });
        assert!(layout.start_offset() + ends[0] + ends[1] < storage.len(), "a matrix within its storage");
        let values = storage[layout.start_offset()..].as_ptr();
        Self { values, rows, columns, row_stride, column_stride, slice: PhantomData }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a> MatrixMut<'a> {
    /// `values` in contiguous rows of `columns` values.
    pub(crate) fn of(values: &'a mut [f32], columns: usize) -> Self {
        let rows = values.len() / columns;
        Self { values: values.as_mut_ptr(), rows, columns, row_stride: columns as isize, slice: PhantomData }
    }
}

fn fits(length: usize, rows: usize, columns: usize, stride: usize) -> bool {
    columns <= stride && (rows == 0 || (rows - 1) * stride + columns <= length)
}

/// A slice in which several tasks write to parts that do not overlap.
pub(crate) struct Shared<'a> {
    values: *mut f32,
    length: usize,
    slice: PhantomData<&'a mut [f32]>,
}

// SAFETY: parts are accessed only through an unsafe function, whose caller guarantees that they do not overlap.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self { values: values.as_mut_ptr(), length: values.len(), slice: PhantomData }
    }

    /// A matrix that begins at index `start`.
    ///
    /// # Safety
    ///
    /// While the matrix is alive, there must be no other matrix that contains one of its values.
    ///
    /// # Panics
    ///
    /// Panics if the matrix exceeds the slice.
    pub(crate) unsafe fn matrix(&self, start: usize, rows: usize, columns: usize, stride: usize) -> MatrixMut<'_> {
        assert!(start <= self.length && fits(self.length - start, rows, columns, stride), "a matrix within its slice");
        // SAFETY: `start` is within the slice.
        let values = unsafe { self.values.add(start) };
        MatrixMut { values, rows, columns, row_stride: stride as isize, slice: PhantomData }
    }
}

/// Whether a product overwrites the values of its output or is added to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Overwrite,
    Add,
}

/// Products with fewer multiplications than 192³ run on one thread, as in Burn's flex backend.
const PARALLEL: usize = 192 * 192 * 192;

/// `scale` · `left` · `right`, computed on the current thread.
///
/// # Panics
///
/// Panics if the sizes of the matrices do not match.
pub(crate) fn product(output: MatrixMut<'_>, then: Output, scale: f32, left: Matrix<'_>, right: Matrix<'_>) {
    let (rows, columns, inner) = (output.rows, output.columns, left.columns);
    assert_eq!((left.rows, right.rows, right.columns), (rows, inner, columns), "sizes of a product");
    // SAFETY: each of the three matrices was checked to be within its slice, which is borrowed for the lifetime of the matrix.
    // The slice of the output is borrowed mutably.
    unsafe {
        gemm(
            rows,
            columns,
            inner,
            output.values,
            1,
            output.row_stride,
            then == Output::Add,
            left.values,
            left.column_stride,
            left.row_stride,
            right.values,
            right.column_stride,
            right.row_stride,
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Like [`product`], on all threads if the product is large enough.
///
/// Each task usually computes some columns and packs only its part of `right`. This was measured to be between 2 and 15 %
/// faster than gemm's own division into tasks. The difference is the largest if `right` is transposed.
pub(crate) fn parallel_product(output: MatrixMut<'_>, then: Output, scale: f32, left: Matrix<'_>, right: Matrix<'_>) {
    let (rows, columns) = (left.rows, right.columns);
    let threads = rayon::current_num_threads();
    if threads == 1 || rows.saturating_mul(left.columns).saturating_mul(columns) < PARALLEL {
        return product(output, then, scale, left, right);
    }
    // The product is divided along its columns, or along its rows if it has few columns.
    let by_columns = columns >= rows.min(2 * threads * PART);
    let whole = if by_columns { columns } else { rows };
    let units = whole.div_ceil(PART);
    // Two parts per thread balance the load if some threads are slower.
    let parts = units.min(2 * threads);
    let start_of = |index: usize| (index * units / parts * PART).min(whole);
    assert_eq!((output.rows, output.columns), (rows, columns), "sizes of a product");
    let task = Task { output, left, right };
    (0..parts).into_par_iter().for_each(|index| {
        let (start, count) = (start_of(index), start_of(index + 1) - start_of(index));
        // SAFETY: the parts of different tasks do not overlap.
        let (output, left, right) = unsafe { task.part(by_columns, start, count) };
        product(output, then, scale, left, right);
    });
}

/// The number of columns or rows per task is a multiple of this number. With a larger number, the parts of a narrow product
/// differ more in size: in multiples of 64, 192 columns would be three equal parts, and one of two threads would compute two.
///
/// gemm's tiles have 16 columns with AVX2, and 64 or fewer with AVX-512.
const PART: usize = 32;

/// A product whose parts are computed by different tasks.
struct Task<'a> {
    output: MatrixMut<'a>,
    left: Matrix<'a>,
    right: Matrix<'a>,
}

// SAFETY: parts are accessed only through an unsafe function, whose caller guarantees that they do not overlap.
unsafe impl Sync for Task<'_> {}

impl Task<'_> {
    /// The operands for `count` columns of the output from index `start`, or for `count` rows if `columns` is false.
    ///
    /// # Safety
    ///
    /// While the part is alive, there must be no other part with one of its columns, or rows.
    ///
    /// # Panics
    ///
    /// Panics if the part exceeds the output.
    unsafe fn part(&self, columns: bool, start: usize, count: usize) -> (MatrixMut<'_>, Matrix<'_>, Matrix<'_>) {
        let Self { output, left, right } = self;
        assert!(start + count <= if columns { output.columns } else { output.rows }, "a part of the product");
        // SAFETY: each start is within its matrix, whose slice is borrowed for the lifetime of the part.
        unsafe {
            if columns {
                let values = right.values.offset(start as isize * right.column_stride);
                let written = output.values.add(start);
                let output = MatrixMut { values: written, columns: count, ..*output };
                (output, *left, Matrix { values, columns: count, ..*right })
            } else {
                let values = left.values.offset(start as isize * left.row_stride);
                let written = output.values.offset(start as isize * output.row_stride);
                let output = MatrixMut { values: written, rows: count, ..*output };
                (output, Matrix { values, rows: count, ..*left }, *right)
            }
        }
    }
}

/// A new vector of `length` values, which `write` initializes.
///
/// The values are not set to zero first, which would be another pass over memory.
///
/// # Safety
///
/// `write` must initialize every value.
pub(crate) unsafe fn written(length: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values = Vec::with_capacity(length);
    write(&mut values.spare_capacity_mut()[..length]);
    // SAFETY: the caller guarantees that every value is initialized, and the capacity is at least `length`.
    unsafe { values.set_len(length) };
    values
}

/// `scale` · `left` · `right` as a new matrix with contiguous rows, computed on all threads.
pub(crate) fn new_product(scale: f32, left: Matrix<'_>, right: Matrix<'_>) -> Vec<f32> {
    let (rows, columns) = (left.rows, right.columns);
    let write = |values: &mut [MaybeUninit<f32>]| {
        let row_stride = columns as isize;
        let output = MatrixMut { values: values.as_mut_ptr().cast(), rows, columns, row_stride, slice: PhantomData };
        parallel_product(output, Output::Overwrite, scale, left, right);
    };
    // SAFETY: a product that overwrites its output sets every value of it and reads none.
    unsafe { written(rows * columns, write) }
}

/// Run a closure that is compiled for the widest vector registers of this machine.
///
/// This is a macro because the closure must be inlined into the code for each instruction set, which a function cannot require
/// of its argument. The compiler would not inline a closure of more than a few lines, and would compile it only for the baseline
/// instruction set.
macro_rules! vectorized {
    (|| $work:expr) => {
        $crate::host::math::dispatch(
            #[inline(always)]
            || $work,
        )
    };
}
pub(crate) use vectorized;

/// The function that [`vectorized`] calls.
#[inline(always)]
pub(crate) fn dispatch<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// The number of lanes of a reduction, which is the size of two of the widest vector registers.
const LANES: usize = 32;

/// Reduce `values` in lanes. Neither the order nor the result depends on the machine.
///
/// `start` must be the identity of `combine`.
#[inline(always)]
pub(crate) fn reduce(values: &[f32], start: f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole.iter().chain([&filled(rest, start)]) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = combine(*lane, *value);
        }
    }
    halved(lanes, combine)
}

/// `rest`, padded to all lanes with `start`. A loop over a part of the lanes would keep them in memory instead of registers.
#[inline(always)]
fn filled(rest: &[f32], start: f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

/// Combine all lanes into one value. Each step combines one half of the lanes with the other half.
#[inline(always)]
fn halved(mut lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut count = LANES / 2;
    while count > 0 {
        for index in 0..count {
            lanes[index] = combine(lanes[index], lanes[index + count]);
        }
        count /= 2;
    }
    lanes[0]
}

/// The sum of `values`.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    reduce(values, 0.0, |sum, value| sum + value)
}

/// The dot product of `left` and `right`, in lanes as in [`reduce`].
#[inline(always)]
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    let (left_rest, right_rest) = (filled(left_rest, 0.0), filled(right_rest, 0.0));
    for (left, right) in left.iter().zip(right).chain([(&left_rest, &right_rest)]) {
        for ((lane, left), right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += left * right;
        }
    }
    halved(lanes, |sum, value| sum + value)
}

/// Softmax of `row` + `bias`, in place. If all elements are masked with the same number, the result is uniform.
#[inline(always)]
pub(crate) fn softmax_row(row: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for (value, bias) in row.iter_mut().zip(bias) {
            *value += bias;
        }
    }
    let largest = reduce(row, f32::NEG_INFINITY, |largest, value| if value > largest { value } else { largest });
    for value in row.iter_mut() {
        *value = exp(*value - largest);
    }
    let inverse = 1.0 / sum(row);
    for value in row {
        *value *= inverse;
    }
}

/// eˣ for x ≤ 0, within 2 units in the last place; 0 for x < −87, which is near the smallest normal number.
///
/// It is computed as 2ⁿ·eʳ with |r| ≤ ln 2 / 2 (Cody and Waite's reduction), with the Taylor polynomial of degree 7, whose
/// remainder is below 1e-8. There is no branch and no call, so a loop over this function compiles to vector instructions.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOW: f32 = -87.0;
    /// Adding this number rounds the sum to an integer, which is in the low bits of the fraction.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > LOW { x } else { LOW };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = (clamped - whole * LN2_HIGH) - whole * LN2_LOW;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)));
    let polynomial = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    let exponent = (shifted.to_bits().wrapping_sub(ROUND.to_bits())).wrapping_add(127) << 23;
    let value = polynomial * f32::from_bits(exponent);
    let value = if x < LOW { 0.0 } else { value };
    // The clamp replaces NaN, but the result must be NaN.
    if x.is_nan() { x } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut largest = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            largest = largest.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(largest < 2.0 * f64::from(f32::EPSILON), "{largest:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-88.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_of_a_fully_masked_row_is_uniform() {
        let mut row = [1.0, -2.0, 3.0, 0.5];
        softmax_row(&mut row, Some(&[f32::MIN; 4]));
        assert_eq!(row, [0.25; 4]);
    }

    #[test]
    fn products_support_strided_matrices() {
        // 2 × 3 in rows of 5, 3 × 2 transposed, into 2 × 2 in rows of 4.
        let left: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let right: Vec<f32> = (0..6).map(|i| i as f32 - 2.0).collect();
        let mut output = vec![100.0f32; 8];
        let left = Matrix::view(&left, 2, 3, 5);
        let right = Matrix::view(&right, 2, 3, 3).transposed();
        let shared = Shared::new(&mut output);
        // SAFETY: there is no other matrix in this slice.
        product(unsafe { shared.matrix(1, 2, 2, 4) }, Output::Add, 2.0, left, right);
        // [[0, 1, 2], [5, 6, 7]] · [[-2, 1], [-1, 2], [0, 3]]
        assert_eq!(output, [100.0, 100.0 - 2.0, 100.0 + 16.0, 100.0, 100.0, 100.0 - 32.0, 100.0 + 76.0, 100.0]);
        assert_eq!(new_product(1.0, left, right), [-1.0, 8.0, -16.0, 38.0]);
    }
}
