//! The top eigenvectors of ΔΣΔᵀ.

use std::borrow::Cow;

use faer::{Mat, MatRef, Side};

use crate::AnalysisError;
use crate::linalg::to_mat;
use asym_core::linalg::gaussian;
use asym_core::random::stream;

/// Up to this size, the full decomposition is used. It takes less than a second.
const SMALL: usize = 1024;
/// The truncated method is used only if the matrix is at least this many times as wide as the block. Otherwise, it is not faster.
const NARROW: usize = 12;
/// The largest number of products with the block. With more products, the full decomposition is faster.
const PRODUCTS: usize = 400;
/// The largest relative error of the sum of the top eigenvalues, which is the explained loss.
const PRECISION: f64 = 1e-13;

const FAILED: AnalysisError = AnalysisError::NoConvergence { what: Cow::Borrowed("ΔΣΔᵀ") };

/// The top `rank` eigenvectors, as orthonormal columns, of the positive semi-definite M = left · rightᵀ. Both factors are
/// `[n, m]` with n ≤ m.
pub(super) fn eigenvectors(
    left: MatRef<'_, f64>,
    right: MatRef<'_, f64>,
    rank: usize,
) -> Result<Mat<f64>, AnalysisError> {
    let n = left.nrows();
    let width = 2 * rank + 16;
    if n > SMALL
        && NARROW * width <= n
        && let Some(vectors) = truncated(left, right, rank, width)?
    {
        return Ok(vectors);
    }
    let product = left * right.transpose();
    // Rounding makes the product slightly asymmetric. The solver reads only its lower triangle.
    let eigen = product.self_adjoint_eigen(Side::Lower).map_err(|_| FAILED)?;
    Ok(last_columns(eigen.U(), rank))
}

/// The last `rank` columns in reverse order. Eigenvalues are ascending, so the eigenvector of the largest eigenvalue comes first.
fn last_columns(vectors: MatRef<'_, f64>, rank: usize) -> Mat<f64> {
    Mat::from_fn(vectors.nrows(), rank, |i, j| vectors[(i, vectors.ncols() - 1 - j)])
}

/// Subspace iteration with a Chebyshev filter (Zhou, Saad, Tiago and Chelikowsky, 2006).
///
/// The filter is a polynomial of M that stays between −1 and 1 below the block's smallest Ritz value and grows faster above it
/// than any other polynomial of the same degree with this bound. Power iteration needs about gap⁻¹ products, and the filter about
/// gap^-½. This matters because the spectrum of a random Δ has almost no gap at its upper end. A block, unlike a single Krylov
/// vector, also finds multiple eigenvalues.
///
/// `None` if it has not converged after [`PRODUCTS`] products.
fn truncated(
    left: MatRef<'_, f64>,
    right: MatRef<'_, f64>,
    rank: usize,
    width: usize,
) -> Result<Option<Mat<f64>>, AnalysisError> {
    let apply = |x: &Mat<f64>| left * (right.transpose() * x);
    let mut block = to_mat(&gaussian(left.nrows(), width, &mut stream(0, "least-squares.block")));
    block = apply(&block).qr().compute_thin_Q();
    let mut products = 1;
    while products < PRODUCTS {
        // Rayleigh–Ritz: the best approximate eigenvectors within the block, by descending eigenvalue.
        let image = apply(&block);
        products += 1;
        let small = block.transpose() * &image;
        let eigen = small.self_adjoint_eigen(Side::Lower).map_err(|_| FAILED)?;
        let rotation = last_columns(eigen.U(), width);
        let ritz: Vec<f64> = eigen.S().column_vector().iter().rev().copied().collect();
        block = &block * &rotation;
        let image = image * rotation;
        // The error of an eigenvalue is at most the residual ‖Mu − θu‖, and at most the square of the residual over the gap to
        // the eigenvalues outside the block. The block's last Ritz value is an estimate of these.
        let (top, last) = (ritz[0], ritz[width - 1].max(0.0));
        let error = |j: usize| {
            let residual = (image.col(j) - faer::Scale(ritz[j]) * block.col(j)).norm_l2();
            let gap = ritz[j] - last;
            if residual < gap { residual * residual / gap } else { residual }
        };
        if (0..rank).map(error).sum::<f64>() <= PRECISION * ritz[..rank].iter().sum::<f64>() {
            return Ok(Some(block.subcols(0, rank).to_owned()));
        }
        // The filter maps [0, last] to [−1, 1]. Its degree is limited, so that the top column does not grow until rounding hides
        // the other columns.
        let growth = (2.0 * top / last - 1.0).acosh();
        let degree = (20.0 / growth).clamp(1.0, 24.0) as usize;
        let center = 0.5 * last;
        // The filter is scaled by its value at `top`, so that nothing overflows. T_k(t) / T_k(t_top) follows from the recurrence
        // of T.
        let sigma = center / (top - center);
        let mut ratio = sigma;
        let mut before = block;
        let mut now = (image - faer::Scale(center) * &before) * faer::Scale(1.0 / (top - center));
        for _ in 1..degree {
            let next_ratio = 1.0 / (2.0 / sigma - ratio);
            let image = apply(&now) - faer::Scale(center) * &now;
            let next = image * faer::Scale(2.0 * next_ratio / center) - before * faer::Scale(ratio * next_ratio);
            products += 1;
            (before, now, ratio) = (now, next, next_ratio);
        }
        block = now.qr().compute_thin_Q();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{inner, scale_columns};
    use asym_core::linalg::orthonormal;

    /// M = H diag(values) Hᵀ with a random orthogonal H, as left = H diag(values) and right = H.
    fn with_values(values: &[f64], seed: u64) -> (Mat<f64>, Mat<f64>) {
        let h = to_mat(&orthonormal(values.len(), values.len(), &mut stream(seed, "top")));
        (scale_columns(h.as_ref(), |j| values[j]), h)
    }

    fn captured(left: &Mat<f64>, right: &Mat<f64>, vectors: &Mat<f64>) -> f64 {
        assert!(
            (vectors.transpose() * vectors - Mat::<f64>::identity(vectors.ncols(), vectors.ncols())).norm_max() < 1e-12
        );
        inner((left.transpose() * vectors).as_ref(), (right.transpose() * vectors).as_ref())
    }

    #[test]
    fn truncated_and_full_methods_agree() {
        let n = 240;
        let cases: Vec<(&str, Vec<f64>)> = vec![
            ("slow decay", (0..n).map(|i| 1.0 / (1.0 + i as f64)).collect()),
            ("fast decay", (0..n).map(|i| 0.5f64.powi(i)).collect()),
            ("a dense edge", (0..n).map(|i| 4.0 - 0.015 * i as f64).collect()),
            // This case takes about three hundred products. A worse filter would need more than are allowed.
            ("hardly a gap", (0..n).map(|i| 1.0 - 1.5e-4 * f64::from(i)).collect()),
            // With the degree that the small gap needs, the rounding errors of the first vector would exceed the third and
            // fourth.
            ("a tall head", (0..n).map(|i| if i < 2 { 1e4 } else { 1.0 - 0.004 * f64::from(i) }).collect()),
            ("one value", vec![2.0; n as usize]),
            ("three values", (0..n).map(|i| f64::from(3 - i / 80)).collect()),
            ("rank below the asked", (0..n).map(|i| if i < 2 { 1.0 } else { 0.0 }).collect()),
            ("sixteen orders", (0..n).map(|i| 10f64.powf(-16.0 * f64::from(i) / f64::from(n))).collect()),
        ];
        for (name, values) in cases {
            let (left, right) = with_values(&values, 3);
            let vectors = truncated(left.as_ref(), right.as_ref(), 4, 12).unwrap().expect(name);
            let best: f64 = values[..4].iter().sum();
            let found = captured(&left, &right, &vectors);
            assert!((found - best).abs() < 1e-12 * best, "{name}: {found}, not {best}");
        }
    }

    #[test]
    fn the_full_method_is_used_if_the_truncated_one_fails() {
        // Neighboring eigenvalues differ by a thousandth of a percent, which needs more products than are allowed.
        let values: Vec<f64> = (0..240).map(|i| 1.0 - 1e-5 * f64::from(i)).collect();
        let (left, right) = with_values(&values, 4);
        assert!(truncated(left.as_ref(), right.as_ref(), 4, 12).unwrap().is_none());
        let vectors = eigenvectors(left.as_ref(), right.as_ref(), 4).unwrap();
        let best: f64 = values[..4].iter().sum();
        assert!((captured(&left, &right, &vectors) - best).abs() < 1e-12 * best);
    }

    #[test]
    fn a_zero_matrix_has_eigenvectors() {
        let zero = Mat::<f64>::zeros(30, 30);
        let vectors = truncated(zero.as_ref(), zero.as_ref(), 2, 6).unwrap().unwrap();
        assert_eq!(captured(&zero, &zero, &vectors), 0.0);
    }
}
