//! Benchmarks, batches, training loops, metrics and tables for adapters in Burn

pub mod base;
pub mod batch;
pub mod error;
pub mod experiment;
pub mod glue;
pub mod grammar;
pub mod memory;
pub mod metrics;
pub mod paper;
pub mod pretrain;
pub mod recipe;
pub mod run;
pub mod table;
pub mod tokenizer;
pub mod train;

#[cfg(test)]
mod scratch;

pub use base::{Base, Prepared};
pub use batch::{Batch, EncodedExample, Loader, Order, Padding};
pub use error::TaskError;
pub use experiment::{Experiment, Method, Report};
pub use glue::{Split, Task};
pub use metrics::{Confusion, Metric, Summary};
pub use recipe::{Grouping, Recipe, Tuning};
pub use run::{RunFolder, RunResult};
pub use table::Example;
pub use tokenizer::{ModelLimits, Tokenizer};
pub use train::{Session, StopSignal};
