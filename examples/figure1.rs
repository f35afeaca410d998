//! The paper's Figure 1: learned A follows its start, learned B its task.
//!
//! ```text
//! cargo run --release --example figure1
//! cargo run --release --example figure1 -- --model <checkpoint folder> --data <GLUE folder>
//! ```

/// Counts the bytes on the heap, for the table's column of peaks.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::figure1())
}
