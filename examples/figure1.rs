//! The paper's Figure 1: the learned A depends on the initialization, and the learned B depends on the task.
//!
//! ```text
//! cargo run --release --example figure1
//! cargo run --release --example figure1 -- --model <checkpoint folder> --data <GLUE folder>
//! ```

/// Counts the bytes on the heap for the table's column of peak memory.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::figure1())
}
