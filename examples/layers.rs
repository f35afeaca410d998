//! Are real layers as the paper's Theorem 3.3 wants them? Its losses for what fine-tuning adds and what layers read.
//!
//! ```text
//! cargo run --release --example layers
//! cargo run --release --example layers -- --model <checkpoint folder> --data <MRPC folder>
//! ```

/// Counts the bytes on the heap, for the run's peak.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::layers())
}
