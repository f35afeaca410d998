//! Benchmarks, batches, training loops, metrics and tables for adapters in Burn

pub mod base;
pub mod batch;
pub mod error;
pub mod experiment;
pub mod glue;
pub mod grammar;
pub mod hub;
pub mod image_processor;
pub mod memory;
pub mod metrics;
pub mod paper;
pub mod plan;
pub mod predict;
pub mod pretrain;
pub mod recipe;
pub mod report;
pub mod run;
pub mod table;
pub mod tokenizer;
pub mod train;

#[cfg(test)]
mod scratch;

pub use base::{Base, Prepared};
pub use batch::{Batch, EncodedExample, Loader, Order, Padding, Targets};
pub use error::TaskError;
pub use experiment::{Experiment, Method};
pub use glue::{Part, Settings, Split, Task};
pub use hub::{Hub, HubOptions};
pub use image_processor::{ImageError, ImageProcessor, Pixels};
pub use metrics::{Metric, Summary};
pub use plan::Plan;
pub use predict::{Answer, Predictor};
pub use recipe::{Grouping, Recipe, Tuning};
pub use report::{Report, Row};
pub use run::{RunFolder, RunResult};
pub use table::{Answers, Example, Target};
pub use tokenizer::{ModelLimits, Tokenizer};
pub use train::{Origin, Pace, Session, StopSignal};
