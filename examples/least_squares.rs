//! The paper's Lemmas 3.1 and 3.2 and its Theorem 3.3 as figures: when is a frozen random A better than a frozen random
//! B?
//!
//! ```text
//! cargo run --release --example least_squares
//! ```

fn main() -> std::process::ExitCode {
    asym::cli::exit(asym::cli::least_squares())
}
