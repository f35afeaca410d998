//! Matrix functions on faer.

use std::borrow::Cow;

use asym_core::linalg::Matrix;
use faer::{Mat, MatRef};

use crate::AnalysisError;

/// Variances below this share of the largest variance are treated as 0. In a direction without variance, rounding results in
/// about 1e-15. Dividing by such a value would turn noise into factors.
pub(crate) const NEGLIGIBLE: f64 = 1e-12;

/// A copy in faer's layout of padded and aligned columns, on which the rounding of its results may depend.
pub(crate) fn to_mat(matrix: &Matrix) -> Mat<f64> {
    Mat::from_fn(matrix.rows(), matrix.columns(), |i, j| matrix[(i, j)])
}

/// A copy for callers, which need not depend on faer.
pub(crate) fn to_matrix(m: MatRef<'_, f64>) -> Matrix {
    Matrix::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)])
}

/// The inner product tr(MᵀN) of two matrices of the same shape.
pub(crate) fn inner(m: MatRef<'_, f64>, n: MatRef<'_, f64>) -> f64 {
    (0..m.ncols()).map(|j| m.col(j).iter().zip(n.col(j).iter()).map(|(x, y)| x * y).sum::<f64>()).sum()
}

/// ‖M‖² = tr(MᵀM).
pub(crate) fn square_norm(m: MatRef<'_, f64>) -> f64 {
    inner(m, m)
}

/// The matrix `m` with column j multiplied by `factor(j)`.
pub(crate) fn scale_columns(m: MatRef<'_, f64>, factor: impl Fn(usize) -> f64) -> Mat<f64> {
    let factors: Vec<f64> = (0..m.ncols()).map(factor).collect();
    Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)] * factors[j])
}

/// Refuse a matrix that is empty or contains an entry that is not finite.
pub(crate) fn check(what: impl Into<Cow<'static, str>>, m: MatRef<'_, f64>) -> Result<(), AnalysisError> {
    if m.nrows() == 0 || m.ncols() == 0 {
        return Err(AnalysisError::Empty { what: what.into(), rows: m.nrows(), columns: m.ncols() });
    }
    for column in 0..m.ncols() {
        if let Some((row, found)) = m.col(column).iter().enumerate().find(|(_, value)| !value.is_finite()) {
            let what = what.into();
            return Err(AnalysisError::NotFinite { what, row, column, found: *found });
        }
    }
    Ok(())
}

/// Refuse a matrix of another shape. A side that is `None` is the rank r, which may have any value.
pub(crate) fn check_shape(
    what: impl Into<Cow<'static, str>>,
    m: MatRef<'_, f64>,
    rows: Option<usize>,
    columns: Option<usize>,
) -> Result<(), AnalysisError> {
    if rows.is_none_or(|rows| rows == m.nrows()) && columns.is_none_or(|columns| columns == m.ncols()) {
        return Ok(());
    }
    let name = |side: Option<usize>| side.map_or_else(|| "r".to_owned(), |side| side.to_string());
    let expected = format!("{} × {}", name(rows), name(columns));
    Err(AnalysisError::Shape { what: what.into(), expected, rows: m.nrows(), columns: m.ncols() })
}

/// M = left · diag(values) · rightᵀ, where the number of values is the rank of M.
pub(crate) struct Compact {
    pub(crate) left: Mat<f64>,
    pub(crate) values: Vec<f64>,
    pub(crate) right: Mat<f64>,
}

/// The singular value decomposition without the singular values that are due to rounding: those of at most `negligible` times the
/// largest.
pub(crate) fn compact_svd(
    what: impl Into<Cow<'static, str>>,
    m: MatRef<'_, f64>,
    negligible: f64,
) -> Result<Compact, AnalysisError> {
    let svd = m.thin_svd().map_err(|_| AnalysisError::NoConvergence { what: what.into() })?;
    let all: Vec<f64> = svd.S().column_vector().iter().copied().collect();
    let largest = all.first().copied().unwrap_or(0.0);
    let values: Vec<f64> = all.into_iter().filter(|value| *value > negligible * largest).collect();
    let kept = values.len();
    Ok(Compact { left: svd.U().subcols(0, kept).to_owned(), values, right: svd.V().subcols(0, kept).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use asym_core::linalg::{gaussian, orthonormal};
    use asym_core::random::stream;

    #[test]
    fn a_compact_svd_reconstructs_the_matrix() {
        let mut rng = stream(1, "compact");
        let m = to_mat(&gaussian(7, 2, &mut rng)) * to_mat(&gaussian(2, 5, &mut rng));
        let svd = compact_svd("m", m.as_ref(), NEGLIGIBLE).unwrap();
        assert_eq!(svd.values.len(), 2);
        let back = scale_columns(svd.left.as_ref(), |j| svd.values[j]) * svd.right.transpose();
        assert!((back - m).norm_max() < 1e-13);
    }

    /// E[I − QᵀQ] = (1 − r/d) I, on the diagonal and off it. This is exact at every d, because the distribution of QᵀQ is
    /// invariant under rotations.
    #[test]
    fn the_mean_of_random_projections_is_r_over_d() {
        let (d, r, draws) = (6, 2, 4000);
        let mut rng = stream(2, "stiefel");
        let (mut sum, mut squares) = (Mat::<f64>::zeros(d, d), Mat::<f64>::zeros(d, d));
        for _ in 0..draws {
            let q = to_mat(&orthonormal(d, r, &mut rng));
            assert!((q.transpose() * &q - Mat::<f64>::identity(r, r)).norm_max() < 1e-14);
            let left_out = Mat::<f64>::identity(d, d) - &q * q.transpose();
            squares += Mat::from_fn(d, d, |i, j| left_out[(i, j)].powi(2));
            sum += left_out;
        }
        let n = draws as f64;
        for i in 0..d {
            for j in 0..d {
                let mean = sum[(i, j)] / n;
                let error = ((squares[(i, j)] / n - mean * mean) / n).sqrt();
                let expected = if i == j { 1.0 - r as f64 / d as f64 } else { 0.0 };
                assert!((mean - expected).abs() < 3.0 * error, "({i}, {j}): {mean} ± {error}, not {expected}");
            }
        }
    }

    #[test]
    fn conversion_to_faer_and_back_preserves_entries() {
        let matrix = Matrix::from_rows(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let mat = to_mat(&matrix);
        assert_eq!((mat.nrows(), mat.ncols(), mat[(0, 2)], mat[(1, 0)]), (2, 3, 3.0, 4.0));
        assert_eq!(to_matrix(mat.as_ref()), matrix);
        assert_eq!(to_matrix(mat.transpose()), matrix.transposed());
    }

    #[test]
    fn shape_errors_show_the_free_dimension() {
        let m = Mat::<f64>::zeros(2, 3);
        assert!(check_shape("Q", m.as_ref(), None, Some(3)).is_ok());
        let error = check_shape("Q", m.as_ref(), None, Some(4)).unwrap_err();
        assert!(error.to_string().contains("must be r × 4, found 2 × 3"), "{error}");
    }
}
