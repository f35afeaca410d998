//! The paper's Tables 3 and 8: a Llama is trained on instructions and evaluated on MMLU.
//!
//! ```text
//! cargo run --release --example llama_mmlu
//! cargo run --release --example llama_mmlu -- --model <Llama checkpoint folder> --data <alpaca_data.json> task.mmlu=<MMLU folder>
//! ```
//!
//! Without a model and data, it trains the embedded mini Llama on instructions about an invented world, in about five
//! minutes on two cores. `asym evaluate mmlu` evaluates other models on the same questions.

/// Counts the bytes on the heap for the table's column of peak memory.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::table_of("alpaca"))
}
