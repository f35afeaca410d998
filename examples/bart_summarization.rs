//! The paper's Tables 2, 6 and 9: a BART learns to summarize, by full fine-tuning, by LoRA, and by LoRA with one factor frozen.
//!
//! ```text
//! cargo run --release --example bart_summarization
//! cargo run --release --example bart_summarization -- --task xsum --model facebook/bart-large \
//!     --data EdinburghNLP/xsum@refs/convert/parquet
//! ```
//!
//! Without a model and data, it trains the embedded mini BART on generated reports, in a few minutes on two cores.

/// Counts the bytes on the heap for the table's column of peak memory.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::table_of("summarization"))
}
