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
    /// The seeds and the settings. Its tasks and its tuning are not used.
    pub recipe: Recipe,
    /// The rows of the table.
    pub methods: Vec<Method>,
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
        once("seeds", &self.recipe.seeds)?;
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
            drawn = prepared.check(&self.run_config(method, self.recipe.seeds.first().copied().unwrap_or_default()))?;
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
        let count = self.methods.len() * self.recipe.seeds.len();
        let cells =
            self.recipe.seeds.iter().flat_map(|seed| self.methods.iter().enumerate().map(move |cell| (*seed, cell)));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;
    use std::time::Duration;

    use asym_core::InputMoment;
    use asym_train::Outcome;

    use super::*;

    /// Runs that fail for the method `full`, and a person who asks to stop during the second run of any other.
    struct Fake<'a>(&'a StopSignal, std::cell::Cell<usize>);

    impl PreparedTask for Fake<'_> {
        fn read_in(&self) -> Option<Duration> {
            None
        }

        fn check(&self, _run: &RunConfig) -> Result<Vec<String>, TaskError> {
            Ok(Vec::new())
        }

        fn recipe(&self, run: &RunConfig) -> Recipe {
            Recipe::of(run, None, None)
        }

        fn observe_inputs(&self, _seed: u64) -> Result<HashMap<String, InputMoment>, TaskError> {
            Ok(HashMap::new())
        }

        fn run(
            &self,
            run: &RunConfig,
            _label: &str,
            _folder: Option<&Path>,
            stop: &StopSignal,
        ) -> Result<RunResult, TaskError> {
            if run.tuning == Tuning::Full {
                let (loss, grad_norm) = (Some(f64::NAN), f64::NAN);
                return Err(TrainError::NonFiniteLoss { loss, grad_norm, step: 3, learning_rate: 1.0 }.into());
            }
            self.1.set(self.1.get() + 1);
            if self.1.get() == 2 {
                self.0.request();
            }
            let outcome = Outcome { interrupted: stop.requested(), ..Outcome::default() };
            Ok(RunResult::new(("mrpc".into(), run.tuning.to_string(), run.training.seed), &outcome, (1, 2)))
        }
    }

    fn experiment(seeds: &[u64]) -> Experiment {
        let task: AnyTask = "mrpc".parse().unwrap();
        Experiment {
            recipe: Recipe::new(None, None, task.clone(), seeds.to_vec(), Tuning::Head),
            task,
            methods: ["full", "head", "lora"].iter().map(|name| Method::parse(name, 8).unwrap()).collect(),
            full_learning_rate: Some(7e-5),
            reference: None,
            output: "no such folder".into(),
            resume: false,
        }
    }

    #[test]
    fn a_stopped_table_has_its_finished_rows_and_its_failed_runs() {
        let stop = StopSignal::default();
        let mut seen = 0;
        let report = experiment(&[1, 2]).run(&Fake(&stop, 0.into()), &stop, |_, _| seen += 1).unwrap();
        let runs: Vec<usize> = report.rows().iter().map(|row| row.runs.len()).collect();
        assert_eq!((runs, seen), (vec![0, 1, 0], 2));
        assert_eq!(report.failed.len(), 1);
        let text = report.to_string();
        assert!(text.contains("- failed: MRPC full seed 1: the loss is NaN"), "{text}");
    }

    #[test]
    fn a_run_has_the_settings_of_its_method() {
        let experiment = experiment(&[1]);
        let rate = |name: &str| experiment.run_config(&Method::parse(name, 8).unwrap(), 5).training.learning_rate;
        assert_eq!((rate("full"), rate("head"), rate("lora")), (7e-5, 3e-3, 3e-3));
        assert_eq!(experiment.run_config(&experiment.methods[0], 5).training.seed, 5);
    }

    #[test]
    fn a_table_that_cannot_be_is_refused() {
        let refused = |change: fn(&mut Experiment)| {
            let mut experiment = experiment(&[1]);
            change(&mut experiment);
            experiment.validate().unwrap_err().to_string()
        };
        for (message, part) in [
            (refused(|table| table.output = std::env::temp_dir()), "exists already"),
            (refused(|table| table.recipe.seeds = vec![1, 1]), "`1` stands twice in seeds"),
            (refused(|table| table.methods = vec![table.methods[0].clone(); 2]), "`full` stands twice in methods"),
            (refused(|table| table.reference = Some("b-only".into())), "full, head, lora-r8"),
            (refused(|table| table.full_learning_rate = Some(0.0)), "`learning_rate` is 0"),
        ] {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
        assert!(experiment(&[1]).validate().is_ok());
    }
}
