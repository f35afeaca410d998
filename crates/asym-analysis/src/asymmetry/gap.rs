//! "Intuition on asymmetry gap" (appendix B.1.1): the inequality under the theorem, and how far apart its sides are.

use faer::MatRef;

use super::{Moments, at_least_two, in_parallel};
use crate::AnalysisError;
use crate::least_squares::Problem;
use crate::linalg::{inner, to_mat};
use asym_core::linalg::{Matrix, orthonormal};
use asym_core::random::stream;

/// Both sides of the inequality that the theorem's proof rests on, for one Q.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyInequality {
    /// tr\[ΣQᵀ(QΣQᵀ)⁻¹QΣΔᵀΔ\], what freezing A = Q explains.
    pub left: f64,
    /// tr\[(QᵀQ)ΣQᵀ(QΣQᵀ)⁻¹QΣΔᵀΔ\].
    pub right: f64,
}

/// The two sides for one problem over many Q.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The left side.
    pub left: Moments,
    /// The right side. Its expectation is (r/d_in) tr ΔΣΔᵀ for every problem.
    pub right: Moments,
    /// Left less right.
    pub gap: Moments,
    /// Draws in which the inequality did not hold.
    pub violations: usize,
    /// (1 − r/d_in) tr ΔΣΔᵀ. In the paper's regime, Σ = σ²U_X U_Xᵀ of rank r, that is (1 − r/d_in) σ² tr\[U_X U_XᵀΔᵀΔ\];
    /// the paper leaves σ² out.
    pub limit: f64,
}

/// Both sides of the inequality for a Q `[rank, d_in]` with orthonormal rows.
///
/// The right side is computed as tr\[QΣΔᵀΔQᵀ\], as the proof does in appendix E.3: (QΣQᵀ)(QΣQᵀ)⁺ is the projection on
/// what QΣ^½ spans, and leaves QΣ as it is, so Qᵀ(QΣQᵀ)(QΣQᵀ)⁺QΣ is QᵀQΣ for a singular Σ too.
///
/// The inequality need not hold: left less right is tr\[(I − QᵀQ) M ΔᵀΔ\] with M = ΣQᵀ(QΣQᵀ)⁻¹QΣ, the trace of a
/// product of three positive semi-definite matrices, which may be negative. The paper's argument holds for two.
///
/// # Errors
///
/// The errors of [`Problem::freeze_a`], and an error for rows that are not orthonormal to 1e-8.
pub fn key_inequality(problem: &Problem, q: &Matrix) -> Result<KeyInequality, AnalysisError> {
    sides(problem, to_mat(q).as_ref())
}

/// [`key_inequality`] of faer's matrix.
fn sides(problem: &Problem, q: MatRef<'_, f64>) -> Result<KeyInequality, AnalysisError> {
    let left = problem.frozen_a(q)?.explained;
    let products = q * q.transpose();
    for j in 0..products.ncols() {
        for i in 0..products.nrows() {
            let found = products[(i, j)];
            let expected = if i == j { 1.0 } else { 0.0 };
            if (found - expected).abs() > 1e-8 {
                let expected = format!("{expected}, as the rows of Q must be orthonormal: take the Q of a QR of Qᵀ");
                return Err(AnalysisError::Setting { field: "QQᵀ", found, expected });
            }
        }
    }
    let right = inner((&problem.delta_sigma * q.transpose()).as_ref(), (&problem.delta * q.transpose()).as_ref());
    Ok(KeyInequality { left, right })
}

/// The inequality's sides over `draws` of a Q `[rank, d_in]`, uniform on its Stiefel manifold.
///
/// The limit in the paper's last line, "= … → (1 − r/d) tr\[U_X U_XᵀΔᵀΔ\] as d becomes large", is not a limit: if Σ has rank
/// r or less, the gap's expectation is [`Gap::limit`] exactly, at every d, since then M = Σ for almost every Q and E\[I −
/// QᵀQ\] = (1 − r/d) I. The right side alone has expectation (r/d) tr ΔΣΔᵀ exactly, for every Σ. Where Σ has a larger rank
/// the left side depends on Q: with m equal variances the gap's expectation is (r/m − r/d) tr ΔΣΔᵀ, and with unequal ones it
/// has no such form and may be negative.
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
    // Rounding would make violations of sides that are equal.
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

    /// The sides written out, with an inverse.
    #[test]
    fn both_sides_are_the_papers() {
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
