//! Shared parts of the tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "each test file is a separate program"
)]

use std::path::Path;

use asym_analysis::least_squares::Problem;
use asym_analysis::{AnalysisError, Matrix};
use faer::{Mat, MatRef};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::de::DeserializeOwned;

/// A matrix of a fixture, as a list of rows.
pub type Rows = Vec<Vec<f64>>;

pub fn fixture<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn mat(rows: &Rows) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

/// A faer matrix as a matrix of the crate.
pub fn matrix(mat: &Mat<f64>) -> Matrix {
    Matrix::from_fn(mat.nrows(), mat.ncols(), |i, j| mat[(i, j)])
}

/// A matrix of the crate as a faer matrix, for arithmetic.
pub fn to_mat(matrix: &Matrix) -> Mat<f64> {
    Mat::from_fn(matrix.rows(), matrix.columns(), |i, j| matrix[(i, j)])
}

pub fn posed(delta: Mat<f64>, sigma: Mat<f64>, noise_variance: f64) -> Result<Problem, AnalysisError> {
    Problem::new(&matrix(&delta), &matrix(&sigma), noise_variance)
}

pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub fn normals(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Mat<f64> {
    Mat::from_fn(rows, columns, |_, _| StandardNormal.sample(rng))
}

/// A random covariance matrix. Its rank is `rank`, but at most d.
pub fn covariance(d: usize, rank: usize, rng: &mut ChaCha8Rng) -> Mat<f64> {
    let factor = normals(d, rank, rng);
    &factor * factor.transpose()
}

/// A random Q with orthonormal rows.
pub fn rows(rank: usize, d: usize, rng: &mut ChaCha8Rng) -> Mat<f64> {
    normals(d, rank, rng).qr().compute_thin_Q().transpose().to_owned()
}

#[track_caller]
pub fn close(found: f64, expected: f64, scale: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-8 * scale, "{what}: {found}, not {expected}");
}

#[track_caller]
pub fn close_mat(found: MatRef<'_, f64>, expected: MatRef<'_, f64>, what: &str) {
    assert_eq!((found.nrows(), found.ncols()), (expected.nrows(), expected.ncols()), "{what}");
    let apart = (found - expected).norm_max();
    assert!(apart <= 1e-8 * expected.norm_max(), "{what}: off by {apart:e} of {:e}", expected.norm_max());
}
