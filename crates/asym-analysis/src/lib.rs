//! The mathematics of low-rank adapters. This crate computes the theorems and the figures of "Asymmetry in Low-Rank Adapters
//! of Foundation Models" (Zhu et al., 2024).
//!
//! | part of the paper | module |
//! |---|---|
//! | Figure 1 and appendix D: similarity of learned factors | [`similarity`] |
//! | Lemmas 3.1 and 3.2: least squares with one factor frozen | [`least_squares`], and [`descent`] by training |
//! | Theorem 3.3: is it better to freeze A or B? | [`asymmetry`] |
//! | the theorem on real layers | [`layers`] |
//! | appendix B.1.2: logistic and other losses, layers within a network | [`nonlinear`] |
//! | Lemma B.5: bounds on the generalization error | [`bounds`] |
//! | the sizes in all tables | [`counts`] |
//!
//! The layer is y = (W0 + BA)x everywhere. A is `[rank, d_in]`, B is `[d_out, rank]`, Σ = E\[xxᵀ\] is `[d_in, d_in]`, and
//! Δ = W_targ − W0 is `[d_out, d_in]`. Each is a [`Matrix`]. All computations run on the host in f64, and faer computes the
//! decompositions. Pictures are figures of [`asym_figure`], which writes them as SVG, PNG and CSV.

pub mod asymmetry;
pub mod bounds;
pub mod counts;
pub mod descent;
mod error;
pub mod layers;
pub mod least_squares;
mod linalg;
mod moments;
mod names;
pub mod nonlinear;
pub mod similarity;

pub use asym_core::linalg::Matrix;
pub use error::AnalysisError;
