//! Tasks for benchmarks, recipes and result tables, with the metrics and generated data that they use.
//!
//! | module | contents |
//! |---|---|
//! | [`task`] | the trait of a task, with its files, batches, loss and scores |
//! | [`registry`] | the tasks by name, one line for each kind of task |
//! | [`classification`] | a user's own texts with labels |
//! | [`image_classification`] | a user's own pictures, one folder per class |
//! | [`domainbed`] | training on the pictures of one environment, testing on those of other environments |
//! | [`glue`] | GLUE: eight data sets for sequence classifiers |
//! | [`instruction`] | instructions with answers: Alpaca, and a user's own files |
//! | [`summarization`] | XSum, CNN/DailyMail, and a user's own documents with summaries |
//! | [`mmlu`] | an evaluation of Llama models on questions with four answers |
//! | [`recipe`] | the recipe file, and the configuration of one run |
//! | [`methods`] | fine-tuning methods by their names on the command line |
//! | [`base`] | a checkpoint, read once for all runs |
//! | [`cell`] | one run: the only module that connects tasks with the training loop of `asym-train` |
//! | [`sweep`] | grids of runs: methods × learning rates × seeds, executed by any number of processes |
//! | [`report`] | the result table, differences by seed, and the HTML page |
//! | [`answers`] | files with the answers of an evaluation |
//! | [`sets`] | training and evaluation sets in a user's own tables |
//! | [`text`] | texts with labels: batches, loss, scores and answers for all such tasks |
//! | [`sequences`] | texts that are generated from other texts: batches and loss |
//! | [`language`] | texts with labeled tokens: batches, loss and scores for all such tasks |
//! | [`images`] | pictures with classes: batches, loss and scores for all such tasks |
//! | [`metrics`] | metrics, computed on the host |
//! | [`rouge`] | ROUGE scores of summaries, and sentence splitting |
//! | [`grammar`], [`drawing`], [`trivia`] | generated English, drawn pictures, and questions about an invented world |
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

// The tests of both crates share this file.
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
