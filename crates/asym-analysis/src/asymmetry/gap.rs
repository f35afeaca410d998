//! "Intuition on asymmetry gap" (appendix B.1.1): the inequality in the proof of the theorem, and the difference between its
//! sides.

use faer::MatRef;

use super::{Moments, at_least_two, in_parallel};
use crate::AnalysisError;
use crate::least_squares::Problem;
use crate::linalg::{inner, to_mat};
use asym_core::linalg::{Matrix, orthonormal};
use asym_core::random::stream;

/// Both sides of the inequality in the theorem's proof, for one Q.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyInequality {
    /// tr\[ΣQᵀ(QΣQᵀ)⁻¹QΣΔᵀΔ\], the loss that freezing A = Q explains.
    pub left: f64,
    /// tr\[(QᵀQ)ΣQᵀ(QΣQᵀ)⁻¹QΣΔᵀΔ\].
    pub right: f64,
}

/// Both sides of the inequality for one problem, over many draws of Q.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The left side.
    pub left: Moments,
    /// The right side. Its expectation is (r/d_in) tr ΔΣΔᵀ for every problem.
    pub right: Moments,
    /// The left side minus the right side.
    pub gap: Moments,
    /// The number of draws in which the inequality did not hold.
    pub violations: usize,
    /// (1 − r/d_in) tr ΔΣΔᵀ. In the paper's regime, where Σ = σ²U_X U_Xᵀ has rank r, this is (1 − r/d_in) σ² tr\[U_X U_XᵀΔᵀΔ\].
    /// The paper omits σ².
    pub limit: f64,
}

/// Both sides of the inequality for a Q `[rank, d_in]` with orthonormal rows.
///
/// The right side is computed as tr\[QΣΔᵀΔQᵀ\], as in the proof in appendix E.3. (QΣQᵀ)(QΣQᵀ)⁺ is the projection on the column
/// space of QΣ^½ and does not change QΣ, so Qᵀ(QΣQᵀ)(QΣQᵀ)⁺QΣ is QᵀQΣ, even if Σ is singular.
///
/// The inequality need not hold. The left side minus the right side is tr\[(I − QᵀQ) M ΔᵀΔ\] with M = ΣQᵀ(QΣQᵀ)⁻¹QΣ. This is the
/// trace of a product of three positive semi-definite matrices, which may be negative. The paper's argument is valid for two such
/// matrices.
///
/// # Errors
///
/// The errors of [`Problem::freeze_a`], and an error for rows that are not orthonormal to 1e-8.
pub fn key_inequality(problem: &Problem, q: &Matrix) -> Result<KeyInequality, AnalysisError> {
    sides(problem, to_mat(q).as_ref())
}

/// [`key_inequality`] for a faer matrix.
fn sides(problem: &Problem, q: MatRef<'_, f64>) -> Result<KeyInequality, AnalysisError> {
    let left = problem.frozen_a(q)?.explained;
    let products = q * q.transpose();
    for j in 0..products.ncols() {
        for i in 0..products.nrows() {
            let found = products[(i, j)];
            let expected = if i == j { 1.0 } else { 0.0 };
            if (found - expected).abs() > 1e-8 {
                let expected = format!("{expected}, as the rows of Q must be orthonormal: use a QR of Qᵀ");
                return Err(AnalysisError::Setting { field: "QQᵀ", found, expected });
            }
        }
    }
    let right = inner((&problem.delta_sigma * q.transpose()).as_ref(), (&problem.delta * q.transpose()).as_ref());
    Ok(KeyInequality { left, right })
}

/// Both sides of the inequality over `draws` draws of Q, `[rank, d_in]`, uniform on its Stiefel manifold.
///
/// The limit in the paper's last line, "= … → (1 − r/d) tr\[U_X U_XᵀΔᵀΔ\] as d becomes large", is not a limit. If Σ has rank r or
/// less, the expectation of the gap is exactly [`Gap::limit`] at every d, since M = Σ for almost every Q and
/// E\[I − QᵀQ\] = (1 − r/d) I. The expectation of the right side is exactly (r/d) tr ΔΣΔᵀ, for every Σ. If Σ has a larger rank,
/// the left side depends on Q. With m equal variances, the expectation of the gap is (r/m − r/d) tr ΔΣΔᵀ. With unequal variances,
/// it has no such form and may be negative.
///
/// # Errors
///
/// A rank outside 1 ..= d_in; fewer than two draws; a decomposition that does not converge.
pub fn gap(problem: &Problem, rank: usize, draws: usize, seed: u64) -> Result<Gap, AnalysisError> {
    let d_in = problem.d_in();
    if rank == 0 || rank > d_in {
        let expected = format!("from 1 to {d_in}, d_in");
        return Err(AnalysisError::Setting { field: "rank", found: rank as f64, expected });
    }
    at_least_two(draws)?;
    let all = in_parallel(draws, |index| {
        let q = to_mat(&orthonormal(d_in, rank, &mut stream(seed, &format!("asymmetry.gap.{index}"))));
        sides(problem, q.transpose())
    })?;
    // Without this tolerance, rounding would cause violations where both sides are equal.
    let rounding = 1e-12 * problem.total();
    Ok(Gap {
        left: Moments::of(all.iter().map(|sides| sides.left)),
        right: Moments::of(all.iter().map(|sides| sides.right)),
        gap: Moments::of(all.iter().map(|sides| sides.left - sides.right)),
        violations: all.iter().filter(|sides| sides.right - sides.left > rounding).count(),
        limit: (1.0 - rank as f64 / d_in as f64) * problem.total(),
    })
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;
    use asym_core::linalg::gaussian;

    /// Compares both sides with the paper's formulas, evaluated with an explicit inverse.
    #[test]
    fn both_sides_match_the_formulas_of_the_paper() {
        let mut rng = stream(1, "gap");
        let (delta, root) = (to_mat(&gaussian(4, 6, &mut rng)), to_mat(&gaussian(6, 6, &mut rng)));
        let sigma = &root * root.transpose();
        let q = to_mat(&orthonormal(6, 2, &mut rng)).transpose().to_owned();
        let gram = &q * &sigma * q.transpose();
        let determinant = gram[(0, 0)] * gram[(1, 1)] - gram[(0, 1)] * gram[(1, 0)];
        let adjugate = [[gram[(1, 1)], -gram[(0, 1)]], [-gram[(1, 0)], gram[(0, 0)]]];
        let inverse = Mat::from_fn(2, 2, |i, j| adjugate[i][j] / determinant);
        let within = &sigma * q.transpose() * inverse * &q * &sigma * delta.transpose() * &delta;
        let trace = |m: &Mat<f64>| (0..6).map(|i| m[(i, i)]).sum::<f64>();
        let sides = sides(&Problem::of(delta, sigma, 0.3).unwrap(), q.as_ref()).unwrap();
        assert!((sides.left - trace(&within)).abs() < 1e-11 * sides.left);
        let right = trace(&(q.transpose() * &q * within));
        assert!((sides.right - right).abs() < 1e-11 * right.abs(), "{} {right}", sides.right);
    }
}
