//! The losses of the paper's Theorem 3.3 on real layers, computed from their weight updates and their inputs.
//!
//! ```text
//! cargo run --release --example layers
//! cargo run --release --example layers -- --model <checkpoint folder> --data <MRPC folder>
//! ```

/// Counts the bytes on the heap for the peak memory of the run.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::layers())
}
