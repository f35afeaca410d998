//! Nonlinear losses and multilayer models (appendix B.1.2): losses of the form
//!
//! L(W) = Σ_i h(f(Wx_i)) − y_iᵀ f(Wx_i), (5)
//!
//! with W = W0 + BA, and their gradients
//!
//! - ∇_W = Σ_i J_fᵀ(Wx_i) \[∇h(f(Wx_i)) − y_i\] x_iᵀ, (6)
//! - ∇_B = Σ_i J_fᵀ(Wx_i) \[∇h(f(Wx_i)) − y_i\] (Qx_i)ᵀ where A = Q is frozen: features are projected, outputs are not,
//! - ∇_A = Uᵀ Σ_i J_fᵀ(Wx_i) \[∇h(f(Wx_i)) − y_i\] x_iᵀ where B = U is frozen: outputs are projected.
//!
//! For logistic regression, ∇h is the softmax p, so the bracket is p − y. The paper prints y − p there, which is the negative
//! gradient and contradicts its equation (6). Its equation (7), Σ y ln p, is the log-likelihood, which is the negative loss. In
//! this module, all signs are those of a loss to be minimized.

use asym_core::linalg::Matrix;
use faer::Mat;

use crate::AnalysisError;
use crate::linalg::{check, check_shape, inner, to_mat, to_matrix};

/// The function h of (5), on R^K. In a generalized linear model, it is the log-partition function of the outputs' distribution,
/// and its gradient is the mean of the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogPartition {
    /// h(z) = ½‖z‖²: least squares. The loss is Σ ½‖f − y‖² minus Σ ½‖y‖².
    LeastSquares,
    /// h(z) = ln Σ_k e^{z_k}: multiclass logistic regression. With one-hot y, the loss is the cross-entropy.
    Logistic,
    /// h(z) = Σ_k e^{z_k}: Poisson regression of counts.
    Poisson,
}

impl LogPartition {
    /// h(z).
    pub fn value(self, z: &[f64]) -> f64 {
        match self {
            Self::LeastSquares => 0.5 * z.iter().map(|z| z * z).sum::<f64>(),
            Self::Logistic => {
                // z is shifted by its largest value, so that e^z does not overflow.
                let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln()
            }
            Self::Poisson => z.iter().map(|z| z.exp()).sum(),
        }
    }

    /// ∇h(z), the model's prediction of y.
    pub fn gradient(self, z: &[f64]) -> Vec<f64> {
        match self {
            Self::LeastSquares => z.to_vec(),
            Self::Logistic => {
                let whole = self.value(z);
                z.iter().map(|z| (z - whole).exp()).collect()
            }
            Self::Poisson => z.iter().map(|z| z.exp()).collect(),
        }
    }
}

/// The function f of (5), from the adapted layer's outputs in R^d_out to R^K: the part of the network after that layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Downstream {
    /// f(z) = z: the adapted layer is the last layer.
    Identity,
    /// f(z) = V tanh(z): the adapted layer is within a network.
    Tanh {
        /// V, `[K, d_out]`.
        v: Matrix,
    },
}

/// A loss of the form (5) over data.
#[derive(Debug, Clone)]
pub struct GeneralizedLinear {
    h: LogPartition,
    /// V, if f is [`Downstream::Tanh`].
    v: Option<Mat<f64>>,
    inputs: Mat<f64>,
    targets: Mat<f64>,
}

/// The loss and its gradients at one W = W0 + BA.
#[derive(Debug, Clone)]
pub struct Gradients {
    /// L(W).
    pub loss: f64,
    /// ∇_W, `[d_out, d_in]`.
    pub w: Matrix,
    /// ∇_A with B frozen, `[rank, d_in]`.
    pub a: Matrix,
    /// ∇_B with A frozen, `[d_out, rank]`.
    pub b: Matrix,
}

impl GeneralizedLinear {
    /// The rows of `inputs`, `[n, d_in]`, are the x_i. The rows of `targets`, `[n, K]`, are the y_i, which may be any vectors,
    /// not only one-hot vectors.
    ///
    /// # Errors
    ///
    /// A matrix that is empty or not finite; different numbers of inputs and targets; a V whose number of rows differs from the
    /// number of columns of `targets`.
    pub fn new(h: LogPartition, f: &Downstream, inputs: &Matrix, targets: &Matrix) -> Result<Self, AnalysisError> {
        let (inputs, targets) = (to_mat(inputs), to_mat(targets));
        let v = match f {
            Downstream::Identity => None,
            Downstream::Tanh { v } => Some(to_mat(v)),
        };
        check("the inputs X", inputs.as_ref())?;
        check("the targets Y", targets.as_ref())?;
        check_shape("the targets Y", targets.as_ref(), Some(inputs.nrows()), Some(targets.ncols()))?;
        if let Some(v) = &v {
            check("V", v.as_ref())?;
            check_shape("V", v.as_ref(), Some(targets.ncols()), Some(v.ncols()))?;
        }
        Ok(Self { h, v, inputs, targets })
    }

    /// d_out, the number of rows of W.
    pub fn d_out(&self) -> usize {
        self.v.as_ref().unwrap_or(&self.targets).ncols()
    }

    /// L(W) of a W `[d_out, d_in]`.
    ///
    /// # Errors
    ///
    /// A W that is misshapen or not finite; a loss that overflows, as Poisson's does beyond z = 709.
    pub fn loss(&self, w: &Matrix) -> Result<f64, AnalysisError> {
        let w = to_mat(w);
        check("W", w.as_ref())?;
        check_shape("W", w.as_ref(), Some(self.d_out()), Some(self.inputs.ncols()))?;
        self.loss_of(&self.outputs(&(&self.inputs * w.transpose())))
    }

    /// L(W0 + BA) and its gradients. Only the gradient `b` is used with A frozen, only `a` with B frozen, and only `w` in full
    /// fine-tuning.
    ///
    /// # Errors
    ///
    /// A matrix that is misshapen or not finite; a loss or gradient that overflows.
    pub fn gradients(&self, w0: &Matrix, b: &Matrix, a: &Matrix) -> Result<Gradients, AnalysisError> {
        let [w0, b, a] = [w0, b, a].map(to_mat);
        let [w0, b, a] = [w0.as_ref(), b.as_ref(), a.as_ref()];
        let (d_in, d_out) = (self.inputs.ncols(), self.d_out());
        check("W0", w0)?;
        check("A", a)?;
        check("B", b)?;
        check_shape("W0", w0, Some(d_out), Some(d_in))?;
        check_shape("A", a, None, Some(d_in))?;
        check_shape("B", b, Some(d_out), Some(a.nrows()))?;

        let hidden = &self.inputs * (w0 + b * a).transpose();
        let outputs = self.outputs(&hidden);
        let loss = self.loss_of(&outputs)?;
        let mut errors = Mat::zeros(outputs.nrows(), outputs.ncols());
        for i in 0..outputs.nrows() {
            for (k, mean) in self.h.gradient(&row(&outputs, i)).into_iter().enumerate() {
                errors[(i, k)] = mean - self.targets[(i, k)];
            }
        }
        // J_fᵀ times the error of each row, [n, d_out].
        let fit = match &self.v {
            None => errors,
            Some(v) => {
                let back = errors * v;
                Mat::from_fn(back.nrows(), back.ncols(), |i, j| back[(i, j)] * (1.0 - hidden[(i, j)].tanh().powi(2)))
            }
        };
        let gradients = [
            fit.transpose() * &self.inputs,
            (&fit * b).transpose() * &self.inputs,
            fit.transpose() * (&self.inputs * a.transpose()),
        ];
        if gradients.iter().any(|m| check("the gradient", m.as_ref()).is_err()) {
            return Err(AnalysisError::Overflow { what: "the gradient".into() });
        }
        let [w, a, b] = gradients.map(|m| to_matrix(m.as_ref()));
        Ok(Gradients { loss, w, a, b })
    }

    /// f of each row Wx_i, `[n, K]`.
    fn outputs(&self, hidden: &Mat<f64>) -> Mat<f64> {
        match &self.v {
            None => hidden.clone(),
            Some(v) => Mat::from_fn(hidden.nrows(), hidden.ncols(), |i, j| hidden[(i, j)].tanh()) * v.transpose(),
        }
    }

    fn loss_of(&self, outputs: &Mat<f64>) -> Result<f64, AnalysisError> {
        let partition: f64 = (0..outputs.nrows()).map(|i| self.h.value(&row(outputs, i))).sum();
        let loss = partition - inner(self.targets.as_ref(), outputs.as_ref());
        if loss.is_finite() { Ok(loss) } else { Err(AnalysisError::Overflow { what: "the loss".into() }) }
    }
}

fn row(m: &Mat<f64>, i: usize) -> Vec<f64> {
    m.row(i).iter().copied().collect()
}
