//! How a factor starts.

use burn::tensor::Tensor;
use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// The values of a factor before the first step, in the paper's notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Init {
    /// Zeros (`0`).
    Zero,
    /// Uniform on the Stiefel manifold (`rand`): the Q of a Gaussian's QR decomposition with the signs of R's diagonal
    /// made positive. A gets orthonormal rows, B orthonormal columns.
    Orthonormal,
    /// Kaiming uniform with a = √5 (`km`), as LoRA's own code starts A: uniform within ±1/√fan_in, where the fan-in of
    /// A is d_in and that of B is r.
    Kaiming,
    /// Normal with standard deviation 1/r.
    Gaussian,
    /// The top r right singular vectors of W0 (`V`), as rows of A. For B: their counterpart, as [`Init::SvdU`].
    SvdV,
    /// The top r left singular vectors of W0 (`U`), as columns of B. For A: their counterpart, as [`Init::SvdV`].
    SvdU,
}

/// Which factor is drawn, with its size.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A, stored as its transpose `[d_input, rank]`.
    A { d_input: usize, rank: usize },
    /// B, stored as its transpose `[rank, d_output]`.
    B { rank: usize, d_output: usize },
}

impl Shape {
    /// The shape in which Burn stores the factor.
    pub(crate) fn dims(self) -> [usize; 2] {
        match self {
            Self::A { d_input, rank } => [d_input, rank],
            Self::B { rank, d_output } => [rank, d_output],
        }
    }

    /// The features on the factor's long side, and the rank.
    fn long_and_rank(self) -> (usize, usize) {
        match self {
            Self::A { d_input, rank } => (d_input, rank),
            Self::B { rank, d_output } => (d_output, rank),
        }
    }

    /// The values in storage order, from the tall matrix (features × rank) with orthonormal columns.
    fn store(self, tall: &Mat<f64>) -> Vec<f32> {
        let [rows, columns] = self.dims();
        let at = |row: usize, column: usize| match self {
            Self::A { .. } => tall[(row, column)],
            Self::B { .. } => tall[(column, row)],
        };
        (0..rows).flat_map(|row| (0..columns).map(move |column| at(row, column) as f32)).collect()
    }
}

/// The singular value decomposition did not converge: the weight holds values that are not finite.
#[derive(Debug)]
pub(crate) struct NoSvd;

impl Init {
    /// Its name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Orthonormal => "orthonormal",
            Self::Kaiming => "kaiming",
            Self::Gaussian => "gaussian",
            Self::SvdV => "svd-v",
            Self::SvdU => "svd-u",
        }
    }

    /// Its symbol in the paper's notation.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::Orthonormal => "rand",
            Self::Kaiming => "km",
            Self::Gaussian => "gauss",
            Self::SvdV => "V",
            Self::SvdU => "U",
        }
    }

    /// Draw a factor in storage order. `weight` is W0 as Burn stores it, `[d_input, d_output]`.
    pub(crate) fn draw(self, shape: Shape, weight: &Tensor<2>, rng: &mut (impl Rng + Send)) -> Result<Vec<f32>, NoSvd> {
        let (long, rank) = shape.long_and_rank();
        let count = long * rank;
        Ok(match self {
            Self::Zero => vec![0.0; count],
            Self::Orthonormal => shape.store(&apart(|| orthonormal(long, rank, rng))),
            Self::Kaiming => {
                let fan_in = match shape {
                    Shape::A { d_input, .. } => d_input,
                    Shape::B { rank, .. } => rank,
                };
                let bound = 1.0 / (fan_in as f64).sqrt();
                (0..count).map(|_| rng.random_range(-bound..bound) as f32).collect()
            }
            Self::Gaussian => {
                let deviation = 1.0 / rank as f64;
                (0..count).map(|_| (deviation * normal(rng)) as f32).collect()
            }
            Self::SvdV | Self::SvdU => {
                let [rows, columns] = weight.dims();
                let values: Vec<f32> = weight.to_data().iter::<f32>().collect();
                let weight = Mat::from_fn(rows, columns, |i, j| f64::from(values[i * columns + j]));
                let (left, right) = apart(|| truncated_svd(&weight, rank, rng))?;
                // Burn stores W0ᵀ, so that its left singular vectors are W0's right ones.
                shape.store(match shape {
                    Shape::A { .. } => &left,
                    Shape::B { .. } => &right,
                })
            }
        })
    }
}

/// Run `work` on a thread of its own. faer keeps buffers of twice the last cache level's size for each thread that ever
/// multiplied, tens of MiB for a factor of a few KiB; they go with the thread.
pub(crate) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match std::thread::scope(|scope| scope.spawn(work).join()) {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn gaussian(rows: usize, columns: usize, rng: &mut impl Rng) -> Mat<f64> {
    let values: Vec<f64> = (0..rows * columns).map(|_| normal(rng)).collect();
    Mat::from_fn(rows, columns, |i, j| values[i * columns + j])
}

/// A matrix with orthonormal columns, uniform on the Stiefel manifold (Mezzadri, 2007).
fn orthonormal(rows: usize, columns: usize, rng: &mut impl Rng) -> Mat<f64> {
    let qr = gaussian(rows, columns, rng).qr();
    let mut q = qr.compute_thin_Q();
    let r = qr.thin_R();
    for column in 0..columns {
        if r[(column, column)] < 0.0 {
            for row in 0..rows {
                q[(row, column)] = -q[(row, column)];
            }
        }
    }
    q
}

/// The top `rank` left and right singular vectors, as columns, by randomized subspace iteration (Halko, Martinsson and
/// Tropp, 2011, algorithm 4.4): a full decomposition of a large weight would take minutes.
///
/// Vectors are as exact as the spectrum decays between the r-th and the (r + 16)-th singular value.
/// The largest component of each left vector is positive, so that the result does not depend on the start.
fn truncated_svd(matrix: &Mat<f64>, rank: usize, rng: &mut impl Rng) -> Result<(Mat<f64>, Mat<f64>), NoSvd> {
    const OVERSAMPLING: usize = 16;
    const ITERATIONS: usize = 24;
    let (rows, columns) = (matrix.nrows(), matrix.ncols());
    let width = (rank + OVERSAMPLING).min(rows).min(columns);

    // Where the subspace is nearly the whole space, the exact decomposition is as cheap.
    let (left, right) = if 2 * width >= rows.min(columns) {
        let svd = matrix.thin_svd().map_err(|_| NoSvd)?;
        (svd.U().to_owned(), svd.V().to_owned())
    } else {
        let mut basis = (matrix * gaussian(columns, width, rng)).qr().compute_thin_Q();
        for _ in 0..ITERATIONS {
            let back = (matrix.transpose() * &basis).qr().compute_thin_Q();
            basis = (matrix * back).qr().compute_thin_Q();
        }
        let small = basis.transpose() * matrix;
        let svd = small.thin_svd().map_err(|_| NoSvd)?;
        (&basis * svd.U(), svd.V().to_owned())
    };

    let sign: Vec<f64> = (0..rank)
        .map(|column| {
            (0..rows)
                .map(|row| left[(row, column)])
                .fold(0.0f64, |best, value| if value.abs() > best.abs() { value } else { best })
                .signum()
        })
        .collect();
    let top = |vectors: &Mat<f64>, rows: usize| Mat::from_fn(rows, rank, |i, j| vectors[(i, j)] * sign[j]);
    Ok((top(&left, rows), top(&right, columns)))
}
