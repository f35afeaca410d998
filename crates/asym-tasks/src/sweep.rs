//! A table of the paper: methods × seeds, one run folder each.

use std::path::PathBuf;

use asym_train::{Dtype, Existing, RunFolder, RunResult, StopSignal, Tuning, memory};

use toml::{Table, Value};

use crate::cell::{PreparedTask, RunFacts};
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
    /// Whether the table in `output` is continued: finished runs are taken as they are, and the others are continued or made.
    pub existing: Existing,
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

    /// The dtype of the frozen weights in every run.
    pub fn dtype(&self) -> Dtype {
        self.recipe.run(&self.task, &self.recipe.tuning, 0).training.dtype
    }

    fn reference(&self) -> Option<&Method> {
        self.methods.iter().find(|method| Some(&method.name) == self.reference.as_ref())
    }

    /// Check all that can be checked without model and data.
    ///
    /// # Errors
    ///
    /// Settings of any run that are refused, a method or seed that is listed twice, and an unknown reference.
    pub fn validate(&self) -> Result<(), TaskError> {
        once("methods", self.methods.iter().map(|method| &method.name))?;
        once("seeds", &self.recipe.seeds)?;
        if let (Some(name), None) = (&self.reference, self.reference()) {
            let listed = self.methods.iter().map(|method| method.name.clone()).collect();
            return Err(TaskError::UnknownReference { found: name.clone(), listed });
        }
        Ok(self.methods.iter().try_for_each(|method| self.run_config(method, 0).validate())?)
    }

    /// Check every run of the table before the first one starts. Returns lines for people: the trained parameters and the scale of
    /// each method, and the parameters that the checkpoint lacks.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), [`PreparedTask::check`] and [`RunFolder::check`].
    pub fn check(&self, prepared: &dyn PreparedTask) -> Result<Vec<String>, TaskError> {
        self.validate()?;
        for seed in &self.recipe.seeds {
            for method in &self.methods {
                let recipe = prepared.recipe(&self.run_config(method, *seed));
                RunFolder::check(&self.folder(method, *seed), &recipe, self.existing)?;
            }
        }
        let (mut lines, mut drawn, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
        for method in &self.methods {
            let run = self.run_config(method, self.recipe.seeds.first().copied().unwrap_or_default());
            let RunFacts { initialized, left_out, trained, total, steps } = prepared.check(&run)?;
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

    /// Agree with other processes on the settings of the table in `output`: the first one writes them to `table.toml`, and each
    /// later one must have the same. Methods and seeds may differ, since a table may grow.
    ///
    /// # Errors
    ///
    /// [`TrainError::Changed`](asym_train::TrainError::Changed) with the list of the settings that differ, and errors of files.
    pub fn settle(&self, prepared: &dyn PreparedTask) -> Result<(), TaskError> {
        // Each run has a method and a seed of its own, and a method may have a learning rate of its own.
        let run = self.recipe.run(&self.task, &Tuning::Head, 0);
        let mut recipe = prepared.recipe(&run);
        recipe.training.remove("learning_rate");
        let given = self.recipe.training.get("learning_rate").cloned();
        let full = self.full_learning_rate.map(Value::from);
        let mut settings = Table::try_from(&recipe).unwrap_or_default();
        for key in ["tuning", "seeds"] {
            settings.remove(key);
        }
        for (key, rate) in [("learning_rate", given), ("full_learning_rate", full)] {
            settings.extend(rate.map(|rate| (key.to_string(), rate)));
        }
        Ok(asym_train::agree(&self.output, "table.toml", &settings, self.existing)?)
    }

    /// Make all runs, seed by seed, so that an interrupted table has every row. `seen` gets each result as it comes. A run that
    /// diverges is left out of the table, which says so, and the others go on.
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
                Err(TaskError::Train(error)) if error.is_divergence() => {
                    report.failed.push(format!("{name}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }

    /// The folder of a run.
    fn folder(&self, method: &Method, seed: u64) -> PathBuf {
        self.output.join(format!("{}-seed{seed}", method.name))
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
        let result = prepared.run(&run, label, Some((&self.folder(method, seed), self.existing)), stop);
        // The next run may need less.
        memory::give_back();
        result
    }
}

/// The factor of an adapter's product, with its α and r.
fn scale(tuning: &Tuning) -> Option<String> {
    let Tuning::Adapter(config) = tuning else { return None };
    config.method.scale()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;
    use std::time::Duration;

    use asym_core::InputMoment;
    use asym_train::{Outcome, TrainError};

    use super::*;
    use crate::images::Sheet;
    use crate::methods::LayerNames;
    use crate::task::Shown;

    /// Runs that fail for the method `full`, and a person who asks to stop during the second run of any other.
    struct Fake<'a>(&'a StopSignal, std::cell::Cell<usize>);

    impl PreparedTask for Fake<'_> {
        fn read_in(&self) -> Option<Duration> {
            None
        }

        fn notes(&self) -> &[String] {
            &[]
        }

        fn check(&self, _run: &RunConfig) -> Result<RunFacts, TaskError> {
            Ok(RunFacts::default())
        }

        fn recipe(&self, run: &RunConfig) -> Recipe {
            Recipe::of(run, None, None)
        }

        fn sheet(&self, _seed: u64, _columns: usize) -> Result<Option<Sheet>, TaskError> {
            Ok(None)
        }

        fn shown(&self, _run: &RunConfig, _count: usize) -> Result<Option<Vec<(usize, Shown)>>, TaskError> {
            Ok(None)
        }

        fn observe_inputs(&self, _seed: u64) -> Result<HashMap<String, InputMoment>, TaskError> {
            Ok(HashMap::new())
        }

        fn run(
            &self,
            run: &RunConfig,
            _label: &str,
            _folder: Option<(&Path, Existing)>,
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
            methods: ["full", "head", "lora"]
                .iter()
                .map(|name| Method::parse(name, 8, LayerNames::BERT).unwrap())
                .collect(),
            full_learning_rate: Some(7e-5),
            reference: None,
            output: "no such folder".into(),
            existing: Existing::Refuse,
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
        let rate = |name: &str| {
            experiment.run_config(&Method::parse(name, 8, LayerNames::BERT).unwrap(), 5).training.learning_rate
        };
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
