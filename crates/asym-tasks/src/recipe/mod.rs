//! A recipe file: the tasks, the seeds, the settings of training, and the parameters that are trained.
//!
//! ```toml
//! model = "FacebookAI/roberta-large"      # a folder or a name on the Hub; without it, the embedded checkpoint
//! data = "nyu-mll/glue"                   # a folder or a name on the Hub; without it, generated data
//! tasks = ["mrpc", "rte"]
//! seeds = [1, 2, 3]
//!
//! [task]                                  # settings of the tasks
//! max_length = 128
//!
//! [training]                              # settings of training: see asym_train::TrainSettings
//! epochs = 3
//!
//! [tuning.adapter]                        # or tuning = "full", or tuning = "head"
//! method = "lora"
//! rank = 8
//! a = { init = "orthonormal", train = false }
//! b = { init = "zero", train = true }
//! targets = ["query", "value"]
//! ```
//!
//! For a single task, `task = { classification = { text = "review", label = "stars" } }` replaces both `tasks` and `[task]`. With
//! `new_head = true`, the head is initialized from the seed even if the checkpoint has one.
//!
//! With `learning_rate = [1e-4, 3e-4, 1e-3]`, there is a run for each rate on 80 % of the training examples, and the rate with
//! the best score on the remaining 20 % is chosen. The final run uses this rate, all training examples, and the evaluation set of
//! the task. `hold_out` sets a fraction other than 0.2.
//!
//! A setting that is left out has the default of the task. [`Recipe::runs`] fills in the defaults, so a [`RunConfig`] is
//! complete. The folder of a run contains the complete recipe of this single run, with which the run can be repeated.

mod change;
pub(crate) mod error;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::path::Path;

use asym_train::{TrainError, TrainSettings, Tuning};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use self::error::RecipeError;
use crate::names::{fields, nearest, unknown};
use crate::registry::AnyTask;
use crate::split::DEV_SHARE;
use crate::task::Scale;

/// The setting that may be a list.
const LEARNING_RATE: &str = "learning_rate";

/// A recipe file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
pub struct Recipe {
    /// Folder of a checkpoint, or its name on the Hub. Without it, the embedded checkpoint is used.
    pub model: Option<String>,
    /// Folder of the data, or its name on the Hub. Without it, the tasks generate data.
    pub data: Option<String>,
    /// The tasks. Each task has one run per seed.
    pub tasks: Vec<AnyTask>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The settings of training in the recipe.
    pub training: Table,
    /// The part of the model that is trained.
    pub tuning: Tuning,
    /// Whether the head is initialized from the seed even if the checkpoint has one.
    pub new_head: bool,
    /// The learning rates, if the recipe lists several. The best one is chosen for each seed.
    pub learning_rates: Vec<f64>,
    /// The fraction of the training examples that replaces the evaluation set. With several learning rates, it does so only in
    /// the runs that choose a rate.
    pub hold_out: Option<f64>,
}

/// Two recipes are equal if they define the same runs, whether a default is written out or not.
impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        (&self.model, &self.data) == (&other.model, &other.data)
            && self.learning_rates == other.learning_rates
            && self.share() == other.share()
            && self.runs().eq(other.runs())
    }
}

/// The complete configuration of one run, except for the model and the data.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    /// The task.
    pub task: AnyTask,
    /// The settings of training, including the seed.
    pub training: TrainSettings,
    /// The part of the model that is trained.
    pub tuning: Tuning,
    /// Whether the head is initialized from the seed even if the checkpoint has one.
    pub new_head: bool,
    /// The fraction of the training examples that replaces the evaluation set.
    pub hold_out: Option<f64>,
}

impl RunConfig {
    /// Check everything that can be checked without the model and the data.
    ///
    /// # Errors
    ///
    /// The errors of [`TrainSettings::validate`].
    pub fn validate(&self) -> Result<(), TrainError> {
        self.training.validate(&self.tuning)
    }
}

/// The structure of the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    tasks: Vec<String>,
    seeds: Vec<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    new_head: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold_out: Option<f64>,
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    task: Table,
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    training: Table,
    // Last, because an adapter is a table, and tables follow values in TOML.
    tuning: Tuning,
}

impl Recipe {
    /// Read the recipe in the file at `path`, and apply `changes` of the form `key=value`.
    ///
    /// # Errors
    ///
    /// [`RecipeError::Io`], and the errors of [`parse`](Self::parse).
    pub fn read(path: &Path, changes: &[String]) -> Result<Self, RecipeError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| RecipeError::Io { path: path.to_path_buf(), source })?;
        Self::parse(path, &text, changes)
    }

    /// Parse the recipe in `text`, and apply `changes` of the form `key=value`. Errors contain `path`. A key within a table has
    /// dots, as in `tuning.adapter.rank=4`, but the settings of `training` may be given without their table, as in `epochs=3`. A
    /// value that is not valid TOML is a string. The lists `tasks` and `seeds` may be written with commas and without brackets.
    ///
    /// # Errors
    ///
    /// The errors of [`RecipeError`].
    pub fn parse(path: &Path, text: &str, changes: &[String]) -> Result<Self, RecipeError> {
        let mut table: Table = toml::from_str(text).map_err(|error| refused(path, &error))?;
        change::refuse_renamed(path, &table)?;
        let settings = fields::<TrainSettings>();
        for change in changes {
            change::set(&mut table, change, &settings)?;
        }
        change::refuse_renamed(path, &table)?;
        change::unnest(&mut table);
        let is_change =
            |name: &str| changes.iter().any(|change| change.split('=').next().is_some_and(|key| key.trim() == name));
        let file: File = table.try_into().map_err(|error| match refused(path, &error) {
            // A change may name a setting of `training` without its table.
            RecipeError::Unknown { path, found, nearest: None, known } if is_change(&found) => {
                let nearest = nearest(&found, settings.iter().map(String::as_str)).map(ToOwned::to_owned);
                RecipeError::Unknown { path, found, nearest, known }
            }
            error => error,
        })?;
        file.recipe(path)
    }

    /// A recipe of one task, with the task's defaults for all other settings.
    pub fn new(model: Option<String>, data: Option<String>, task: AnyTask, seeds: Vec<u64>, tuning: Tuning) -> Self {
        Self {
            model,
            data,
            tasks: vec![task],
            seeds,
            training: Table::new(),
            tuning,
            new_head: false,
            learning_rates: Vec::new(),
            hold_out: None,
        }
    }

    /// The complete recipe of one run.
    pub fn of(run: &RunConfig, model: Option<String>, data: Option<String>) -> Self {
        Self {
            training: table_of(&run.training),
            new_head: run.new_head,
            hold_out: run.hold_out,
            ..Self::new(model, data, run.task.clone(), vec![run.training.seed], run.tuning.clone())
        }
    }

    /// Set the number of epochs, if it is given.
    pub fn set_epochs(&mut self, epochs: Option<usize>) {
        if let Some(epochs) = epochs {
            self.training.insert("epochs".to_string(), Value::Integer(epochs as i64));
        }
    }

    /// The size of the model, on which the tasks' defaults depend.
    pub fn scale(&self) -> Scale {
        if self.model.is_some() { Scale::Paper } else { Scale::Embedded }
    }

    /// The configuration of a run of `task` with `tuning` and `seed`. Settings that the recipe leaves out have the defaults of
    /// the task.
    pub fn run(&self, task: &AnyTask, tuning: &Tuning, seed: u64) -> RunConfig {
        let defaults = task.defaults(self.scale(), tuning);
        // The settings were already parsed with other defaults, so this cannot fail.
        let training = merged(&defaults, &self.training).unwrap_or(defaults);
        RunConfig {
            task: task.resolved(self.scale()),
            training: TrainSettings { seed, ..training },
            tuning: tuning.clone(),
            new_head: self.new_head,
            hold_out: self.hold_out.filter(|_| self.learning_rates.is_empty()),
        }
    }

    /// The fraction of the training examples that is held out, to choose a learning rate or to evaluate runs with a single
    /// learning rate.
    pub fn share(&self) -> Option<f64> {
        self.hold_out.or_else(|| (!self.learning_rates.is_empty()).then_some(DEV_SHARE))
    }

    /// All runs, task by task.
    pub fn runs(&self) -> impl Iterator<Item = RunConfig> {
        let run = move |task| self.seeds.iter().map(move |seed| self.run(task, &self.tuning, *seed));
        self.tasks.iter().flat_map(run)
    }
}

impl File {
    fn recipe(self, path: &Path) -> Result<Recipe, RecipeError> {
        let Self { model, data, tasks, seeds, new_head, hold_out, task, mut training, tuning } = self;
        for (field, empty) in [("tasks", tasks.is_empty()), ("seeds", seeds.is_empty())] {
            if empty {
                return Err(RecipeError::Empty { field });
            }
        }
        let learning_rates = match training.get(LEARNING_RATE) {
            Some(Value::Array(listed)) => {
                let rates = listed.clone().into_iter().map(f64_of).collect::<Option<Vec<f64>>>();
                training.remove(LEARNING_RATE);
                rates.filter(|rates| !rates.is_empty()).ok_or(RecipeError::Empty { field: LEARNING_RATE })?
            }
            _ => Vec::new(),
        };
        once(LEARNING_RATE, &learning_rates)?;
        if let Some(found) = hold_out.filter(|share| !(*share > 0.0 && *share < 1.0)) {
            return Err(RecipeError::HoldOut { found });
        }
        merged(&TrainSettings::default(), &training).map_err(|error| refused(path, &error))?;
        // A list with one rate is equivalent to the rate itself.
        let learning_rates = match learning_rates.as_slice() {
            [one] => {
                training.insert(LEARNING_RATE.to_string(), Value::Float(*one));
                Vec::new()
            }
            _ => learning_rates,
        };
        let named = |name: &String| {
            AnyTask::named(name, &task)
                .map_err(|source| RecipeError::Task { path: path.to_path_buf(), source: Box::new(source) })
        };
        let tasks: Vec<AnyTask> = tasks.iter().map(named).collect::<Result<_, _>>()?;
        once("tasks", tasks.iter().map(|task| task.name()))?;
        once("seeds", &seeds)?;
        Ok(Recipe { model, data, tasks, seeds, training, tuning, new_head, learning_rates, hold_out })
    }
}

impl TryFrom<File> for Recipe {
    type Error = RecipeError;

    fn try_from(file: File) -> Result<Self, RecipeError> {
        file.recipe(Path::new("recipe.toml"))
    }
}

impl From<Recipe> for File {
    fn from(recipe: Recipe) -> Self {
        let Recipe { model, data, tasks, seeds, mut training, tuning, new_head, learning_rates, hold_out } = recipe;
        if !learning_rates.is_empty() {
            training.insert(LEARNING_RATE.to_string(), Value::from(learning_rates));
        }
        let task = tasks.first().map(AnyTask::options).unwrap_or_default();
        let tasks = tasks.iter().map(|task| task.name()).collect();
        Self { model, data, tasks, seeds, new_head, hold_out, task, training, tuning }
    }
}

/// `settings` with the values of `changes`.
fn merged(settings: &TrainSettings, changes: &Table) -> Result<TrainSettings, toml::de::Error> {
    let mut table = table_of(settings);
    table.extend(changes.clone());
    table.try_into()
}

/// A TOML number, with or without a decimal point.
fn f64_of(value: Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

fn table_of(settings: &TrainSettings) -> Table {
    Table::try_from(settings).unwrap_or_default()
}

/// Refuse an item that is listed twice.
pub(crate) fn once<T: ToString>(field: &'static str, items: impl IntoIterator<Item = T>) -> Result<(), RecipeError> {
    let mut seen = std::collections::HashSet::new();
    for item in items.into_iter().map(|item| item.to_string()) {
        if !seen.insert(item.clone()) {
            return Err(RecipeError::Repeated { field, found: item });
        }
    }
    Ok(())
}

/// Convert an error of serde. If it is about an unknown name, add the most similar known name.
fn refused(path: &Path, error: &toml::de::Error) -> RecipeError {
    let path = path.to_path_buf();
    match unknown(error.message()) {
        Some((found, known)) => {
            let nearest = nearest(&found, known.iter().map(String::as_str)).map(ToOwned::to_owned);
            RecipeError::Unknown { path, found, nearest, known }
        }
        None => RecipeError::Toml { path, source: Box::new(error.clone()) },
    }
}
