//! The rows of a report: the runs of each method on each task, and their summaries.

use asym_train::{RunResult, Tuning};

use crate::metrics::Summary;
use crate::registry::AnyTask;
use crate::task::{Score, Unit};

/// The results of runs, with a row per method and task.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The rows, in the order of the methods.
    pub rows: Vec<Row>,
    /// Runs that failed, and why.
    pub failed: Vec<String>,
    /// Runs that have no result yet, and why.
    pub missing: Vec<String>,
    /// The name of the row with which the other rows of its task are compared, seed by seed.
    pub reference: Option<String>,
}

/// One method on one task, and its runs.
#[derive(Clone, Debug)]
pub struct Row {
    /// The task.
    pub task: AnyTask,
    /// The name of the row, with which the names of its run folders begin.
    pub name: String,
    /// The method of fine-tuning.
    pub tuning: Tuning,
    /// One finished run per seed.
    pub runs: Vec<RunResult>,
    /// How the learning rate was chosen, if the row has several.
    pub choosing: Option<Choosing>,
}

/// A choice among learning rates.
#[derive(Clone, Debug, PartialEq)]
pub struct Choosing {
    /// The learning rates.
    pub listed: Vec<f64>,
    /// The fraction of the training examples that was held out for the choice.
    pub share: f64,
    /// The chosen learning rate of each seed.
    pub chosen: Vec<(u64, f64)>,
}

/// The difference between a row and the reference of its task.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// The row.
    pub row: &'a Row,
    /// The reference.
    pub reference: &'a Row,
    /// Mean and standard deviation of the difference over the seeds that both rows have, in the unit of the score.
    pub summary: Summary,
}

impl Row {
    /// A row without runs.
    pub fn new(task: &AnyTask, name: &str, tuning: &Tuning) -> Self {
        Self { task: task.clone(), name: name.to_string(), tuning: tuning.clone(), runs: Vec::new(), choosing: None }
    }

    /// Whether this is the row called `name` of `task`.
    pub fn is(&self, task: &AnyTask, name: &str) -> bool {
        self.name == name && self.task == *task
    }

    /// Mean and standard deviation of a score over the runs, in the unit of the score, which is percent for a share.
    pub fn score(&self, score: &Score) -> Option<Summary> {
        self.summary(|run| run.scores.get(&score.name).copied()).map(|summary| summary.scaled(score.factor()))
    }

    /// Mean and standard deviation of a number over the runs that have it.
    pub fn summary(&self, value: impl Fn(&RunResult) -> Option<f64>) -> Option<Summary> {
        let values: Vec<f64> = self.runs.iter().filter_map(value).collect();
        Summary::of(&values)
    }

    /// The number of trained parameters, in percent of all parameters.
    pub fn share(&self) -> Option<f64> {
        self.runs.first().map(|run| 100.0 * run.trainable as f64 / run.total.max(1) as f64)
    }

    /// The difference between the headline score of each run and that of the run of `reference` with the same seed, in the unit
    /// of the score. Pairing by seed removes the variance from the initialization of the head and from the order of the examples.
    pub fn difference(&self, reference: &Self) -> Option<Summary> {
        let headline = self.task.scores().into_iter().next()?;
        let score = |run: &RunResult| run.scores.get(&headline.name).copied();
        let pairs = self.runs.iter().filter_map(|run| {
            let other = reference.runs.iter().find(|other| other.seed == run.seed)?;
            Some(headline.factor() * (score(run)? - score(other)?))
        });
        Summary::of(&pairs.collect::<Vec<_>>())
    }

    /// Whether a lower headline score is better.
    pub fn is_cost(&self) -> bool {
        self.task.scores().first().is_some_and(|score| score.unit == Unit::Cost)
    }
}

/// The peak heap memory of a run, in MiB.
pub fn peak_mib(run: &RunResult) -> Option<f64> {
    run.peak_bytes.map(|bytes| bytes as f64 / (1 << 20) as f64)
}

impl Report {
    /// The row with which the other rows of `task` are compared.
    pub fn reference_of(&self, task: &AnyTask) -> Option<&Row> {
        self.rows.iter().find(|row| row.task == *task && Some(&row.name) == self.reference.as_ref())
    }

    /// The differences between the rows and the references of their tasks. There is no difference for a reference itself.
    pub fn differences(&self) -> impl Iterator<Item = Difference<'_>> {
        self.rows.iter().filter_map(|row| {
            let reference = self.reference_of(&row.task).filter(|reference| reference.name != row.name)?;
            Some(Difference { row, reference, summary: row.difference(reference)? })
        })
    }

    /// The method of a row in words, with the name of the row if another row of its task has the same words.
    pub fn method(&self, row: &Row) -> String {
        let method = row.tuning.to_string();
        let same = |other: &&Row| other.task == row.task && other.tuning.to_string() == method;
        if self.rows.iter().filter(same).count() > 1 { format!("{method} ({})", row.name) } else { method }
    }

    /// The tasks, in the order of their first rows.
    pub fn tasks(&self) -> Vec<&AnyTask> {
        let mut tasks: Vec<&AnyTask> = Vec::new();
        for row in &self.rows {
            if !tasks.contains(&&row.task) {
                tasks.push(&row.task);
            }
        }
        tasks
    }

    /// The rows of a task, in their order.
    pub fn rows_of<'a>(&'a self, task: &'a AnyTask) -> impl Iterator<Item = &'a Row> + 'a {
        self.rows.iter().filter(move |row| row.task == *task)
    }

    /// How learning rates were chosen, with a line for each row that has several.
    pub fn choices(&self) -> Vec<String> {
        let choice = |row: &Row| {
            let Choosing { listed, share, chosen } = row.choosing.as_ref()?;
            let listed = listed.iter().map(|rate| format!("{rate:e}")).collect::<Vec<_>>().join(", ");
            let chosen: Vec<String> = chosen.iter().map(|(seed, rate)| format!("{rate:e} (seed {seed})")).collect();
            let chosen = if chosen.is_empty() { "not chosen yet".to_string() } else { chosen.join(", ") };
            let share = 100.0 * share;
            Some(format!(
                "{}, {}: learning rate {chosen}; candidates {listed}, compared by the score on {share:.0} % of the training \
                examples, on which the candidates were not trained; no evaluation set of the table was used for the choice",
                row.task,
                self.method(row)
            ))
        };
        self.rows.iter().filter_map(choice).collect()
    }
}
