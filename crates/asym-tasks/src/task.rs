//! The trait of a task, and the information about a task that the other modules use.

use std::path::Path;
use std::sync::Arc;

use asym_models::PretrainedModel;
use asym_train::{Evaluation, Objective, Scores, Source, TrainSettings, Tuning};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::images::Sheet;
use crate::methods::LayerNames;
use crate::text::Problem;

/// The size of the model that is trained, on which the defaults of a task depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The paper's models and data.
    Paper,
    /// The embedded checkpoint and generated data: a few minutes.
    Embedded,
}

/// A score that a run reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// The name in results and tables.
    pub name: String,
    /// The unit of the score.
    pub unit: Unit,
}

/// The unit of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A fraction or a correlation, which is shown in percent. Higher is better.
    Share,
    /// A plain number, such as a loss. Lower is better.
    Cost,
}

impl Score {
    /// A score that is shown in percent.
    pub fn share(name: impl ToString) -> Self {
        Self { name: name.to_string(), unit: Unit::Share }
    }

    /// A score that is shown unchanged, and for which lower is better.
    pub fn cost(name: impl ToString) -> Self {
        Self { name: name.to_string(), unit: Unit::Cost }
    }

    /// The name with the unit, for the head of a column.
    pub fn heading(&self) -> String {
        match self.unit {
            Unit::Share => format!("{} %", self.name),
            Unit::Cost => self.name.clone(),
        }
    }

    /// The factor by which the score is multiplied in tables.
    pub const fn factor(&self) -> f64 {
        match self.unit {
            Unit::Share => 100.0,
            Unit::Cost => 1.0,
        }
    }

    /// The number of digits after the decimal point in tables.
    pub const fn digits(&self) -> usize {
        match self.unit {
            Unit::Share => 1,
            Unit::Cost => 4,
        }
    }
}

/// A training example as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// The ids of the tokens.
    pub input_ids: Vec<u32>,
    /// Whether each token contributes to the loss.
    pub labeled: Vec<bool>,
    /// The tokens, as in the vocabulary.
    pub tokens: Vec<String>,
}

/// A score of the paper, in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperScore {
    /// The name of the score: a score of the task, or of a separate evaluation such as MMLU.
    pub score: String,
    /// The mean.
    pub mean: f64,
    /// The spread that the paper prints next to the mean.
    pub std: Option<f64>,
    /// The number of the table.
    pub table: String,
}

/// The information about a task that needs neither a model nor data. Tables, recipes and commands use only this
/// information.
pub trait TaskInfo {
    /// The name in recipes and on the command line: `mrpc`.
    fn name(&self) -> String;

    /// The name in tables: `MRPC`.
    fn title(&self) -> String {
        self.name()
    }

    /// The default settings of training.
    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings;

    /// The scores, beginning with the headline score.
    fn scores(&self) -> Vec<Score>;

    /// The first score of the task that is in `found`. A run on held-out examples may lack the scores of a separate test.
    fn headline(&self, found: &Scores) -> Option<Score> {
        self.scores().into_iter().find(|score| found.contains_key(&score.name))
    }

    /// The names of the layers of the model that the methods on a command line adapt. A recipe names its layers itself.
    fn layers(&self) -> LayerNames {
        LayerNames::BERT
    }

    /// The default methods of a table, which are those of the paper.
    fn methods(&self) -> &'static [&'static str] {
        &["full", "head", "lora-r8", "b-only-r8", "b-only-r16", "a-only-r8", "a-only-r16"]
    }

    /// The names of the classes; empty if the task has none.
    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    /// The number of outputs of the model's head; `None` if the head is that of the checkpoint.
    fn outputs(&self) -> Option<usize> {
        None
    }

    /// The kind of answers to a text; `None` if the task does not label texts.
    fn problem(&self) -> Option<Problem> {
        None
    }

    /// Whether an example is a pair of texts; `None` if it is not a text to classify.
    fn is_pair(&self) -> Option<bool> {
        None
    }

    /// The maximum number of tokens of an example, if the task truncates texts and the recipe or the task sets a maximum.
    fn max_length(&self) -> Option<usize> {
        None
    }

    /// The paper's scores of `tuning`, if the paper has any.
    fn paper(&self, _tuning: &Tuning) -> Vec<PaperScore> {
        Vec::new()
    }

    /// The model whose scores the paper reports.
    fn paper_model(&self) -> Option<&'static str> {
        None
    }
}

/// A task, with its files, batches, loss and scores.
///
/// To add a task, write a module next to `glue` that implements this trait, and add a line to `tasks!` (registry/mod.rs).
pub trait Task: TaskInfo + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The name of this kind of task.
    const KIND: &'static str;

    /// The `task_type` of PEFT's adapter files.
    const PEFT_TASK: Option<&'static str>;

    /// The settings of the task, which are under `[task]` in a recipe. All of them are optional. The type must deny unknown
    /// fields (`#[serde(deny_unknown_fields)]`), because serde lists the names of the fields only in the error for an unknown
    /// field.
    type Options: Clone + Default + Serialize + DeserializeOwned;

    /// The model.
    type Model: PretrainedModel + 'static;

    /// The data that were read.
    type Data;

    /// The training examples.
    type Source: Source + 'static;

    /// The loss.
    type Objective: Objective<Model = Self::Model, Batch = <Self::Source as Source>::Batch>;

    /// The scores.
    type Evaluation: Evaluation<Self::Model> + Clone;

    /// The names of the tasks of this kind.
    fn names() -> Vec<String>;

    /// The task called `name`; `None` if there is none.
    fn named(name: &str, options: Self::Options) -> Option<Self>;

    /// The settings of the task.
    fn options(&self) -> Self::Options;

    /// The same task, with defaults for the settings that a recipe left out.
    fn resolved(self, scale: Scale) -> Self;

    /// Read the data.
    ///
    /// # Errors
    ///
    /// Files that are missing or damaged.
    fn read(&self, files: &Files) -> Result<Self::Data, TaskError>;

    /// The same task, with the settings that follow from the data, such as the names of the labels. The recipe in a run's folder
    /// contains them.
    fn settled(&self, _data: &Self::Data) -> Self {
        self.clone()
    }

    /// The same data, with the fraction `share` of the training examples in place of the evaluation set. Runs on these data serve
    /// to choose settings, so they must not contain examples of a test set.
    fn hold_out(&self, data: Self::Data, share: f64) -> Self::Data;

    /// Notes on the data for the user: rows, sets, labels.
    fn describe(&self, data: &Self::Data) -> Vec<String>;

    /// Prepare everything for training on `base`. Invalid input is refused here, and not during training.
    ///
    /// # Errors
    ///
    /// A checkpoint, a tokenizer or an example that does not fit.
    fn prepare(&self, data: Self::Data, base: &Base) -> Result<Prepared<Self>, TaskError>;

    /// The training examples and the evaluation of the run with `seed`. They may depend on the seed, for example in a split or an
    /// augmentation. By default, all runs have those of `prepared`. The number of training examples must be the same for all
    /// seeds.
    fn of_run(&self, prepared: &Prepared<Self>, _seed: u64) -> (Arc<Self::Source>, Self::Evaluation) {
        (Arc::clone(&prepared.train), prepared.evaluation.clone())
    }

    /// Training examples of the run with `seed`, as the model receives them, up to `columns` of each class; `None` if they are
    /// not pictures.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read.
    fn sheet(&self, _prepared: &Prepared<Self>, _seed: u64, _columns: usize) -> Result<Option<Sheet>, TaskError> {
        Ok(None)
    }

    /// The training example `index` as the model reads it; `None` if the task does not label single tokens.
    ///
    /// # Errors
    ///
    /// A checkpoint without a tokenizer.
    fn shown(&self, _prepared: &Prepared<Self>, _base: &Base, _index: usize) -> Result<Option<Shown>, TaskError> {
        Ok(None)
    }

    /// Write the file that prepares inputs, `tokenizer.json` or `preprocessor_config.json`, into `folder`, which contains a
    /// trained model or adapter.
    ///
    /// # Errors
    ///
    /// [`TaskError::Io`], and a checkpoint without such a file.
    fn save_inputs(&self, base: &Base, kept: Kept, folder: &Path) -> Result<(), TaskError>;

    /// The model with the task's names for its labels.
    fn label(&self, model: Self::Model) -> Self::Model {
        model
    }
}

/// The kind of weights that a run saves in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// An adapter, which needs its base.
    Adapter,
    /// A whole model.
    Model,
}

/// A task's data, ready for training.
pub struct Prepared<T: Task> {
    /// The training examples.
    pub train: Arc<T::Source>,
    /// The loss.
    pub objective: T::Objective,
    /// The scores.
    pub evaluation: T::Evaluation,
    /// Notes on the prepared data for the user: lengths, an example as the model reads it.
    pub notes: Vec<String>,
}
