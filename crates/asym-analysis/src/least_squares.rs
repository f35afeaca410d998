//! Multivariate least squares with a low-rank change (section 3.1.1, appendices B.1.1 and E).
//!
//! A change BA of rank r should turn a pre-trained W0 into W_targ = W0 + Δ. If the inputs have the second moment Σ, and each
//! output has label noise of variance σ², the expected squared error is
//!
//! L(A, B) = d_out σ² + tr\[(Δ − BA) Σ (Δ − BA)ᵀ\].
//!
//! The paper uses Σ = Cov X, because it centers X or trains the bias. With a frozen bias, Σ is E\[xxᵀ\].

mod moment;
mod top;

pub(crate) use moment::positive;
pub use moment::without_rounding;

use asym_core::linalg::Matrix;
use faer::{Mat, MatRef, Side};

use crate::AnalysisError;
use crate::linalg::{
    NEGLIGIBLE, check, check_shape, compact_svd, inner, scale_columns, square_norm, to_mat, to_matrix,
};

/// A change Δ that a low-rank change should approximate, with the distribution of the inputs.
#[derive(Debug, Clone)]
pub struct Problem {
    pub(crate) delta: Mat<f64>,
    pub(crate) sigma: Mat<f64>,
    /// ΔΣ, `[d_out, d_in]`: the only product of full size, which every method uses.
    pub(crate) delta_sigma: Mat<f64>,
    noise_variance: f64,
    /// tr ΔΣΔᵀ.
    total: f64,
    /// An estimate of the largest eigenvalue of Σ, by which negligible variances are recognized.
    largest: f64,
}

/// A pair of factors and the loss that remains.
#[derive(Debug, Clone)]
pub struct Fit {
    /// A, `[rank, d_in]`.
    pub a: Matrix,
    /// B, `[d_out, rank]`.
    pub b: Matrix,
    /// L(A, B), computed from the residual: see [`Problem::loss`].
    pub loss: f64,
    /// The amount by which the pair lowers [`Problem::untrained_loss`], computed by the closed form. It is never negative.
    pub explained: f64,
}

impl Problem {
    /// `delta` is Δ `[d_out, d_in]`, `sigma` is Σ `[d_in, d_in]`, and `noise_variance` is σ², the variance of the noise
    /// on each output. Σ may be singular.
    ///
    /// # Errors
    ///
    /// A matrix that is empty, misshapen or not finite; a Σ that is not symmetric to 1e-10 of its largest entry, or whose
    /// most negative eigenvalue is beyond 1e-12 of its largest; a noise variance that is negative or not finite; values
    /// whose product overflows.
    pub fn new(delta: &Matrix, sigma: &Matrix, noise_variance: f64) -> Result<Self, AnalysisError> {
        Self::of(to_mat(delta), to_mat(sigma), noise_variance)
    }

    /// [`new`](Self::new) from faer's matrices.
    pub(crate) fn of(delta: Mat<f64>, sigma: Mat<f64>, noise_variance: f64) -> Result<Self, AnalysisError> {
        check("Δ", delta.as_ref())?;
        check("Σ", sigma.as_ref())?;
        let d_in = delta.ncols();
        check_shape("Σ", sigma.as_ref(), Some(d_in), Some(d_in))?;
        if !(noise_variance.is_finite() && noise_variance >= 0.0) {
            let expected = "a finite variance, 0 or more".to_owned();
            return Err(AnalysisError::Setting { field: "noise_variance", found: noise_variance, expected });
        }
        let (sigma, largest) = moment::second_moment(sigma)?;
        let delta_sigma = &delta * &sigma;
        let total = inner(delta_sigma.as_ref(), delta.as_ref());
        if !total.is_finite() {
            return Err(AnalysisError::Overflow { what: "ΔΣΔᵀ".into() });
        }
        // Rounding may make the trace negative if Δ acts only on directions in which inputs do not vary.
        Ok(Self { delta, sigma, delta_sigma, noise_variance, total: total.max(0.0), largest })
    }

    /// The number of inputs.
    pub fn d_in(&self) -> usize {
        self.delta.ncols()
    }

    /// The number of outputs.
    pub fn d_out(&self) -> usize {
        self.delta.nrows()
    }

    /// A copy of Δ, `[d_out, d_in]`.
    pub fn delta(&self) -> Matrix {
        to_matrix(self.delta.as_ref())
    }

    /// A copy of Σ, `[d_in, d_in]`.
    pub fn sigma(&self) -> Matrix {
        to_matrix(self.sigma.as_ref())
    }

    /// tr ΔΣΔᵀ, the part of the loss that factors can explain.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// d_out σ², the lower bound of the loss for all factors.
    pub fn noise_floor(&self) -> f64 {
        self.d_out() as f64 * self.noise_variance
    }

    /// d_out σ² + tr ΔΣΔᵀ, the loss of BA = 0.
    pub fn untrained_loss(&self) -> f64 {
        self.noise_floor() + self.total
    }

    /// L(A, B) = d_out σ² + tr\[(Δ − BA) Σ (Δ − BA)ᵀ\] of any A `[rank, d_in]` and B `[d_out, rank]`.
    ///
    /// # Errors
    ///
    /// A factor that is empty, misshapen or not finite; a loss that overflows.
    pub fn loss(&self, a: &Matrix, b: &Matrix) -> Result<f64, AnalysisError> {
        let (a, b) = (to_mat(a), to_mat(b));
        let (a, b) = (a.as_ref(), b.as_ref());
        check("A", a)?;
        check("B", b)?;
        check_shape("A", a, None, Some(self.d_in()))?;
        check_shape("B", b, Some(self.d_out()), Some(a.nrows()))?;
        let loss = self.residual_loss(a, b);
        if loss.is_finite() { Ok(loss) } else { Err(AnalysisError::Overflow { what: "the loss".into() }) }
    }

    /// The loss as tr RΣRᵀ with the residual R = Δ − BA. The form of the lemmas, total minus explained, would suffer from
    /// cancellation for a loss near zero. RΣ is computed as ΔΣ − B(AΣ), which avoids a product of full size. It is as accurate as
    /// that product, because both have the rounding errors of numbers as large as ΔΣ.
    fn residual_loss(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> f64 {
        let residual = &self.delta - b * a;
        let residual_sigma = &self.delta_sigma - b * (a * &self.sigma);
        self.noise_floor() + inner(residual_sigma.as_ref(), residual.as_ref()).max(0.0)
    }

    /// Lemma 3.1: with A frozen at `q`, `[rank, d_in]`, the best B is B\* = ΔΣQᵀ(QΣQᵀ)⁺. This is regression on the projected
    /// features. It explains tr\[QΣΔᵀΔΣQᵀ(QΣQᵀ)⁺\].
    ///
    /// The rows of Q need not be orthonormal or independent. If QΣQᵀ is singular, there are many B\*, and this method returns the
    /// one with the smallest change ‖BQ‖. Directions with less than 1e-12 of Σ's largest variance are treated as constant. A
    /// direction with a share λ of the largest variance has a relative error of about 1e-16 / λ, from the rounding of Σ.
    ///
    /// # Errors
    ///
    /// A Q that is empty, misshapen, not finite or all zeros, or whose decomposition does not converge.
    pub fn freeze_a(&self, q: &Matrix) -> Result<Fit, AnalysisError> {
        self.frozen_a(to_mat(q).as_ref())
    }

    /// [`freeze_a`](Self::freeze_a) for a faer matrix.
    pub(crate) fn frozen_a(&self, q: MatRef<'_, f64>) -> Result<Fit, AnalysisError> {
        check("Q", q)?;
        check_shape("Q", q, None, Some(self.d_in()))?;
        // L depends only on BQ, and so only on the row space of Q. With an orthonormal basis V of this space, the scales and
        // dependences of Q's rows have no effect on which directions are treated as constant.
        let rows = compact_svd("Q", q, NEGLIGIBLE)?;
        if rows.values.is_empty() {
            return Err(AnalysisError::Zero { what: "the frozen A = Q".into() });
        }
        let v = rows.right;
        let gram = v.transpose() * (&self.sigma * &v);
        let eigen = gram
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| AnalysisError::NoConvergence { what: "QΣQᵀ".into() })?;
        // The variances are ascending, so the directions that vary come last.
        let variances: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        let flat = variances.iter().filter(|variance| **variance <= NEGLIGIBLE * self.largest).count();
        let varying = eigen.U().subcols(flat, variances.len() - flat);
        let cross = &self.delta_sigma * (&v * varying);
        let explained =
            (flat..variances.len()).map(|j| square_norm(cross.as_ref().subcols(j - flat, 1)) / variances[j]);
        let explained = explained.sum();
        let on_v = scale_columns(cross.as_ref(), |j| 1.0 / variances[flat + j]) * varying.transpose();
        // Q = W S Vᵀ, so B Q = B_V Vᵀ for B = B_V S⁻¹ Wᵀ.
        let b = scale_columns(on_v.as_ref(), |j| 1.0 / rows.values[j]) * rows.left.transpose();
        let loss = self.residual_loss(q, b.as_ref());
        Ok(Fit { a: to_matrix(q), b: to_matrix(b.as_ref()), loss, explained })
    }

    /// Lemma 3.2: with B frozen at `u`, `[d_out, rank]`, a best A is A\* = U⁺Δ for any Σ. This is Δ with projected outputs. It
    /// explains tr\[PΔΣΔᵀ\], where P = UU⁺ is the projection on the column space of U.
    ///
    /// For orthonormal columns, these are the paper's UᵀΔ and tr\[UᵀΔΣΔᵀU\].
    ///
    /// # Errors
    ///
    /// A U that is empty, misshapen, not finite or all zeros, or whose decomposition does not converge.
    pub fn freeze_b(&self, u: &Matrix) -> Result<Fit, AnalysisError> {
        self.frozen_b(to_mat(u).as_ref())
    }

    /// [`freeze_b`](Self::freeze_b) for a faer matrix.
    pub(crate) fn frozen_b(&self, u: MatRef<'_, f64>) -> Result<Fit, AnalysisError> {
        check("U", u)?;
        check_shape("U", u, Some(self.d_out()), None)?;
        let columns = compact_svd("U", u, NEGLIGIBLE)?;
        if columns.values.is_empty() {
            return Err(AnalysisError::Zero { what: "the frozen B = U".into() });
        }
        let basis = columns.left.transpose();
        let projected = basis * &self.delta;
        let explained = inner((basis * &self.delta_sigma).as_ref(), projected.as_ref()).max(0.0);
        let a = scale_columns(columns.right.as_ref(), |j| 1.0 / columns.values[j]) * projected;
        let loss = self.residual_loss(a.as_ref(), u);
        Ok(Fit { a: to_matrix(a.as_ref()), b: to_matrix(u), loss, explained })
    }

    /// The best pair of a rank: B = U_r and A = U_rᵀΔ, where the columns of U_r are the top r eigenvectors of ΔΣΔᵀ.
    ///
    /// The loss is ‖(Δ − BA)Σ^½‖² plus the noise, so BAΣ^½ must be the best approximation of rank r to ΔΣ^½. By the theorem of
    /// Eckart and Young, this is the projection of ΔΣ^½ on its top r left singular vectors, which are the eigenvectors of
    /// (ΔΣ^½)(ΔΣ^½)ᵀ = ΔΣΔᵀ. BA = U_r U_rᵀΔ attains this minimum without a root or an inverse of Σ. Since U_rᵀΔΣ^½ = S_r V_rᵀ,
    /// the rows of A span the same space as the rows of V_rᵀΣ^-½ if Σ is regular.
    ///
    /// # Errors
    ///
    /// A rank that is not in 1 ..= min(d_in, d_out); a decomposition that does not converge.
    pub fn best(&self, rank: usize) -> Result<Fit, AnalysisError> {
        let (d_in, d_out) = (self.d_in(), self.d_out());
        if rank == 0 || rank > d_in.min(d_out) {
            return Err(AnalysisError::Rank { rank, d_in, d_out });
        }
        let b = if d_out <= d_in {
            top::eigenvectors(self.delta_sigma.as_ref(), self.delta.as_ref(), rank)?
        } else {
            // Δ = HR with orthonormal H, so ΔΣΔᵀ = H(RΣRᵀ)Hᵀ. The core RΣRᵀ is not larger than Σ.
            let qr = self.delta.qr();
            let basis = qr.compute_thin_Q();
            let core = basis.transpose() * &self.delta_sigma;
            &basis * top::eigenvectors(core.as_ref(), qr.thin_R(), rank)?
        };
        let a = b.transpose() * &self.delta;
        let explained = inner((b.transpose() * &self.delta_sigma).as_ref(), a.as_ref()).max(0.0);
        let loss = self.residual_loss(a.as_ref(), b.as_ref());
        Ok(Fit { a: to_matrix(a.as_ref()), b: to_matrix(b.as_ref()), loss, explained })
    }
}
