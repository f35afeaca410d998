//! Compares the gradients of appendix B.1.2 with NumPy (`tests/fixtures/make_theory.py`) and with finite differences.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common::{Rows, close, close_mat, fixture, mat, matrix, normals, rng, to_mat};
use asym_analysis::nonlinear::{Downstream, GeneralizedLinear, Gradients, LogPartition};
use asym_analysis::{AnalysisError, Matrix};
use faer::{Mat, Scale};
use serde::Deserialize;

const ALL: [LogPartition; 3] = [LogPartition::LeastSquares, LogPartition::Logistic, LogPartition::Poisson];

#[derive(Deserialize)]
struct Case {
    h: String,
    f: String,
    inputs: Rows,
    targets: Rows,
    v: Option<Rows>,
    w0: Rows,
    a: Rows,
    b: Rows,
    loss: f64,
    grad_w: Rows,
    grad_a: Rows,
    grad_b: Rows,
}

fn model(h: LogPartition, f: &Downstream, x: &Mat<f64>, y: &Mat<f64>) -> Result<GeneralizedLinear, AnalysisError> {
    GeneralizedLinear::new(h, f, &matrix(x), &matrix(y))
}

#[test]
fn losses_and_gradients_match_numpy() {
    for case in fixture::<Case>("nonlinear.json") {
        let name = format!("{} {}", case.h, case.f);
        let h = match case.h.as_str() {
            "least-squares" => LogPartition::LeastSquares,
            "logistic" => LogPartition::Logistic,
            "poisson" => LogPartition::Poisson,
            other => panic!("{other}"),
        };
        let f = case.v.as_ref().map_or(Downstream::Identity, |v| Downstream::Tanh { v: matrix(&mat(v)) });
        let model = model(h, &f, &mat(&case.inputs), &mat(&case.targets)).unwrap();
        let [w0, a, b] = [&case.w0, &case.a, &case.b].map(|rows| matrix(&mat(rows)));
        let found = model.gradients(&w0, &b, &a).unwrap();
        close(found.loss, case.loss, case.loss.abs(), &name);
        close_mat(to_mat(&found.w).as_ref(), mat(&case.grad_w).as_ref(), &name);
        close_mat(to_mat(&found.a).as_ref(), mat(&case.grad_a).as_ref(), &name);
        close_mat(to_mat(&found.b).as_ref(), mat(&case.grad_b).as_ref(), &name);
    }
}

struct Model {
    model: GeneralizedLinear,
    w0: Mat<f64>,
    a: Mat<f64>,
    b: Mat<f64>,
}

impl Model {
    fn new(h: LogPartition, tanh: bool) -> Self {
        let (n, d_in, d_out, k, rank) = (6, 5, 3, if tanh { 4 } else { 3 }, 2);
        let mut rng = rng(1);
        let v = |rng: &mut _| matrix(&normals(k, d_out, rng));
        let f = if tanh { Downstream::Tanh { v: v(&mut rng) } } else { Downstream::Identity };
        let (x, y) = (normals(n, d_in, &mut rng), normals(n, k, &mut rng));
        let model = model(h, &f, &x, &y).unwrap();
        assert_eq!(model.d_out(), d_out);
        let half = Scale(0.5);
        let (w0, a) = (half * normals(d_out, d_in, &mut rng), half * normals(rank, d_in, &mut rng));
        Self { model, w0, a, b: half * normals(d_out, rank, &mut rng) }
    }

    fn loss(&self) -> f64 {
        self.model.loss(&matrix(&(&self.w0 + &self.b * &self.a))).unwrap()
    }

    fn gradients(&self) -> Gradients {
        let [w0, b, a] = [&self.w0, &self.b, &self.a].map(matrix);
        self.model.gradients(&w0, &b, &a).unwrap()
    }

    fn numerical(&mut self, of: impl Fn(&mut Self) -> &mut Mat<f64>) -> Mat<f64> {
        const STEP: f64 = 1e-5;
        let (rows, columns) = (of(self).nrows(), of(self).ncols());
        let mut gradient = Mat::zeros(rows, columns);
        for i in 0..rows {
            for j in 0..columns {
                let at = of(self)[(i, j)];
                let mut loss_at = |value| {
                    of(self)[(i, j)] = value;
                    self.loss()
                };
                gradient[(i, j)] = (loss_at(at + STEP) - loss_at(at - STEP)) / (2.0 * STEP);
                loss_at(at);
            }
        }
        gradient
    }
}

#[test]
fn gradients_match_finite_differences() {
    for (h, tanh) in ALL.into_iter().flat_map(|h| [(h, false), (h, true)]) {
        let mut model = Model::new(h, tanh);
        let found = model.gradients();
        assert_eq!(found.loss, model.loss());
        let numerical = [model.numerical(|m| &mut m.w0), model.numerical(|m| &mut m.a), model.numerical(|m| &mut m.b)];
        for (found, expected) in [&found.w, &found.a, &found.b].into_iter().zip(&numerical) {
            let apart = (to_mat(found) - expected).norm_max();
            assert!(apart < 1e-7 * (1.0 + expected.norm_max()), "{h:?} {tanh}: off by {apart:e}");
        }
    }
}

/// The projections of B.1.2: ∇_B = ∇_W Aᵀ, ∇_A = Bᵀ∇_W.
#[test]
fn frozen_factors_project_the_full_gradient() {
    let model = Model::new(LogPartition::Logistic, true);
    let found = model.gradients();
    let [w, a, b] = [&found.w, &found.a, &found.b].map(to_mat);
    close_mat(b.as_ref(), (&w * model.a.transpose()).as_ref(), "B");
    close_mat(a.as_ref(), (model.b.transpose() * &w).as_ref(), "A");
}

/// The sign of the gradient: a step against p − y lowers the loss. A step against the paper's y − p would raise it.
#[test]
fn a_step_against_the_gradient_lowers_the_loss() {
    for h in ALL {
        let mut model = Model::new(h, false);
        let (before, step) = (model.loss(), Scale(1e-4) * to_mat(&model.gradients().b));
        let b = model.b.clone();
        model.b = &b - &step;
        assert!(model.loss() < before);
        model.b = &b + &step;
        assert!(model.loss() > before);
    }
}

#[test]
fn each_log_partition_gives_the_loss_of_its_name() {
    let (x, w) = (normals(4, 3, &mut rng(2)), normals(3, 3, &mut rng(3)));
    let z = &x * w.transpose();
    let one_hot = Mat::from_fn(4, 3, |i, k| if k == i % 3 { 1.0 } else { 0.0 });
    let loss = |h, y: &Mat<f64>| model(h, &Downstream::Identity, &x, y).unwrap().loss(&matrix(&w)).unwrap();
    let squares = 0.5 * ((&z - &one_hot).squared_norm_l2() - one_hot.squared_norm_l2());
    close(loss(LogPartition::LeastSquares, &one_hot), squares, 1.0, "½‖z − y‖² − ½‖y‖²");
    let softmax = |i: usize, k: usize| z[(i, k)].exp() / (0..3).map(|l| z[(i, l)].exp()).sum::<f64>();
    let cross_entropy = -(0..4).map(|i| softmax(i, i % 3).ln()).sum::<f64>();
    close(loss(LogPartition::Logistic, &one_hot), cross_entropy, 1.0, "−ln p_c");
    let rates = (0..4).flat_map(|i| (0..3).map(move |k| (i, k)));
    let poisson: f64 = rates.map(|at| z[at].exp() - one_hot[at] * z[at]).sum();
    close(loss(LogPartition::Poisson, &one_hot), poisson, 1.0, "rates minus their logarithms");
}

#[test]
fn the_logistic_loss_is_stable_and_poisson_reports_overflow() {
    let z = [1000.0, 0.0, -1000.0];
    assert_eq!(LogPartition::Logistic.value(&z), 1000.0);
    assert_eq!(LogPartition::Logistic.gradient(&z), [1.0, 0.0, 0.0]);
    assert_eq!(LogPartition::Logistic.value(&[-1000.0, -1000.0]), -1000.0 + 2f64.ln());

    let [one, w] = [1.0, 1000.0].map(|value| Matrix::from_rows(1, 1, &[value]));
    let model = |h| GeneralizedLinear::new(h, &Downstream::Identity, &one, &one).unwrap();
    assert_eq!(model(LogPartition::Logistic).loss(&w), Ok(0.0));
    let found = model(LogPartition::Poisson).gradients(&w, &one, &one).unwrap_err();
    assert_eq!(found, AnalysisError::Overflow { what: "the loss".into() });
}

#[test]
fn mismatched_matrices_are_rejected() {
    let zeros = Matrix::zeros;
    let new = |x, y, f| GeneralizedLinear::new(LogPartition::Logistic, &f, &x, &y).map(|_| ()).unwrap_err().to_string();
    let error = new(zeros(4, 2), zeros(3, 2), Downstream::Identity);
    assert!(error.contains("the targets Y must be 4 × 2, found 3 × 2"), "{error}");
    let error = new(zeros(4, 2), zeros(4, 3), Downstream::Tanh { v: zeros(2, 5) });
    assert!(error.contains("V must be 3 × 5, found 2 × 5"), "{error}");
    let error = new(zeros(0, 2), zeros(0, 3), Downstream::Identity);
    assert!(error.contains("no entries"), "{error}");

    let model = Model::new(LogPartition::Logistic, true);
    let [w0, a, b] = [&model.w0, &model.a, &model.b].map(matrix);
    let (w0, a, b) = (&w0, &a, &b);
    let model = &model.model;
    let error = |w0: &Matrix, b: &Matrix, a: &Matrix| model.gradients(w0, b, a).map(|_| ()).unwrap_err().to_string();
    assert!(error(&zeros(5, 3), b, a).contains("W0 must be 3 × 5"));
    assert!(error(w0, &zeros(3, 1), a).contains("B must be 3 × 2"));
    assert!(error(w0, b, &zeros(2, 4)).contains("A must be r × 5"));
    let mut nan = a.clone();
    nan[(1, 3)] = f64::NAN;
    assert!(error(w0, b, &nan).contains("A is NaN at row 1, column 3"));
    assert!(model.loss(&zeros(2, 5)).unwrap_err().to_string().contains("W must be 3 × 5"));
}
