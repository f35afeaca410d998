//! The matrix type of the public functions. faer is used only internally.

use std::ops::{Index, IndexMut};

use faer::{Mat, MatRef};

/// A dense matrix of f64 values, which are stored column by column.
///
/// `matrix[(row, column)]` is an entry. Rows and columns are counted from 0.
///
/// ```
/// use asym_core::linalg::Matrix;
///
/// let matrix = Matrix::from_rows(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(matrix[(0, 2)], 3.0);
/// assert_eq!(matrix.column(1), [2.0, 5.0]);
/// assert_eq!(matrix.transposed(), Matrix::from_fn(3, 2, |i, j| (3 * j + i + 1) as f64));
/// ```
///
/// # Panics
///
/// Indexing panics for an entry outside the matrix. The functions that create a matrix panic if the number of values does not
/// fit into a `usize`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    /// The value with index j · rows + i is entry (i, j).
    values: Vec<f64>,
}

impl Matrix {
    /// A `[rows, columns]` matrix of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; size(rows, columns)] }
    }

    /// A `[rows, columns]` matrix whose entry (i, j) is `f(i, j)`. `f` is called column by column.
    pub fn from_fn(rows: usize, columns: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut values = Vec::with_capacity(size(rows, columns));
        for j in 0..columns {
            values.extend((0..rows).map(|i| f(i, j)));
        }
        Self { rows, columns, values }
    }

    /// A `[rows, columns]` matrix from its values row by row, as C, NumPy and Burn store them.
    ///
    /// # Panics
    ///
    /// Panics if the number of values is not rows · columns.
    pub fn from_rows(rows: usize, columns: usize, values: &[f64]) -> Self {
        let found = values.len();
        assert!(found == size(rows, columns), "{rows} × {columns} values are needed, found {found}");
        Self::from_fn(rows, columns, |i, j| values[i * columns + j])
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values of row `i`, from the first column on.
    ///
    /// # Panics
    ///
    /// Panics if there is no such row.
    pub fn row(&self, i: usize) -> impl Iterator<Item = f64> {
        assert!(i < self.rows, "there is no row {i} in {} × {}", self.rows, self.columns);
        (0..self.columns).map(move |j| self[(i, j)])
    }

    /// The values of column `j`, from the first row on.
    ///
    /// # Panics
    ///
    /// Panics if there is no such column.
    pub fn column(&self, j: usize) -> &[f64] {
        assert!(j < self.columns, "there is no column {j} in {} × {}", self.rows, self.columns);
        &self.values[j * self.rows..(j + 1) * self.rows]
    }

    /// The transpose, `[columns, rows]`.
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |i, j| self[(j, i)])
    }

    /// A copy of faer's `matrix`.
    pub(crate) fn of(matrix: MatRef<'_, f64>) -> Self {
        Self::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)])
    }

    /// A copy as a matrix of faer, in its layout of padded and aligned columns, because the rounding of results may depend on it.
    pub(crate) fn to_mat(&self) -> Mat<f64> {
        Mat::from_fn(self.rows, self.columns, |i, j| self[(i, j)])
    }

    #[inline]
    fn place(&self, (row, column): (usize, usize)) -> usize {
        let (rows, columns) = (self.rows, self.columns);
        assert!(row < rows && column < columns, "({row}, {column}) is outside of {rows} × {columns}");
        column * rows + row
    }
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;

    #[inline]
    fn index(&self, at: (usize, usize)) -> &f64 {
        &self.values[self.place(at)]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    #[inline]
    fn index_mut(&mut self, at: (usize, usize)) -> &mut f64 {
        let place = self.place(at);
        &mut self.values[place]
    }
}

fn size(rows: usize, columns: usize) -> usize {
    let Some(size) = rows.checked_mul(columns) else { panic!("{rows} × {columns} values are too many") };
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 1 2 / 10 11 12.
    fn matrix() -> Matrix {
        Matrix::from_fn(2, 3, |i, j| (10 * i + j) as f64)
    }

    #[test]
    fn values_are_stored_by_columns_and_created_from_rows() {
        let mut matrix = matrix();
        assert_eq!(matrix.values, [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
        assert_eq!(Matrix::from_rows(2, 3, &[0.0, 1.0, 2.0, 10.0, 11.0, 12.0]), matrix);
        assert_eq!((matrix.rows(), matrix.columns()), (2, 3));
        assert_eq!((matrix[(1, 0)], matrix[(0, 2)]), (10.0, 2.0));
        assert_eq!(matrix.row(1).collect::<Vec<_>>(), [10.0, 11.0, 12.0]);
        assert_eq!(matrix.column(1), [1.0, 11.0]);
        matrix[(1, 2)] = 5.0;
        assert_eq!(matrix.values, [0.0, 10.0, 1.0, 11.0, 2.0, 5.0]);
        assert_eq!(Matrix::zeros(2, 3).values, [0.0; 6]);
        // The same values in another shape are another matrix.
        assert_ne!(Matrix::zeros(2, 3), Matrix::zeros(3, 2));
    }

    #[test]
    fn transposing_swaps_rows_and_columns() {
        let transposed = matrix().transposed();
        assert_eq!((transposed.rows(), transposed.columns()), (3, 2));
        assert_eq!(transposed.column(1), [10.0, 11.0, 12.0]);
        assert_eq!(transposed.transposed(), matrix());
    }

    #[test]
    fn conversion_to_faer_preserves_entries() {
        let faer = matrix().to_mat();
        assert_eq!((faer.nrows(), faer.ncols(), faer[(1, 0)], faer[(0, 2)]), (2, 3, 10.0, 2.0));
        assert_eq!(Matrix::of(faer.as_ref()), matrix());
        assert_eq!(Matrix::of(faer.transpose()), matrix().transposed());
    }

    #[test]
    fn an_empty_matrix_has_a_shape() {
        let empty = Matrix::zeros(0, 3);
        assert_eq!((empty.rows(), empty.columns(), empty.column(2)), (0, 3, &[] as &[f64]));
        assert_eq!(empty.transposed().row(2).count(), 0);
    }

    #[test]
    #[should_panic(expected = "2 × 3 values are needed, found 5")]
    fn too_few_values_are_refused() {
        Matrix::from_rows(2, 3, &[0.0; 5]);
    }

    #[test]
    #[should_panic(expected = "(2, 0) is outside of 2 × 3")]
    fn entries_out_of_bounds_panic() {
        // Value 2 exists: it is entry (0, 1).
        let _ = matrix()[(2, 0)];
    }

    #[test]
    #[should_panic(expected = "there is no column 3 in 2 × 3")]
    fn columns_out_of_bounds_panic() {
        matrix().column(3);
    }
}
