//! The integration tests of the crate. They are one program, so that Burn is linked only once.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod damaged;
mod models;
mod packing;
mod parity;
