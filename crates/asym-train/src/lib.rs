//! A training loop for adapted Burn models.
//!
//! | to | see |
//! |---|---|
//! | train a model with your own objective and evaluation | [`fit`] |
//! | train with burn-train: its dashboard, metrics and interrupter | [`FineTuning`] |
//! | choose learning rate, schedule, weight decay, accumulation, clipping | [`TrainSettings`] |
//! | choose what is trained: the whole model, the head, or an adapter | [`Tuning`] |
//! | make batches of examples, or of a Burn `Dataset` | [`Source`], [`DatasetSource`], [`Loader`] |
//! | write a folder per run, and continue a run that was killed | [`RunFolder`], [`State::resume`] |
//! | measure memory | [`memory`] |
//!
//! Progress and warnings are messages of the `log` crate. If the logger enables level info and standard error is a terminal, a
//! run shows a progress bar in place of progress messages.
//!
//! The crate handles modules, gradients, optimizers, run folders and time. It contains no model classes, tokenizers or metrics.

mod ahead;
mod batch;
mod checkpoint;
mod claim;
mod clip;
mod error;
mod evaluation;
mod fit;
mod folder;
mod loader;
mod log;
pub mod memory;
mod method;
mod objective;
mod order;
mod pace;
mod parameters;
mod past;
mod progress;
mod result;
mod run;
mod schedule;
mod settings;
mod state;
mod stop;
mod strategy;
mod surroundings;
mod tuning;

pub use batch::{Batch, DatasetSource, Source};
pub use checkpoint::Checkpoint;
pub use claim::Worker;
pub use clip::clip_by_global_norm;
pub use error::{Change, TrainError};
pub use evaluation::{EvalRoom, Evaluation, Scores};
pub use fit::fit;
pub use folder::{Environment, Existing, Opened, RunFolder, RunState, agree, amend, new_folder};
pub use loader::{Batches, Loader};
pub use log::Epoch;
pub use objective::Objective;
pub use order::Order;
pub use pace::Pace;
pub use result::RunResult;
pub use run::{Keep, Outcome, Run};
pub use schedule::{LinearWarmup, LrSchedulerType};
pub use settings::{Dtype, TrainSettings};
pub use state::{Optimized, Position, State};
pub use stop::StopSignal;
pub use strategy::FineTuning;
pub use tuning::Tuning;
