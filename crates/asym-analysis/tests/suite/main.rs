//! The tests of the crate, in one program so that Burn is linked only once.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod asymmetry;
mod counts;
mod layer;
mod least_squares;
mod nonlinear;
