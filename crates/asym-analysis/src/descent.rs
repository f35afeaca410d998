//! Gradient descent on asym-core's layer. It reaches the losses of the lemmas in [`least_squares`](crate::least_squares).

use asym_core::linalg::{Matrix, gaussian, orthonormal};
use asym_core::random::stream;
use asym_core::{AdaptedLinear, AdapterConfig, Factor, Init, Lora};
use asym_figure::{Axis, Figure, Panel, Point, Series};
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use faer::{Mat, MatRef, Side as Triangle};

use crate::AnalysisError;
use crate::asymmetry::Inputs;
use crate::least_squares::Problem;
use crate::linalg::{check, check_shape, to_mat};
use crate::similarity::Side;

/// The losses of a gradient descent.
#[derive(Debug, Clone, PartialEq)]
pub struct Descent {
    /// The expected loss before each step and after the last one. It includes the noise.
    pub losses: Vec<f64>,
}

impl Descent {
    /// The last loss.
    pub fn loss(&self) -> f64 {
        self.losses.last().copied().unwrap_or(f64::NAN)
    }
}

/// Draws the descent for two spectra of Σ, an easy one and a harder one. `seed` determines Δ and the factors.
///
/// # Errors
///
/// The errors are those of [`descend`].
pub fn figure(seed: u64, device: &Device) -> Result<Figure, AnalysisError> {
    const D: usize = 64;
    const RANK: usize = 8;
    const STEPS: usize = 20_000;
    let mut figure = Figure::new("Training reaches the lemmas' losses")
        .columns(2)
        .note(format!("{D} x {D}, r = {RANK}, σ² = 0.01; plain gradient descent in f64 on the adapted layer."));
    for (title, exponent) in [("(a) λᵢ ∝ 1/√i", 0.5), ("(b) λᵢ ∝ 1/i", 1.0)] {
        let values = Inputs::PowerLaw { exponent }.spectrum(D);
        let basis = to_mat(&orthonormal(D, D, &mut stream(seed, "descent.basis")));
        let sigma = Mat::from_fn(D, D, |i, j| basis[(i, j)] * values[j]) * basis.transpose();
        let delta = to_mat(&gaussian(D, D, &mut stream(seed, "descent.delta"))) * faer::Scale(0.1);
        let problem = Problem::of(delta, sigma, 0.01)?;
        figure = figure.with(panel(title, &problem, (RANK, STEPS, seed), device)?);
    }
    Ok(figure)
}

/// Draws both descents on one problem over the steps, next to the lemmas' losses. `seed` determines Q and U.
///
/// # Errors
///
/// The errors are those of [`descend`].
fn panel(
    title: &str,
    problem: &Problem,
    (rank, steps, seed): (usize, usize, u64),
    device: &Device,
) -> Result<Panel, AnalysisError> {
    let (d_in, d_out) = (problem.d_in(), problem.d_out());
    let q = to_mat(&orthonormal(d_in, rank, &mut stream(seed, "descent.q"))).transpose().to_owned();
    let u = to_mat(&orthonormal(d_out, rank, &mut stream(seed, "descent.u")));
    let whole = problem.untrained_loss();
    let mut panel = Panel::new(title, Axis::log10("step"), Axis::linear("loss, of the loss before"));
    let frozen = [(Side::A, &q, problem.frozen_a(q.as_ref())?), (Side::B, &u, problem.frozen_b(u.as_ref())?)];
    for (number, (side, value, closed)) in frozen.into_iter().enumerate() {
        let descent = train(problem, side, value.as_ref(), steps, device)?;
        let last = descent.losses.len() - 1;
        // Every decade has the same number of points, and the last step is added.
        let mut at: Vec<usize> =
            (0..).map(|k| 10f64.powf(f64::from(k) / 8.0).round() as usize).take_while(|step| *step < last).collect();
        at.extend((last > 0).then_some(last));
        at.dedup();
        let points = at.iter().map(|&step| Point::new(step as f64, descent.losses[step] / whole)).collect();
        let ends = [1.0, last.max(2) as f64].map(|x| Point::new(x, closed.loss / whole)).to_vec();
        let lemma = match side {
            Side::A => "Lemma 3.1",
            Side::B => "Lemma 3.2",
        };
        panel = panel
            .with(Series::line(format!("{side} frozen, gradient descent"), number, points))
            .with(Series::dashed(lemma, 6 + number, ends));
    }
    Ok(panel)
}

/// Freezes one factor at `value`, initializes the other factor to zero, and trains it by plain gradient descent in f64 on the
/// expected loss.
///
/// The layer's W0 is zero, and its target is Δ. The inputs are d_in rows whose second moment is exactly Σ, so their squared error
/// is the expected loss without the noise. The step size is the inverse of the largest curvature of the loss, for which gradient
/// descent converges. It ends after `steps` steps, or when a step lowers the loss by less than 1e-13 of the loss before training.
///
/// # Errors
///
/// An error for a `value` whose shape does not fit the problem, that is not finite, or whose rank is above min(d_in, d_out); for
/// a device without autodiff or without f64; and for a decomposition that does not converge.
pub fn descend(
    problem: &Problem,
    frozen: Side,
    value: &Matrix,
    steps: usize,
    device: &Device,
) -> Result<Descent, AnalysisError> {
    train(problem, frozen, to_mat(value).as_ref(), steps, device)
}

/// [`descend`] for a faer matrix.
fn train(
    problem: &Problem,
    frozen: Side,
    value: MatRef<'_, f64>,
    steps: usize,
    device: &Device,
) -> Result<Descent, AnalysisError> {
    if !(device.is_autodiff() && device.supports_dtype(DType::F64)) {
        return Err(AnalysisError::NoF64 { device: format!("{device:?}") });
    }
    let (d_in, d_out) = (problem.d_in(), problem.d_out());
    let (rank, expected) = match frozen {
        Side::A => (value.nrows(), [value.nrows(), d_in]),
        Side::B => (value.ncols(), [d_out, value.ncols()]),
    };
    check(format!("the frozen {frozen}"), value)?;
    check_shape(format!("the frozen {frozen}"), value, Some(expected[0]), Some(expected[1]))?;

    let (inputs, largest) = rows(problem.sigma.as_ref())?;
    // The largest curvature of ‖X(Δ − BA)ᵀ‖² in the trained factor.
    let curvature = 2.0
        * match frozen {
            Side::A => largest_eigenvalue((value * &problem.sigma * value.transpose()).as_ref())?,
            Side::B => largest * largest_eigenvalue((value.transpose() * value).as_ref())?,
        };
    let input = tensor(inputs.as_ref(), device);
    let target = tensor((&inputs * problem.delta.transpose()).as_ref(), device);
    let mut layer = layer(frozen, value, (d_in, d_out, rank), device)?;

    let mut optimizer = SgdConfig::new().init();
    let mut losses = Vec::with_capacity(steps + 1);
    loop {
        let loss = (layer.forward(input.clone()) - target.clone()).powi_scalar(2).sum();
        losses.push(problem.noise_floor() + loss.clone().into_scalar::<f64>());
        let gain = losses.len().checked_sub(2).map(|before| losses[before] - losses[before + 1]);
        let settled = gain.is_some_and(|gain| gain < 1e-13 * losses[0]);
        if losses.len() > steps || settled || curvature == 0.0 {
            return Ok(Descent { losses });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        layer = optimizer.step(1.0 / curvature, layer, gradients);
    }
}

/// Makes an adapted layer in f64 with W0 = 0. One factor is frozen at `value`, and the other factor is zero and trained.
fn layer(
    frozen: Side,
    value: MatRef<'_, f64>,
    (d_in, d_out, rank): (usize, usize, usize),
    device: &Device,
) -> Result<AdaptedLinear, AnalysisError> {
    let weight = Tensor::<2>::zeros([d_in, d_out], (device, DType::F64));
    let layer = AdaptedLinear::new(Param::from_tensor(weight), None);
    let factor = |side: Side| Factor { init: Init::Zero, train: side != frozen };
    // With α = r, the update is B·A without a factor.
    let lora = Lora::new(rank).alpha(rank as f64).a(factor(Side::A)).b(factor(Side::B));
    let layer = AdapterConfig::new(lora).targets("").attach_blank(layer, &Default::default());
    // The rank is the only setting here that may not fit a layer.
    let layer = layer.map_err(|_| AnalysisError::Rank { rank, d_in, d_out })?;
    // Burn stores both factors transposed.
    Ok(layer.map(&mut InF64 { field: String::new(), frozen, value: tensor(value.transpose(), device) }))
}

/// Sets the value of the frozen factor, and converts the zeros of the trained factor to f64.
struct InF64 {
    field: String,
    frozen: Side,
    value: Tensor<2>,
}

impl ModuleMapper for InF64 {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.field = name.to_string();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let side = match self.field.as_str() {
            "a" => Side::A,
            "b" => Side::B,
            _ => return param,
        };
        let (id, shape) = (param.id, param.lazy_shape());
        let value = if side == self.frozen {
            self.value.clone().reshape(shape)
        } else {
            Tensor::zeros(shape, (&self.value.device(), DType::F64))
        };
        param.transform_for_load(value, id)
    }
}

/// Computes X with XᵀX = Σ, and Σ's largest eigenvalue. X has d_in rows. Each row is an eigenvector of Σ times the root of its
/// eigenvalue.
fn rows(sigma: MatRef<'_, f64>) -> Result<(Mat<f64>, f64), AnalysisError> {
    let what = || AnalysisError::NoConvergence { what: "Σ".into() };
    let eigen = sigma.self_adjoint_eigen(Triangle::Lower).map_err(|_| what())?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    // Rounding may make a zero eigenvalue slightly negative.
    let rows = Mat::from_fn(sigma.nrows(), sigma.nrows(), |i, j| values[i].max(0.0).sqrt() * vectors[(j, i)]);
    Ok((rows, values[sigma.nrows() - 1]))
}

fn largest_eigenvalue(matrix: MatRef<'_, f64>) -> Result<f64, AnalysisError> {
    let values = matrix
        .self_adjoint_eigenvalues(Triangle::Lower)
        .map_err(|_| AnalysisError::NoConvergence { what: "the frozen factor's moment".into() })?;
    Ok(values.last().copied().unwrap_or(0.0))
}

fn tensor(matrix: MatRef<'_, f64>, device: &Device) -> Tensor<2> {
    let (rows, columns) = (matrix.nrows(), matrix.ncols());
    let values: Vec<f64> = (0..rows).flat_map(|i| (0..columns).map(move |j| matrix[(i, j)])).collect();
    Tensor::from_data(TensorData::new(values, [rows, columns]), (device, DType::F64))
}
