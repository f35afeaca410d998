//! Tables of runs: methods × learning rates × seeds on each task, one folder for each run.
//!
//! A [`Sweep`] consists of [`Experiment`]s, one for each task of each recipe. Its [`Cell`]s are the runs. `asym table` is a sweep
//! of one experiment with several methods, `asym run` is a sweep of one recipe, and `asym sweep` is a sweep of many recipes,
//! which any number of processes can execute together.

mod cells;
pub mod grid;
mod make;
pub mod shell;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use asym_train::{Dtype, Existing, RunFolder, Tuning};
use toml::{Table, Value};

pub use self::cells::Cell;
pub use self::make::Others;
use crate::cell::{PreparedTask, RunFacts};
use crate::error::TaskError;
use crate::methods::Method;
use crate::recipe::{Recipe, RunConfig, once};
use crate::registry::AnyTask;

/// Every method with every seed on one task.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The task.
    pub task: AnyTask,
    /// The seeds and the settings. Its tasks and its tuning are not used.
    pub recipe: Recipe,
    /// The rows of the table.
    pub methods: Vec<Method>,
    /// The learning rate of full fine-tuning, if it differs from that of the recipe.
    pub full_learning_rate: Option<f64>,
    /// The folder of the runs, relative to the folder of the sweep; empty if both are the same.
    pub folder: String,
    /// The name of the file with the settings that the runs share, in the folder of the runs.
    pub settings: String,
}

/// The value of [`Experiment::settings`] for a folder with the runs of one table.
pub const SETTINGS: &str = "table.toml";

/// Experiments that are executed together.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The experiments, in the order of the rows.
    pub experiments: Vec<Experiment>,
    /// The name of the row with which the other rows of its task are compared, seed by seed, below the table.
    pub reference: Option<String>,
    /// The folder for all runs.
    pub output: PathBuf,
    /// Whether existing runs in `output` are used: finished runs are kept, and other runs are continued or trained.
    pub existing: Existing,
    /// The treatment of runs that other processes are working on.
    pub others: Others,
}

/// The task of an experiment with its data and its model: with all data and, for the choice of a learning rate, with a part of
/// the training examples held out.
#[derive(Clone, Copy)]
pub struct Ready<'a> {
    /// For the runs that the table shows.
    pub whole: &'a dyn PreparedTask,
    /// For the runs that choose a learning rate.
    pub choosing: &'a dyn PreparedTask,
}

impl Experiment {
    /// The experiment of a recipe on one of its tasks, with one row called `name`.
    pub fn of_recipe(name: &str, recipe: &Recipe, task: &AnyTask) -> Self {
        Self {
            task: task.clone(),
            recipe: recipe.clone(),
            methods: vec![Method { name: name.to_string(), tuning: recipe.tuning.clone() }],
            full_learning_rate: None,
            folder: task.name(),
            settings: format!("{name}.{SETTINGS}"),
        }
    }

    /// A run of the table, with the learning rate of the recipe.
    pub fn run_config(&self, method: &Method, seed: u64) -> RunConfig {
        let mut run = self.recipe.run(&self.task, &method.tuning, seed);
        if let (Tuning::Full, Some(learning_rate)) = (&method.tuning, self.full_learning_rate) {
            run.training.learning_rate = learning_rate;
        }
        run
    }

    /// A run with this learning rate of the list: if `decides`, a run that serves to choose a rate, otherwise the final run with
    /// the best rate.
    fn run_with(&self, method: &Method, seed: u64, learning_rate: f64, decides: bool) -> RunConfig {
        let mut run = self.run_config(method, seed);
        run.training.learning_rate = learning_rate;
        run.hold_out = self.recipe.share().filter(|_| decides);
        run
    }

    /// The learning rates from which one is chosen for `method`; empty if the method has a single learning rate.
    pub fn learning_rates(&self, method: &Method) -> &[f64] {
        let is_given = method.tuning == Tuning::Full && self.full_learning_rate.is_some();
        if is_given { &[] } else { &self.recipe.learning_rates }
    }

    /// The fractions of the training examples that are held out: first in the runs that the table shows, then in the runs that
    /// choose a learning rate.
    pub fn hold_outs(&self) -> [Option<f64>; 2] {
        if self.recipe.learning_rates.is_empty() { [self.recipe.hold_out; 2] } else { [None, self.recipe.share()] }
    }

    /// The task, with the settings that the runs use.
    pub fn run_task(&self) -> AnyTask {
        self.task.resolved(self.recipe.scale())
    }

    /// The dtype of the frozen weights in every run.
    pub fn dtype(&self) -> Dtype {
        self.recipe.run(&self.task, &self.recipe.tuning, 0).training.dtype
    }

    /// Check everything that can be checked without the model and the data.
    fn validate(&self) -> Result<(), TaskError> {
        once("methods", self.methods.iter().map(|method| &method.name))?;
        once("seeds", &self.recipe.seeds)?;
        for method in &self.methods {
            self.run_config(method, 0).validate()?;
            for rate in self.learning_rates(method) {
                self.run_with(method, 0, *rate, true).validate()?;
            }
        }
        Ok(())
    }

    /// Notes for the user: the trained parameters and the scale of each method, and the parameters that the checkpoint lacks or
    /// that the task does not use.
    fn facts(&self, ready: Ready<'_>) -> Result<Vec<String>, TaskError> {
        let (mut lines, mut drawn, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
        for method in &self.methods {
            let seed = self.recipe.seeds.first().copied().unwrap_or_default();
            let mut facts = ready.whole.check(&self.run_config(method, seed))?;
            // A shorter training set has fewer steps, which a method may refuse.
            if let Some(rate) = self.learning_rates(method).first() {
                let of_choice = ready.choosing.check(&self.run_with(method, seed, *rate, true))?;
                facts.steps = facts.steps.max(of_choice.steps);
            }
            let RunFacts { initialized, left_out, trained, total, steps } = facts;
            let share = 100.0 * trained as f64 / total.max(1) as f64;
            let scale = scale(&method.tuning).map_or_else(String::new, |scale| format!(", scale {scale}"));
            lines.push(format!(
                "{}: {trained} of {total} parameters are trained ({share:.3} %){scale}; {steps} steps",
                method.name
            ));
            (drawn, ignored) = (initialized, left_out);
        }
        if !ignored.is_empty() {
            lines.push(format!(
                "{}: the checkpoint has {}, which this task does not use: left out",
                self.task,
                ignored.join(", ")
            ));
        }
        if !drawn.is_empty() {
            let (task, drawn) = (&self.task, drawn.join(", "));
            lines.push(format!("{task}: the checkpoint lacks {drawn}; each seed initializes them"));
        }
        Ok(lines)
    }

    /// The settings that the runs have in common.
    fn common(&self, ready: Ready<'_>) -> Table {
        // The method and the seed differ between runs, and a method may have a separate learning rate.
        let run = self.recipe.run(&self.task, &Tuning::Head, 0);
        let mut recipe = ready.whole.recipe(&run);
        recipe.training.remove("learning_rate");
        recipe.hold_out = self.recipe.share();
        let listed = &self.recipe.learning_rates;
        let given = self.recipe.training.get("learning_rate").cloned();
        let given = if listed.is_empty() { given } else { Some(Value::from(listed.clone())) };
        let full = self.full_learning_rate.map(Value::from);
        let mut settings = Table::try_from(&recipe).unwrap_or_default();
        for key in ["tuning", "seeds"] {
            settings.remove(key);
        }
        for (key, rate) in [("learning_rate", given), ("full_learning_rate", full)] {
            settings.extend(rate.map(|rate| (key.to_string(), rate)));
        }
        settings
    }
}

impl Sweep {
    /// Check everything that can be checked without the model and the data.
    ///
    /// # Errors
    ///
    /// Invalid settings of a run, a method, a recipe or a seed that is listed twice, and an unknown reference.
    pub fn validate(&self) -> Result<(), TaskError> {
        self.experiments.iter().try_for_each(Experiment::validate)?;
        let rows = self.experiments.iter().flat_map(|experiment| {
            let row = |method: &Method| [experiment.folder.as_str(), &method.name].join("/");
            experiment.methods.iter().map(row)
        });
        once("recipes", rows)?;
        // The name of a recipe may be the same as that of a run in which another recipe tries a learning rate.
        once("runs", self.cells().iter().map(|cell| self.name(cell)))?;
        let names = || self.experiments.iter().flat_map(|experiment| &experiment.methods).map(|method| &method.name);
        match &self.reference {
            Some(name) if !names().any(|known| known == name) => {
                let mut listed: Vec<String> = names().cloned().collect();
                listed.sort();
                listed.dedup();
                Err(TaskError::UnknownReference { found: name.clone(), listed })
            }
            _ => Ok(()),
        }
    }

    /// Check every run of an experiment before the first run starts. Returns notes for the user.
    ///
    /// # Errors
    ///
    /// The errors of [`validate`](Self::validate), [`PreparedTask::check`] and [`RunFolder::check`].
    pub fn check(&self, experiment: usize, ready: Ready<'_>) -> Result<Vec<String>, TaskError> {
        let own = &self.experiments[experiment];
        for cell in self.cells().into_iter().filter(|cell| cell.experiment == experiment) {
            let (method, path) = (&own.methods[cell.method], self.path(&cell));
            let run = match cell.learning_rate {
                Some(rate) => own.run_with(method, cell.seed, rate, true),
                None if own.learning_rates(method).is_empty() => own.run_config(method, cell.seed),
                // The learning rate of this run is only known after other runs.
                None => continue,
            };
            let prepared = if cell.learning_rate.is_some() { ready.choosing } else { ready.whole };
            match RunFolder::check(&path, &prepared.recipe(&run), self.existing) {
                Err(asym_train::TrainError::Claimed { .. }) if self.others != Others::Refuse => {}
                checked => checked?,
            }
        }
        own.facts(ready)
    }

    /// Check that all processes use the same settings for an experiment in its folder. The first process writes the settings to a
    /// file, and each later process must have the same settings. Methods and seeds may differ, because a table may grow.
    ///
    /// # Errors
    ///
    /// [`TrainError::Changed`](asym_train::TrainError::Changed) with the list of the settings that differ, and errors of files.
    pub fn settle(&self, experiment: usize, ready: Ready<'_>) -> Result<(), TaskError> {
        let own = &self.experiments[experiment];
        Ok(asym_train::agree(&self.output.join(&own.folder), &own.settings, &own.common(ready), self.existing)?)
    }
}

/// The scale of an adapter's product, as a text with α and r.
fn scale(tuning: &Tuning) -> Option<String> {
    let Tuning::Adapter(config) = tuning else { return None };
    config.method.scale()
}
