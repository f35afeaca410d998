//! The time that the mathematics of one large layer takes: 4096 x 4096, r = 32, f64 on one core.
//!
//! ```text
//! cargo bench --bench large
//! ```
#![allow(clippy::unwrap_used, missing_docs)]

use asym_analysis::least_squares::Problem;
use asym_analysis::similarity::Basis;
use asym_core::linalg::{Matrix, gaussian, orthonormal, truncated_svd};
use asym_core::random::stream;
use divan::Bencher;

const D: usize = 4096;
const RANK: usize = 32;

/// Σ of inputs whose variances along the axes decrease as 1/i. Rotated inputs would take the same time.
fn sigma() -> Matrix {
    Matrix::from_fn(D, D, |i, j| if i == j { 1.0 / (i + 1) as f64 } else { 0.0 })
}

fn problem() -> Problem {
    Problem::new(&gaussian(D, D, &mut stream(1, "delta")), &sigma(), 0.0).unwrap()
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn checks_and_common_product(bencher: Bencher<'_, '_>) {
    let (delta, sigma) = (gaussian(D, D, &mut stream(1, "delta")), sigma());
    bencher.bench(|| Problem::new(&delta, &sigma, 0.0).unwrap());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn freeze_a(bencher: Bencher<'_, '_>) {
    let (problem, q) = (problem(), orthonormal(D, RANK, &mut stream(1, "q")).transposed());
    bencher.bench(|| problem.freeze_a(&q).unwrap());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn freeze_b(bencher: Bencher<'_, '_>) {
    let (problem, u) = (problem(), orthonormal(D, RANK, &mut stream(1, "u")));
    bencher.bench(|| problem.freeze_b(&u).unwrap());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn best_pair(bencher: Bencher<'_, '_>) {
    let problem = problem();
    bencher.bench(|| problem.best(RANK).unwrap());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn basis_of_a_factor(bencher: Bencher<'_, '_>) {
    let factor = gaussian(D, RANK, &mut stream(1, "factor"));
    bencher.bench(|| Basis::of_columns(&factor, "it").unwrap());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn start_from_inputs(bencher: Bencher<'_, '_>) {
    let sigma = sigma();
    bencher.bench(|| truncated_svd(&sigma, RANK, &mut stream(1, "start")).unwrap());
}

fn main() {
    divan::main();
}
