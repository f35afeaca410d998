//! The tests of the command and of the whole library. They are one program, so that Burn is linked only once.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod adapters;
mod analysis;
mod docs;
mod embedded;
mod evaluate;
mod families;
mod files;
mod foreign;
mod generate;
mod instruction;
mod own_data;
mod peft_export;
mod pictures;
mod predict;
mod recipes;
mod refusals;
mod structure;
mod summarization;
mod sweep;
mod trainer;
mod training;
mod variants;
