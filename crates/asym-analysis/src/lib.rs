//! Why low-rank adapters work, as runnable mathematics: what "Asymmetry in Low-Rank Adapters of Foundation Models" (Zhu et
//! al., 2024) proves and draws, computed.
//!
//! | of the paper | see |
//! |---|---|
//! | Figure 1 and appendix D: how alike learned factors are | [`similarity`] |
//! | Lemma B.5: bounds on the generalization error | [`bounds`] |
//!
//! Everything is computed on the host in f64; decompositions are faer's.

pub mod bounds;
pub mod counts;
mod error;
pub mod figure;
mod matrix;
pub mod similarity;

pub use error::AnalysisError;
