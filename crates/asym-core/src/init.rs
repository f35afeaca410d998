//! The initialization of a factor.

use burn::tensor::Tensor;
use faer::Mat;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::linalg::{apart, normal, orthonormal_mat, truncated_svd_mat};
use crate::observe::InputMoment;

/// The initial values of a factor, with their symbols in the paper's notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Init {
    /// Zeros (`0`).
    Zero,
    /// Uniform on the Stiefel manifold (`rand`): the Q of the QR decomposition of a Gaussian matrix, with signs that make the
    /// diagonal of R positive. A has orthonormal rows, and B has orthonormal columns.
    Orthonormal,
    /// Kaiming uniform with a = √5 (`km`), as in the code of LoRA for A: uniform within ±1/√fan_in, where the fan-in of
    /// A is d_in and that of B is r.
    Kaiming,
    /// Normal with standard deviation 1/r.
    Gaussian,
    /// The top r right singular vectors of W0 (`V`) as rows of A. For B, this is the same as [`Init::SvdU`].
    SvdV,
    /// The top r left singular vectors of W0 (`U`) as columns of B. For A, this is the same as [`Init::SvdV`].
    SvdU,
    /// The top r eigenvectors of E\[xxᵀ\], the second moment of the layer's input, as rows of A.
    ///
    /// These r directions contain the largest part of the input. They are the best A if nothing is known about ΔW except its
    /// size (paper, Lemma 3.1 with E\[ΔᵀΔ\] ∝ I). EVA (Paischer et al., 2024) initializes LoRA in the same way.
    ///
    /// This is only for A of linear layers, and it requires [`attach_observed`](crate::AdapterConfig::attach_observed). If the
    /// inputs span fewer than r directions, the remaining rows are arbitrary.
    InputSvd,
}

/// The factor that is initialized, with its size.
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

    /// The number of input or output features, and the rank.
    fn long_and_rank(self) -> (usize, usize) {
        match self {
            Self::A { d_input, rank } => (d_input, rank),
            Self::B { rank, d_output } => (d_output, rank),
        }
    }

    /// The values in storage order, from a matrix (features × rank) with orthonormal columns.
    fn store(self, tall: &Mat<f64>) -> Vec<f32> {
        let [rows, columns] = self.dims();
        let at = |row: usize, column: usize| match self {
            Self::A { .. } => tall[(row, column)],
            Self::B { .. } => tall[(column, row)],
        };
        (0..rows).flat_map(|row| (0..columns).map(move |column| at(row, column) as f32)).collect()
    }
}

/// The reason why a factor cannot be initialized.
#[derive(Debug)]
pub(crate) enum NoStart {
    /// A decomposition did not converge, because the matrix contains values that are not finite.
    Svd,
    /// The inputs of the layer were not observed.
    Unobserved,
    /// The layer received fewer input rows than the rank.
    FewRows { rows: usize, rank: usize },
}

/// The information on which the initial values of a factor may depend, in addition to its shape.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// W0 as Burn stores it, `[d_input, d_output]`, computed on request.
    pub(crate) weight: &'a dyn Fn() -> Tensor<2>,
    /// The inputs of the layer, if they were observed.
    pub(crate) inputs: Option<&'a InputMoment>,
}

impl Init {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Orthonormal => "orthonormal",
            Self::Kaiming => "kaiming",
            Self::Gaussian => "gaussian",
            Self::SvdV => "svd-v",
            Self::SvdU => "svd-u",
            Self::InputSvd => "input-svd",
        }
    }

    /// The symbol in the paper's notation.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::Orthonormal => "rand",
            Self::Kaiming => "km",
            Self::Gaussian => "gauss",
            Self::SvdV => "V",
            Self::SvdU => "U",
            Self::InputSvd => "X",
        }
    }

    /// The initial values of a factor, in storage order.
    pub(crate) fn draw(self, shape: Shape, known: Known<'_>, rng: &mut (impl Rng + Send)) -> Result<Vec<f32>, NoStart> {
        let (long, rank) = shape.long_and_rank();
        let count = long * rank;
        Ok(match self {
            Self::Zero => vec![0.0; count],
            Self::Orthonormal => shape.store(&apart(|| orthonormal_mat(long, rank, rng))),
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
                let weight = (known.weight)();
                let [rows, columns] = weight.dims();
                let values: Vec<f32> = weight.to_data().iter::<f32>().collect();
                let weight = Mat::from_fn(rows, columns, |i, j| f64::from(values[i * columns + j]));
                let (left, _, right) = apart(|| truncated_svd_mat(weight.as_ref(), rank, rng)).ok_or(NoStart::Svd)?;
                // Burn stores W0ᵀ, whose left singular vectors are the right singular vectors of W0.
                shape.store(match shape {
                    Shape::A { .. } => &left,
                    Shape::B { .. } => &right,
                })
            }
            Self::InputSvd => {
                let InputMoment { moment, rows } = known.inputs.ok_or(NoStart::Unobserved)?;
                if *rows < rank {
                    return Err(NoStart::FewRows { rows: *rows, rank });
                }
                let moment = &Mat::from_fn(long, long, |i, j| f64::from(moment[(i, j)]));
                // The singular vectors of a positive semi-definite matrix are its eigenvectors.
                shape.store(&apart(|| truncated_svd_mat(moment.as_ref(), rank, rng)).ok_or(NoStart::Svd)?.0)
            }
        })
    }
}
