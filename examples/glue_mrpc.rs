//! The MRPC column of the paper's Tables 1 and 10: full fine-tuning, head-only training, LoRA, and LoRA with one factor
//! frozen.
//!
//! ```text
//! cargo run --release --example glue_mrpc
//! cargo run --release --example glue_mrpc -- --model <checkpoint folder> --data <MRPC folder>
//! ```

/// Counts the bytes on the heap for the table's column of peak memory.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::table_of("mrpc"))
}
