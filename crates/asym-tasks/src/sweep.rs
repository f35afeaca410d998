//! A table of the paper: methods × seeds, one run folder each.

use std::path::PathBuf;

use asym_train::{RunFolder, RunResult, StopSignal, TrainError, Tuning};

use crate::cell::PreparedTask;
use crate::error::TaskError;
use crate::methods::Method;
use crate::recipe::{Recipe, RunConfig, once};
use crate::registry::AnyTask;
use crate::report::Report;

/// Every method with every seed on one task.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The task.
    pub task: AnyTask,
    /// The settings. Its tasks and its tuning are not used.
    pub recipe: Recipe,
    /// The rows of the table.
    pub methods: Vec<Method>,
    /// The seeds of each row.
    pub seeds: Vec<u64>,
    /// The learning rate of full fine-tuning, if it is not that of the recipe.
    pub full_learning_rate: Option<f64>,
    /// The name of the method that the others are compared with, seed by seed, below the table.
    pub reference: Option<String>,
    /// The folder for all runs.
    pub output: PathBuf,
    /// Whether finished runs in `output` are taken as they are and the missing ones made.
    pub resume: bool,
}

impl Experiment {
    /// A run of the table.
    pub fn run_config(&self, method: &Method, seed: u64) -> RunConfig {
        let mut run = self.recipe.run(&self.task, &method.tuning, seed);
        if let (Tuning::Full, Some(learning_rate)) = (&method.tuning, self.full_learning_rate) {
            run.training.learning_rate = learning_rate;
        }
        run
    }

    /// The task, with the settings of its own that the runs have.
    pub fn run_task(&self) -> AnyTask {
        self.task.resolved(self.recipe.scale())
    }

    fn reference(&self) -> Option<&Method> {
        self.methods.iter().find(|method| Some(&method.name) == self.reference.as_ref())
    }

    /// Check all that can be checked without model and data.
    ///
    /// # Errors
    ///
    /// Settings of any run that are refused, a method or seed that is listed twice, an unknown reference, and an `output` that
    /// exists unless it is resumed.
    pub fn validate(&self) -> Result<(), TaskError> {
        if self.output.exists() && !self.resume {
            return Err(TrainError::OutputExists { path: self.output.clone() }.into());
        }
        once("methods", self.methods.iter().map(|method| &method.name))?;
        once("seeds", &self.seeds)?;
        if let (Some(name), None) = (&self.reference, self.reference()) {
            let listed = self.methods.iter().map(|method| method.name.clone()).collect();
            return Err(TaskError::UnknownReference { found: name.clone(), listed });
        }
        Ok(self.methods.iter().try_for_each(|method| self.run_config(method, 0).validate())?)
    }

    /// Check every run of the table before the first one starts. Returns the parameters that the checkpoint lacks.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate) and [`PreparedTask::check`].
    pub fn check(&self, prepared: &dyn PreparedTask) -> Result<Vec<String>, TaskError> {
        self.validate()?;
        let mut drawn = Vec::new();
        for method in &self.methods {
            drawn = prepared.check(&self.run_config(method, self.seeds.first().copied().unwrap_or_default()))?;
        }
        Ok(drawn)
    }

    /// Make all runs, seed by seed, so that an interrupted table has every row. `seen` gets each result as it comes. A run whose
    /// loss is not finite is left out of the table, which says so, and the others go on.
    ///
    /// # Errors
    ///
    /// As [`PreparedTask::run`]; [`check`](Self::check) finds what is refused beforehand. Finished runs stay in their folders.
    pub fn run(
        &self,
        prepared: &dyn PreparedTask,
        stop: &StopSignal,
        mut seen: impl FnMut(&AnyTask, &RunResult),
    ) -> Result<Report, TaskError> {
        let mut report = Report::new(&self.task, self.methods.iter().map(|method| &method.tuning));
        report.reference = self.reference().map(|method| method.tuning.clone());
        let count = self.methods.len() * self.seeds.len();
        let cells = self.seeds.iter().flat_map(|seed| self.methods.iter().enumerate().map(move |cell| (*seed, cell)));
        for (number, (seed, (row, method))) in cells.enumerate() {
            if stop.requested() {
                break;
            }
            let name = format!("{} {} seed {seed}", self.task, method.name);
            match self.cell(method, seed, &format!("[{}/{count}] {name}", number + 1), prepared, stop) {
                Ok(result) => {
                    seen(&self.task, &result);
                    if !result.interrupted {
                        report.add(row, result);
                    }
                }
                Err(TaskError::Train(error @ TrainError::NonFiniteLoss { .. })) => {
                    report.failed.push(format!("{name}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }

    /// One run, or its result if it was finished before.
    fn cell(
        &self,
        method: &Method,
        seed: u64,
        label: &str,
        prepared: &dyn PreparedTask,
        stop: &StopSignal,
    ) -> Result<RunResult, TaskError> {
        let run = self.run_config(method, seed);
        let folder = self.output.join(format!("{}-seed{seed}", method.name));
        if self.resume
            && let Some(result) = RunFolder::resume(&folder, &prepared.recipe(&run))?
        {
            return Ok(result);
        }
        prepared.run(&run, label, Some(&folder), stop)
    }
}
