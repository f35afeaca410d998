//! The trait of a task, and the facts that the rest of the crate knows of it.

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
    /// How it is read.
    pub unit: Unit,
}

/// How a score is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share or a correlation, which people read in percent. More is better.
    Share,
    /// A plain number, such as a loss. Lower is better.
    Cost,
}

impl Score {
    /// A score that people read in percent.
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

    /// The number that people read for a score of 1.
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
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// The ids of its tokens.
    pub input_ids: Vec<u32>,
    /// Whether each token counts in the loss.
    pub labeled: Vec<bool>,
    /// The tokens as the vocabulary spells them.
    pub tokens: Vec<String>,
}

/// A score of the paper, in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperScore {
    /// The name of the score: one of the task's, or of an evaluation of its own, such as MMLU.
    pub score: String,
    /// The mean.
    pub mean: f64,
    /// The spread that the paper prints next to it.
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

    /// The settings of training where a recipe does not say.
    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings;

    /// The scores, the headline first.
    fn scores(&self) -> Vec<Score>;

    /// The first of its scores that is in `found`: a run on held-out examples may lack those of a further test.
    fn headline(&self, found: &Scores) -> Option<Score> {
        self.scores().into_iter().find(|score| found.contains_key(&score.name))
    }

    /// The names of the layers of the model, which methods on a command line adapt. Recipes name their layers.
    fn layers(&self) -> LayerNames {
        LayerNames::BERT
    }

    /// The rows of a table that names none: those of the paper.
    fn methods(&self) -> &'static [&'static str] {
        &["full", "head", "lora-r8", "b-only-r8", "b-only-r16", "a-only-r8", "a-only-r16"]
    }

    /// The names of the classes; empty if the task has none.
    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    /// The number of outputs of the model's head; `None` if that is the checkpoint's own.
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

    /// The most tokens of an example, if the task cuts texts and the recipe or its defaults say where.
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

/// A task: its files, its batches, its loss and its scores.
///
/// To add one, write a folder beside `glue` with this trait, and its line in `tasks!` (registry/mod.rs).
pub trait Task: TaskInfo + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The name of this kind of task.
    const KIND: &'static str;

    /// The `task_type` of PEFT's adapter files.
    const PEFT_TASK: Option<&'static str>;

    /// The task's own settings, which are under `[task]` in a recipe. All are optional there. The type must deny unknown fields
    /// (`#[serde(deny_unknown_fields)]`): serde tells the names of its fields only then.
    type Options: Clone + Default + Serialize + DeserializeOwned;

    /// The model.
    type Model: PretrainedModel + 'static;

    /// The data as they were read.
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

    /// The settings of the task's own.
    fn options(&self) -> Self::Options;

    /// The same task, with defaults for the settings of its own that a recipe left out.
    fn resolved(self, scale: Scale) -> Self;

    /// Read the data.
    ///
    /// # Errors
    ///
    /// Files that are missing or damaged.
    fn read(&self, files: &Files) -> Result<Self::Data, TaskError>;

    /// The same task, with the settings of its own that the data decide, such as the names of the labels. A recipe that a run
    /// leaves has them.
    fn settled(&self, _data: &Self::Data) -> Self {
        self.clone()
    }

    /// The same data, with `share` of the training examples in the place of all those to evaluate on. Runs on them serve to choose
    /// settings, so no example of a test may be among them.
    fn hold_out(&self, data: Self::Data, share: f64) -> Self::Data;

    /// Lines on the data, for people: rows, sets, labels.
    fn describe(&self, data: &Self::Data) -> Vec<String>;

    /// Make everything ready for training on `base`. All that can be refused is refused here.
    ///
    /// # Errors
    ///
    /// A checkpoint, a tokenizer or an example that does not fit.
    fn prepare(&self, data: Self::Data, base: &Base) -> Result<Prepared<Self>, TaskError>;

    /// The training examples and the evaluation of the run with `seed`, if they depend on it: a split or an augmentation may be
    /// drawn from it. By default, all runs have those of `prepared`. The number of training examples must be the same.
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

    /// The training example `index` as the model reads it; `None` if its tokens have no labels of their own.
    ///
    /// # Errors
    ///
    /// A checkpoint without a tokenizer.
    fn shown(&self, _prepared: &Prepared<Self>, _base: &Base, _index: usize) -> Result<Option<Shown>, TaskError> {
        Ok(None)
    }

    /// Write into `folder`, which has a trained model or adapter, the files by which inputs are prepared for it: `tokenizer.json` or
    /// `preprocessor_config.json`.
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

/// The kind of weights that a run keeps in its folder.
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
    /// Lines on the prepared data, for people: lengths, an example as the model reads it.
    pub notes: Vec<String>,
}
