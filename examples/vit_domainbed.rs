//! The paper's Tables 7 and 11 to 13: a ViT is trained on one environment and tested on others, by full fine-tuning, by
//! linear probing, by LoRA, and by LoRA with one factor frozen.
//!
//! ```text
//! cargo run --release --example vit_domainbed
//! cargo run --release --example vit_domainbed -- --model <ViT checkpoint folder> --data <PACS folder>
//! ```
//!
//! Without a model and data, it trains the embedded mini ViT on drawn shapes, in a few minutes on two cores. A data
//! set of DomainBed is recognized by the names of its environments.

/// Counts the bytes on the heap for the table's column of peak memory.
#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::table_of("domainbed"))
}
