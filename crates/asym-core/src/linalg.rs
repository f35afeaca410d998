//! Linear algebra on the host in f64, for the initialization and for the analysis of factors.

mod matrix;

pub use matrix::Matrix;

use faer::{Mat, MatRef};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// The leading part of a singular value decomposition, `left · diag(values) · rightᵀ`.
#[derive(Debug, Clone)]
pub struct TruncatedSvd {
    /// Left singular vectors, as columns: `[rows, rank]`.
    pub left: Matrix,
    /// Singular values, the largest first.
    pub values: Vec<f64>,
    /// Right singular vectors, as columns: `[columns, rank]`.
    pub right: Matrix,
}

/// Run `work` on a new thread. faer keeps buffers of twice the size of the last cache level for each thread that has multiplied
/// matrices. These are tens of MiB for a factor of a few KiB. They are freed when the thread ends.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match std::thread::scope(|scope| scope.spawn(work).join()) {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A matrix of independent standard normal values, drawn row by row.
pub fn gaussian(rows: usize, columns: usize, rng: &mut impl Rng) -> Matrix {
    let values: Vec<f64> = (0..rows * columns).map(|_| normal(rng)).collect();
    Matrix::from_rows(rows, columns, &values)
}

/// A matrix with orthonormal columns, uniform on the Stiefel manifold: the Q of the QR decomposition of a Gaussian matrix, with
/// signs that make the diagonal of R positive (Mezzadri, 2007).
///
/// # Panics
///
/// Panics if there are more columns than rows.
pub fn orthonormal(rows: usize, columns: usize, rng: &mut impl Rng) -> Matrix {
    Matrix::of(orthonormal_mat(rows, columns, rng).as_ref())
}

/// Like [`orthonormal`], as a matrix of faer.
pub(crate) fn orthonormal_mat(rows: usize, columns: usize, rng: &mut impl Rng) -> Mat<f64> {
    assert!(columns <= rows, "{columns} orthonormal columns do not fit into {rows} dimensions");
    let qr = gaussian(rows, columns, rng).to_mat().qr();
    let mut q = qr.compute_thin_Q();
    let r = qr.thin_R();
    for column in 0..columns {
        if r[(column, column)] < 0.0 {
            for row in 0..rows {
                q[(row, column)] = -q[(row, column)];
            }
        }
    }
    q
}

/// The top `rank` singular values and vectors, by randomized subspace iteration (Halko, Martinsson and Tropp, 2011,
/// algorithm 4.4). A full decomposition of a large weight would take minutes. `None` if the decomposition does not converge,
/// because the matrix contains values that are not finite.
///
/// The vectors are more accurate if the spectrum decays faster between the r-th and the (r + 16)-th singular value. The largest
/// component of each left vector is positive, so the signs do not depend on the random start.
///
/// # Panics
///
/// Panics if `rank` is larger than the number of rows or columns.
pub fn truncated_svd(matrix: &Matrix, rank: usize, rng: &mut impl Rng) -> Option<TruncatedSvd> {
    let (left, values, right) = truncated_svd_mat(matrix.to_mat().as_ref(), rank, rng)?;
    Some(TruncatedSvd { left: Matrix::of(left.as_ref()), values, right: Matrix::of(right.as_ref()) })
}

/// Like [`truncated_svd`], with matrices of faer: left vectors, values and right vectors.
pub(crate) fn truncated_svd_mat(
    matrix: MatRef<'_, f64>,
    rank: usize,
    rng: &mut impl Rng,
) -> Option<(Mat<f64>, Vec<f64>, Mat<f64>)> {
    const OVERSAMPLING: usize = 16;
    const ITERATIONS: usize = 24;
    let (rows, columns) = (matrix.nrows(), matrix.ncols());
    assert!(rank <= rows.min(columns), "a {rows} x {columns} matrix has fewer than {rank} singular values");
    let width = (rank + OVERSAMPLING).min(rows).min(columns);

    // If the subspace is nearly the whole space, the exact decomposition costs the same.
    let (left, values, right) = if 2 * width >= rows.min(columns) {
        let svd = matrix.thin_svd().ok()?;
        (svd.U().to_owned(), svd.S().column_vector().to_owned(), svd.V().to_owned())
    } else {
        let mut basis = (matrix * gaussian(columns, width, rng).to_mat()).qr().compute_thin_Q();
        for _ in 0..ITERATIONS {
            let back = (matrix.transpose() * &basis).qr().compute_thin_Q();
            basis = (matrix * back).qr().compute_thin_Q();
        }
        let small = basis.transpose() * matrix;
        let svd = small.thin_svd().ok()?;
        (&basis * svd.U(), svd.S().column_vector().to_owned(), svd.V().to_owned())
    };

    let sign: Vec<f64> = (0..rank)
        .map(|column| {
            (0..rows)
                .map(|row| left[(row, column)])
                .fold(0.0f64, |best, value| if value.abs() > best.abs() { value } else { best })
                .signum()
        })
        .collect();
    let top = |vectors: &Mat<f64>, rows: usize| Mat::from_fn(rows, rank, |i, j| vectors[(i, j)] * sign[j]);
    let values = (0..rank).map(|index| values[index]).collect();
    Some((top(&left, rows), values, top(&right, columns)))
}
