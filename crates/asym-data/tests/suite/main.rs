//! The integration tests of the crate, as one program.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../../../tests/common/damage.rs"]
mod damage;
#[path = "../hub_server/mod.rs"]
mod hub_server;

mod damaged;
mod formats;
mod hub;
mod hub_repositories;
mod hub_untrusted;
