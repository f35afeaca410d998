//! The `asym` command.

use std::process::ExitCode;

use asym::cli::{self, Args};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> ExitCode {
    cli::exit(Args::parse().run())
}
