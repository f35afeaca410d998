//! The CoLA column of the paper's Tables 1 and 10: full fine-tuning, the head alone, LoRA, and LoRA with one factor frozen.
//!
//! ```text
//! cargo run --release --example glue_cola
//! cargo run --release --example glue_cola -- --model <checkpoint folder> --data <CoLA folder>
//! ```

/// Counts the bytes on the heap, for the table's column of peaks.
#[global_allocator]
static ALLOCATOR: asym::tasks::memory::Counting = asym::tasks::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::glue(asym::tasks::Task::Cola))
}
