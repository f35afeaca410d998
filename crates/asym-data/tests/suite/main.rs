//! The tests of the crate: one program.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../hub_server/mod.rs"]
mod hub_server;

mod damaged;
mod hub;
mod hub_liars;
mod hub_places;
