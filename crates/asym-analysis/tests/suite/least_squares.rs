//! Compares Lemmas 3.1 and 3.2 with NumPy (`tests/fixtures/make_theory.py`), and tests their properties.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common::{Rows, close, close_mat, covariance, fixture, mat, matrix, normals, posed, rng, rows, to_mat};
use asym_analysis::least_squares::{Fit, Problem};
use asym_analysis::{AnalysisError, Matrix};
use faer::{Mat, Scale, Side};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    /// The trained factors that are determined. The other factors are compared by their predictions.
    compare: String,
    rank: usize,
    noise_variance: f64,
    delta: Rows,
    sigma: Rows,
    q: Rows,
    u: Rows,
    untrained_loss: f64,
    noise_floor: f64,
    freeze_a: Expected,
    freeze_b: Expected,
    best: Loss,
    pair: Pair,
}

#[derive(Deserialize)]
struct Expected {
    factor: Rows,
    /// BAΣ, which is determined even if the factor is not.
    change_sigma: Rows,
    loss: f64,
}

#[derive(Deserialize)]
struct Loss {
    loss: f64,
}

#[derive(Deserialize)]
struct Pair {
    a: Rows,
    b: Rows,
    loss: f64,
}

#[test]
fn the_lemmas_agree_with_regressions_on_samples() {
    for case in fixture::<Case>("least_squares.json") {
        let name = &case.name;
        let sigma = mat(&case.sigma);
        let problem = posed(mat(&case.delta), sigma.clone(), case.noise_variance).unwrap();
        let scale = case.untrained_loss;
        close(problem.untrained_loss(), case.untrained_loss, scale, name);
        close(problem.noise_floor(), case.noise_floor, scale, name);

        let a = problem.freeze_a(&matrix(&mat(&case.q))).unwrap();
        let b = problem.freeze_b(&matrix(&mat(&case.u))).unwrap();
        for (fit, expected, factor, trained) in [(&a, &case.freeze_a, &a.b, 'b'), (&b, &case.freeze_b, &b.a, 'a')] {
            close(fit.loss, expected.loss, scale, name);
            close(problem.untrained_loss() - fit.explained, expected.loss, scale, name);
            let change = to_mat(&fit.b) * to_mat(&fit.a);
            close_mat((change * &sigma).as_ref(), mat(&expected.change_sigma).as_ref(), name);
            if case.compare.contains(trained) {
                close_mat(to_mat(factor).as_ref(), mat(&expected.factor).as_ref(), name);
            }
        }
        let best = problem.best(case.rank).unwrap();
        close(best.loss, case.best.loss, scale, name);
        close(problem.untrained_loss() - best.explained, case.best.loss, scale, name);
        let pair = problem.loss(&matrix(&mat(&case.pair.a)), &matrix(&mat(&case.pair.b))).unwrap();
        close(pair, case.pair.loss, case.pair.loss, name);
    }
}

/// Problems of different shapes and ranks, each with a rank for the adapter.
fn problems() -> Vec<(Problem, usize)> {
    let shapes = [(7, 5, 7, 2), (4, 9, 4, 3), (8, 8, 3, 2), (6, 6, 2, 4), (5, 5, 5, 5), (12, 3, 5, 1)];
    let problem = |(i, (d_in, d_out, inputs, rank))| {
        let mut rng = rng(i as u64);
        let sigma = covariance(d_in, inputs, &mut rng);
        (posed(normals(d_out, d_in, &mut rng), sigma, 0.1 * i as f64).unwrap(), rank)
    };
    shapes.into_iter().enumerate().map(problem).collect()
}

#[test]
fn the_closed_form_equals_the_loss_of_the_fit() {
    for (problem, rank) in problems() {
        let mut rng = rng(10);
        let q = normals(rank, problem.d_in(), &mut rng);
        let u = normals(problem.d_out(), rank, &mut rng);
        let fits = [
            problem.freeze_a(&matrix(&q)).unwrap(),
            problem.freeze_b(&matrix(&u)).unwrap(),
            problem.best(rank).unwrap(),
        ];
        for fit in fits {
            let whole = problem.untrained_loss();
            close(fit.loss, whole - fit.explained, 1e-3 * whole, "closed form");
            assert_eq!(fit.loss, problem.loss(&fit.a, &fit.b).unwrap());
            assert!(fit.loss >= problem.noise_floor() && fit.loss <= whole * (1.0 + 1e-12));
        }
    }
}

#[test]
fn perturbing_a_trained_factor_never_lowers_the_loss() {
    for (problem, rank) in problems() {
        let mut rng = rng(11);
        let a = problem.freeze_a(&matrix(&normals(rank, problem.d_in(), &mut rng))).unwrap();
        let b = problem.freeze_b(&matrix(&normals(problem.d_out(), rank, &mut rng))).unwrap();
        let best = problem.best(rank).unwrap();
        let slack = 1e-13 * problem.untrained_loss();
        for size in [1e-3, 1e-1, 1.0] {
            for _ in 0..10 {
                let step_a = Scale(size) * normals(rank, problem.d_in(), &mut rng);
                let step_b = Scale(size) * normals(problem.d_out(), rank, &mut rng);
                let loss = |fit: &Fit, a: f64, b: f64| {
                    let (a, b) = (to_mat(&fit.a) + Scale(a) * &step_a, to_mat(&fit.b) + Scale(b) * &step_b);
                    problem.loss(&matrix(&a), &matrix(&b)).unwrap()
                };
                assert!(loss(&a, 0.0, 1.0) >= a.loss - slack);
                assert!(loss(&b, 1.0, 0.0) >= b.loss - slack);
                assert!(loss(&best, 1.0, 1.0) >= best.loss - slack);
            }
        }
        assert!(best.loss <= a.loss + slack && best.loss <= b.loss + slack);
    }
}

/// If either factor of the best pair is frozen, the best other factor has the same loss. Alternating least squares from a random
/// start reaches no smaller loss.
#[test]
fn each_factor_of_the_best_pair_is_optimal() {
    for (problem, rank) in problems() {
        let best = problem.best(rank).unwrap();
        let whole = problem.untrained_loss();
        close(problem.freeze_a(&best.a).unwrap().loss, best.loss, 1e-3 * whole, "A of the best");
        close(problem.freeze_b(&best.b).unwrap().loss, best.loss, 1e-3 * whole, "B of the best");
        let mut fit = problem.freeze_a(&matrix(&normals(rank, problem.d_in(), &mut rng(12)))).unwrap();
        for _ in 0..3000 {
            fit = problem.freeze_b(&fit.b).unwrap();
            fit = problem.freeze_a(&fit.a).unwrap();
        }
        close(fit.loss, best.loss, whole, "alternating least squares");
    }
}

/// "The best A for a given Δ": its rows span the row space of V_rᵀΣ^-½, where V_r are the top right singular vectors of ΔΣ^½.
#[test]
fn the_best_a_spans_the_scaled_top_singular_vectors() {
    let mut rng = rng(13);
    let (sigma, delta, rank) = (covariance(7, 9, &mut rng), normals(5, 7, &mut rng), 2);
    let eigen = sigma.self_adjoint_eigen(Side::Lower).unwrap();
    let power = |p: f64| {
        let scaled = Mat::from_fn(7, 7, |i, j| eigen.U()[(i, j)] * eigen.S()[j].powf(p));
        scaled * eigen.U().transpose()
    };
    let svd = (&delta * power(0.5)).thin_svd().unwrap();
    let a = svd.V().subcols(0, rank).transpose() * power(-0.5);
    let problem = posed(delta, sigma, 0.0).unwrap();
    let best = problem.best(rank).unwrap();
    close(problem.freeze_a(&matrix(&a)).unwrap().loss, best.loss, 1e-3 * best.loss, "V_rᵀΣ^-½");
    let left_out: f64 = (rank..5).map(|i| svd.S()[i].powi(2)).sum();
    close(best.loss, left_out, 1e-3 * left_out, "Eckart and Young");
}

#[test]
fn losses_scale_with_the_problem_but_not_the_frozen_factor() {
    let mut rng = rng(14);
    let (sigma, delta) = (covariance(7, 9, &mut rng), normals(5, 7, &mut rng));
    let (q, u, mix) = (normals(3, 7, &mut rng), normals(5, 3, &mut rng), normals(3, 3, &mut rng));
    let losses = |by_delta: f64, by_sigma: f64, noise: f64, q: &Mat<f64>, u: &Mat<f64>| {
        let problem = posed(Scale(by_delta) * &delta, Scale(by_sigma) * &sigma, noise).unwrap();
        let (a, b) = (problem.freeze_a(&matrix(q)).unwrap(), problem.freeze_b(&matrix(u)).unwrap());
        [a.loss, b.loss, problem.best(3).unwrap().loss]
    };
    let plain = losses(1.0, 1.0, 0.0, &q, &u);
    let same = |found: [f64; 3], factor: f64, noise: f64| {
        for (found, plain) in found.into_iter().zip(plain) {
            close(found, factor * plain + noise, 1e-3 * factor * plain, "scaling");
        }
    };
    same(losses(3.0, 1.0, 0.0, &q, &u), 9.0, 0.0);
    same(losses(1.0, 4.0, 0.0, &q, &u), 4.0, 0.0);
    same(losses(1.0, 1.0, 0.7, &q, &u), 1.0, 5.0 * 0.7);
    same(losses(1e-60, 1e40, 0.0, &q, &u), 1e-80, 0.0);
    // The loss depends only on the row space of Q and on the column space of U, not on the norms of their rows and columns.
    same(losses(1.0, 1.0, 0.0, &(&mix * &q), &(&u * &mix)), 1.0, 0.0);
    let lengths = Mat::from_fn(3, 3, |i, j| if i == j { 1e4f64.powi(i as i32) } else { 0.0 });
    same(losses(1.0, 1.0, 0.0, &(&lengths * &q), &(&u * &lengths)), 1.0, 0.0);
}

/// The paper's extreme example: if inputs have rank r or less, every Q is optimal.
#[test]
fn a_random_a_is_optimal_for_low_rank_inputs() {
    for inputs in 1..=4 {
        let mut rng = rng(15 + inputs as u64);
        let problem = posed(normals(6, 20, &mut rng), covariance(20, inputs, &mut rng), 0.2).unwrap();
        let a = problem.freeze_a(&matrix(&rows(4, 20, &mut rng))).unwrap();
        close(a.loss, problem.noise_floor(), 1e-4 * problem.untrained_loss(), "A");
        let b = problem.freeze_b(&matrix(&rows(4, 6, &mut rng)).transposed()).unwrap();
        assert!(b.loss > problem.noise_floor() + 0.05 * problem.untrained_loss());
    }
}

/// A\* does not depend on the inputs, and B\* does (the remark after the lemmas).
#[test]
fn only_the_trained_b_depends_on_the_inputs() {
    let mut rng = rng(20);
    let (delta, q, u) = (normals(5, 7, &mut rng), rows(2, 7, &mut rng), rows(2, 5, &mut rng));
    let one = posed(delta.clone(), covariance(7, 9, &mut rng), 0.0).unwrap();
    let other = posed(delta.clone(), covariance(7, 9, &mut rng), 0.0).unwrap();
    let (q, u) = (matrix(&q), matrix(&u).transposed());
    let [a, again] = [&one, &other].map(|problem| to_mat(&problem.freeze_b(&u).unwrap().a));
    close_mat(a.as_ref(), again.as_ref(), "A*");
    close_mat(a.as_ref(), (to_mat(&u).transpose() * &delta).as_ref(), "UᵀΔ");
    let [b, again] = [&one, &other].map(|problem| to_mat(&problem.freeze_a(&q).unwrap().b));
    assert!((&b - &again).norm_max() > 0.1 * b.norm_max());
}

/// The lemma's closed form would have an error of about 1e-16 of the loss without adapters.
#[test]
fn losses_near_zero_do_not_suffer_from_cancellation() {
    let mut rng = rng(21);
    let (a, b) = (normals(2, 30, &mut rng), normals(20, 2, &mut rng));
    let problem = posed(&b * &a, covariance(30, 40, &mut rng), 0.0).unwrap();
    let tiny = 1e-26 * problem.untrained_loss();
    assert!(problem.loss(&matrix(&a), &matrix(&b)).unwrap() <= tiny);
    assert!(problem.freeze_a(&matrix(&a)).unwrap().loss <= tiny);
    assert!(problem.freeze_b(&matrix(&b)).unwrap().loss <= tiny);
    assert!(problem.best(2).unwrap().loss <= tiny);
}

#[test]
fn the_truncated_method_solves_large_problems_exactly() {
    let (d_in, d_out, rank) = (1100, 1040, 3);
    let mut rng = rng(22);
    let deviations: Vec<f64> = (1..=d_in).map(|i| (i as f64).powf(-0.25)).collect();
    let delta = normals(d_out, d_in, &mut rng);
    let root = Mat::from_fn(d_out, d_in, |i, j| delta[(i, j)] * deviations[j]);
    let sigma = Mat::from_fn(d_in, d_in, |i, j| if i == j { deviations[i].powi(2) } else { 0.0 });
    let problem = posed(delta, sigma, 0.0).unwrap();
    let fit = problem.best(rank).unwrap();
    let squares = (&root * root.transpose()).self_adjoint_eigenvalues(Side::Lower).unwrap();
    let top: f64 = squares[d_out - rank..].iter().sum();
    assert!((fit.explained - top).abs() <= 1e-12 * top, "{} of {top}", fit.explained);
    assert!((fit.loss - (problem.total() - top)).abs() <= 1e-12 * problem.total());
}

#[test]
fn zero_inputs_explain_no_loss() {
    let problem = posed(normals(3, 4, &mut rng(23)), Mat::zeros(4, 4), 0.5).unwrap();
    let fit = problem.freeze_a(&matrix(&rows(2, 4, &mut rng(24)))).unwrap();
    assert_eq!((fit.loss, fit.explained, problem.best(2).unwrap().loss), (1.5, 0.0, 1.5));
}

fn refused(result: Result<Problem, AnalysisError>) -> AnalysisError {
    result.expect_err("it must be refused")
}

#[test]
fn invalid_problems_are_rejected_with_the_invalid_entry() {
    let (delta, sigma) = (Mat::<f64>::identity(2, 3), Mat::<f64>::identity(3, 3));
    let with = |i, j, value| {
        let mut sigma = sigma.clone();
        sigma[(i, j)] = value;
        refused(posed(delta.clone(), sigma, 0.0))
    };
    assert_eq!(
        with(1, 2, f64::INFINITY),
        AnalysisError::NotFinite { what: "Σ".into(), row: 1, column: 2, found: f64::INFINITY }
    );
    assert_eq!(with(1, 2, 1e-3), AnalysisError::Asymmetric { row: 1, column: 2, above: 1e-3, below: 0.0 });
    match with(1, 1, -0.25) {
        AnalysisError::NotPositive { smallest, largest } => {
            assert!((smallest + 0.25).abs() < 1e-15 && (largest - 1.0).abs() < 1e-15, "{smallest} {largest}");
        }
        other => panic!("{other}"),
    }
    let indefinite = Mat::from_fn(3, 3, |i, j| if i == j { 1.0 } else { -0.9 });
    match refused(posed(delta.clone(), indefinite, 0.0)) {
        AnalysisError::NotPositive { smallest, .. } => assert!((smallest + 0.8).abs() < 1e-12, "{smallest}"),
        other => panic!("{other}"),
    }
    let mut nan = delta.clone();
    nan[(1, 0)] = f64::NAN;
    let error = refused(posed(nan, sigma.clone(), 0.0));
    assert!(matches!(&error, AnalysisError::NotFinite { what, row: 1, column: 0, .. } if what == "Δ"), "{error}");
    let error = refused(posed(delta.clone(), Mat::identity(2, 2), 0.0));
    assert!(error.to_string().contains("Σ must be 3 × 3, found 2 × 2"), "{error}");
    let error = refused(posed(Mat::zeros(0, 3), sigma.clone(), 0.0));
    assert_eq!(error, AnalysisError::Empty { what: "Δ".into(), rows: 0, columns: 3 });
    for noise in [-1.0, f64::NAN, f64::INFINITY] {
        let error = refused(posed(delta.clone(), sigma.clone(), noise));
        assert!(matches!(error, AnalysisError::Setting { field: "noise_variance", .. }), "{error}");
    }
    let error = refused(posed(Scale(1e300) * &delta, sigma, 0.0));
    assert_eq!(error, AnalysisError::Overflow { what: "ΔΣΔᵀ".into() });
}

/// Asymmetry and negative eigenvalues that are due to rounding are accepted.
#[test]
fn rounding_errors_in_the_second_moment_are_accepted() {
    let mut rng = rng(25);
    for (d, rank) in [(2, 1), (30, 3), (200, 20), (200, 199)] {
        let mut sigma = Scale(1e7) * covariance(d, rank, &mut rng);
        sigma[(0, 1)] *= 1.0 + 1e-14;
        let problem = posed(normals(3, d, &mut rng), sigma, 0.0).unwrap();
        let sigma = problem.sigma();
        assert_eq!(sigma[(0, 1)], sigma[(1, 0)]);
    }
}

#[test]
fn zero_frozen_factors_and_invalid_ranks_are_rejected() {
    let problem = posed(Mat::identity(2, 3), Mat::identity(3, 3), 0.0).unwrap();
    let zero = Matrix::zeros(2, 3);
    let error = problem.freeze_a(&zero).unwrap_err();
    assert_eq!(error, AnalysisError::Zero { what: "the frozen A = Q".into() });
    let error = problem.freeze_b(&Matrix::zeros(2, 2)).unwrap_err();
    assert_eq!(error, AnalysisError::Zero { what: "the frozen B = U".into() });
    assert!(problem.freeze_a(&zero.transposed()).unwrap_err().to_string().contains("Q must be r × 3, found 3 × 2"));
    assert!(problem.freeze_b(&zero.transposed()).unwrap_err().to_string().contains("U must be 2 × r, found 3 × 2"));
    assert!(matches!(problem.freeze_a(&Matrix::zeros(0, 3)), Err(AnalysisError::Empty { what, .. }) if what == "Q"));
    assert!(problem.loss(&zero, &zero).unwrap_err().to_string().contains("B must be 2 × 2"));
    let huge = Scale(1e300) * Mat::<f64>::identity(2, 3);
    let error = problem.loss(&matrix(&huge), &matrix(&huge.subcols(0, 2).to_owned())).unwrap_err();
    assert_eq!(error, AnalysisError::Overflow { what: "the loss".into() });
    for rank in [0, 3] {
        let error = problem.best(rank).unwrap_err();
        assert_eq!(error, AnalysisError::Rank { rank, d_in: 3, d_out: 2 });
        assert!(error.to_string().contains("from 1 to 2"));
    }
}
