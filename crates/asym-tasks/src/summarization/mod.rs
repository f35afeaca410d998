//! Summarization: XSum, CNN/DailyMail, and a user's own documents with summaries, with a BART model.
//!
//! ```toml
//! tasks = ["summarization"]
//! data = "reports.csv"            # a file, a folder with a training set, or a name on the Hub
//!
//! [task]
//! text = "report"                 # the column of the documents
//! summary = "abstract"            # the column of the summaries
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `benchmark.rs` | the two benchmarks: columns, lengths, beams, settings of training |
//! | `options.rs` | the settings of the task |
//! | `files.rs` | documents and summaries from files |
//! | `generated.rs` | reports with summaries for a task without files |
//! | `generate.rs` | summaries by beam search, with a file of answers |
//! | `evaluate.rs` | the scores within a run |
//! | `paper.rs` | the paper's scores |
//! | `task.rs` | summarization as a task |

mod benchmark;
mod error;
mod evaluate;
mod files;
mod generate;
mod generated;
mod options;
mod paper;
mod task;
#[cfg(test)]
mod tests;

pub use benchmark::Benchmark;
pub use error::SummarizationError;
pub use evaluate::SummaryEvaluation;
pub use files::{Document, Documents};
pub use generate::{Questions, Summarizer, SummaryAnswer, SummaryScores, Written, scores};
pub use options::SummarizationOptions;
pub use paper::{SummarizationCell, summarization_cells};
pub use task::{Summarization, SummarizationData};
