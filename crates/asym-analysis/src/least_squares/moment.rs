//! The check that a matrix is a second moment.

use faer::{Mat, MatRef, Side};

use crate::AnalysisError;
use crate::linalg::{NEGLIGIBLE, check, check_shape, to_mat, to_matrix};
use asym_core::linalg::{Matrix, gaussian};
use asym_core::random::stream;

/// The largest allowed difference between Σ and Σᵀ, as a share of the largest entry. It allows rounding errors and
/// detects mistakes.
const ASYMMETRY: f64 = 1e-10;

/// Σ, made exactly symmetric, and an estimate of its largest eigenvalue. `sigma` must be square and finite.
pub(super) fn second_moment(sigma: Mat<f64>) -> Result<(Mat<f64>, f64), AnalysisError> {
    let sigma = symmetric(sigma)?;
    let largest = largest_eigenvalue(sigma.as_ref());
    // Except for rounding, the Cholesky decomposition of Σ + shift·I succeeds if and only if no eigenvalue of Σ is below −shift.
    // For a 4096 × 4096 matrix, it takes one second, and the eigenvalues take twenty. The eigenvalues are computed only for the
    // error message, or if the decision depends on rounding. The diagonal is checked first, because this detects most mistakes. A
    // Σ of zeros needs no further check.
    let shift = NEGLIGIBLE * largest;
    let d = sigma.nrows();
    if (0..d).all(|i| sigma[(i, i)] >= -shift) {
        if sigma.norm_max() == 0.0 {
            return Ok((sigma, 0.0));
        }
        let mut shifted = sigma.clone();
        for i in 0..d {
            shifted[(i, i)] += shift;
        }
        if shifted.llt(Side::Lower).is_ok() {
            return Ok((sigma, largest));
        }
    }
    let eigenvalues = sigma.self_adjoint_eigenvalues(Side::Lower);
    let eigenvalues = eigenvalues.map_err(|_| AnalysisError::NoConvergence { what: "Σ".into() })?;
    let smallest = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = eigenvalues.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest <= 0.0 || smallest < -NEGLIGIBLE * largest {
        return Err(AnalysisError::NotPositive { smallest, largest });
    }
    Ok((sigma, largest))
}

/// A second moment `[d_in, d_in]` that was summed in f32, without the small negative eigenvalues that are due to rounding.
///
/// # Errors
///
/// A matrix that is not square, not finite or not symmetric to 1e-10 of its largest entry; a decomposition that does not
/// converge.
pub fn without_rounding(sigma: &Matrix) -> Result<Matrix, AnalysisError> {
    Ok(to_matrix(positive(to_mat(sigma))?.as_ref()))
}

/// [`without_rounding`] for a faer matrix.
pub(crate) fn positive(sigma: Mat<f64>) -> Result<Mat<f64>, AnalysisError> {
    check("Σ", sigma.as_ref())?;
    check_shape("Σ", sigma.as_ref(), Some(sigma.ncols()), Some(sigma.ncols()))?;
    let sigma = symmetric(sigma)?;
    let eigen =
        sigma.self_adjoint_eigen(Side::Lower).map_err(|_| AnalysisError::NoConvergence { what: "Σ".into() })?;
    let values = eigen.S().column_vector();
    let scaled = Mat::from_fn(sigma.nrows(), sigma.ncols(), |i, j| eigen.U()[(i, j)] * values[j].max(0.0));
    let positive = scaled * eigen.U().transpose();
    Ok(Mat::from_fn(sigma.nrows(), sigma.ncols(), |i, j| 0.5 * (positive[(i, j)] + positive[(j, i)])))
}

fn symmetric(mut sigma: Mat<f64>) -> Result<Mat<f64>, AnalysisError> {
    let allowed = ASYMMETRY * sigma.norm_max();
    let mut worst = (0.0, 0, 0);
    for j in 0..sigma.ncols() {
        for i in 0..j {
            let (above, below) = (sigma[(i, j)], sigma[(j, i)]);
            let apart = (above - below).abs();
            if apart > worst.0 {
                worst = (apart, i, j);
            }
            // The entries are halved before they are added, because the sum of two large entries may overflow.
            let even = 0.5 * above + 0.5 * below;
            if apart <= allowed {
                sigma[(i, j)] = even;
                sigma[(j, i)] = even;
            }
        }
    }
    let (apart, row, column) = worst;
    if apart > allowed {
        return Err(AnalysisError::Asymmetric {
            row,
            column,
            above: sigma[(row, column)],
            below: sigma[(column, row)],
        });
    }
    Ok(sigma)
}

/// An estimate of the largest eigenvalue by power iteration. It is too small by a few percent at most. It is only used to decide
/// what is negligible.
fn largest_eigenvalue(sigma: MatRef<'_, f64>) -> f64 {
    const ITERATIONS: usize = 20;
    let mut x = to_mat(&gaussian(sigma.nrows(), 1, &mut stream(0, "least-squares.power")));
    let mut largest = 0.0;
    for _ in 0..ITERATIONS {
        x *= faer::Scale(1.0 / x.norm_l2());
        x = sigma * x;
        largest = x.norm_l2();
        if !(largest > 0.0 && largest.is_finite()) {
            break;
        }
    }
    largest
}
