//! Why low-rank adapters work, as runnable mathematics: what "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et
//! al., 2024) proves and draws, computed.
//!
//! | of the paper | see |
//! |---|---|
//! | Figure 1 and appendix D: how alike learned factors are | [`similarity`] |
//! | Lemmas 3.1 and 3.2: least squares with one factor frozen | [`least_squares`]; by training, [`descent`] |
//! | Theorem 3.3: is it better to freeze A or B? | [`asymmetry`] |
//! | the theorem on real layers | [`layers`] |
//! | appendix B.1.2: logistic and other losses, layers within a network | [`nonlinear`] |
//! | Lemma B.5: bounds on the generalization error | [`bounds`] |
//! | the sizes in all tables | [`counts`] |
//!
//! Throughout, y = (W0 + BA)x with A `[rank, d_in]` and B `[d_out, rank]`, Σ = E\[xxᵀ\] is `[d_in, d_in]`, and
//! Δ = W_targ − W0 is `[d_out, d_in]`. Everything is computed on the host in f64; decompositions are faer's. What is drawn
//! is a [`figure`]: SVG, PNG and the data as CSV.

pub mod asymmetry;
pub mod bounds;
pub mod counts;
pub mod descent;
mod error;
pub mod figure;
pub mod layers;
pub mod least_squares;
mod linalg;
mod markdown;
mod moments;
mod names;
pub mod nonlinear;
pub mod similarity;

pub use error::AnalysisError;
