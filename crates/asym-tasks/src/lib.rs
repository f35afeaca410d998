//! Benchmarks as tasks, recipes, tables, and the metrics and generated data that they use.
//!
//! | module | holds |
//! |---|---|
//! | [`task`] | the trait of a task: its files, its batches, its loss, its scores |
//! | [`registry`] | the tasks by name: a line for each kind |
//! | [`classification`] | a user's own texts with labels |
//! | [`image_classification`] | a user's own pictures in folders of classes |
//! | [`domainbed`] | one environment to train on, others to test on |
//! | [`glue`] | GLUE: eight data sets for sequence classifiers |
//! | [`instruction`] | instructions with answers: Alpaca, and a user's own files |
//! | [`summarization`] | XSum, CNN/DailyMail, and a user's own documents with summaries |
//! | [`mmlu`] | an evaluation of Llamas: questions with four answers |
//! | [`recipe`] | the recipe file, and the configuration of one run |
//! | [`methods`] | methods as a command line names them |
//! | [`base`] | a checkpoint, read once for all runs |
//! | [`cell`] | one run: the only place that joins tasks and the loop of `asym-train` |
//! | [`sweep`] | tables of runs: methods × learning rates × seeds, made by any number of processes |
//! | [`report`] | the table, differences by seed, and the page |
//! | [`answers`] | answers of an evaluation on file |
//! | [`sets`] | the sets of a user's own tables |
//! | [`text`] | texts with labels, for all tasks on them: batches, loss, scores, answers |
//! | [`sequences`] | texts that are written from other texts: batches, loss |
//! | [`language`] | texts with labeled tokens, for all tasks on them: batches, loss, scores |
//! | [`images`] | pictures with classes, for all tasks on them: batches, loss, scores |
//! | [`metrics`] | scores on the host |
//! | [`rouge`] | ROUGE of summaries, and sentences |
//! | [`grammar`], [`drawing`], [`trivia`] | generated English, drawn pictures, and an invented world |
//! | [`pretrain`] | the pre-training of the embedded checkpoints on generated data |

pub mod answers;
pub mod base;
pub mod cell;
pub mod classification;
pub mod domainbed;
pub mod drawing;
pub mod error;
pub mod files;
pub mod glue;
pub mod grammar;
pub mod image_classification;
pub mod images;
pub mod instruction;
pub mod language;
pub mod methods;
pub mod metrics;
pub mod mmlu;
mod names;
mod paper;
pub mod pretrain;
pub mod recipe;
pub mod registry;
pub mod report;
pub mod rouge;
pub mod sequences;
pub mod sets;
mod split;
pub mod summarization;
pub mod sweep;
pub mod task;
pub mod text;
pub mod trivia;

// One file for the tests of both crates.
#[cfg(test)]
#[path = "../../asym-data/src/scratch.rs"]
mod scratch;

#[cfg(test)]
#[path = "../../../tests/common/damage.rs"]
mod damage;

pub use base::Base;
pub use cell::{Origin, PreparedTask, ReadTask, RunFacts, Session};
pub use error::TaskError;
pub use files::Files;
pub use methods::{LayerNames, Method};
pub use metrics::{Metric, Summary};
pub use names::Names;
pub use recipe::{Recipe, RecipeError, RunConfig};
pub use registry::{AnyTask, RegistryError, WithTask};
pub use report::{Choosing, Difference, Report, Row};
pub use sweep::{Cell, Experiment, Others, Ready, Sweep};
pub use task::{Kept, PaperScore, Prepared, Scale, Score, Shown, Task, TaskInfo, Unit};
pub use text::{Answer, LoadClassifier, Predictor, Problem, Target, Text, TextClassifier};
