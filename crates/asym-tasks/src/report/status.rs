//! The state of each run in a folder.

use std::fmt;

use serde::Serialize;

use super::gather::{Counts, Gathered};
use crate::task::{Score, Unit};

/// The state of the runs in a folder. The text form has a line with the counts, a line for each run, and a line for each problem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The folder.
    pub folder: String,
    /// All runs, including expected ones and those that only serve to choose a learning rate.
    pub runs: Vec<RunStatus>,
    /// The files that cannot be read, with the reasons.
    pub problems: Vec<String>,
}

/// The state of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunStatus {
    /// The folder of the run, relative to the folder of the sweep.
    pub run: String,
    /// `done`, `running`, `failed`, `open` or `unreadable`.
    pub state: &'static str,
    /// The process and the step of a running run, the last step of a stopped run, or the error. Empty otherwise.
    pub details: String,
    /// The name of the score.
    pub score: Option<String>,
    /// The score. A share is in percent.
    pub value: Option<f64>,
    #[serde(skip)]
    unit: Option<Unit>,
}

impl Gathered {
    /// The state of each run.
    pub fn status(&self) -> Status {
        let mut runs = Vec::new();
        for group in &self.groups {
            for run in group.rows.iter().flat_map(|row| &row.runs) {
                let (state, details) = run.describe();
                let scores = run.result().map(|result| &result.scores);
                let score = scores.and_then(|scores| {
                    let headline = group.task.headline(scores)?;
                    let value = headline.factor() * scores.get(&headline.name)?;
                    Some((headline, value))
                });
                let unit = score.as_ref().map(|(headline, _)| headline.unit);
                let (score, value) = score.map(|(headline, value)| (headline.name, value)).unzip();
                runs.push(RunStatus { run: run.folder.clone(), state, details, score, value, unit });
            }
        }
        Status { folder: self.root().display().to_string(), runs, problems: self.problems.clone() }
    }
}

impl RunStatus {
    /// The score with its unit, or else the details.
    fn shown(&self) -> String {
        let (Some(name), Some(value), Some(unit)) = (&self.score, self.value, self.unit) else {
            return self.details.clone();
        };
        let sign = if unit == Unit::Share { " %" } else { "" };
        let score = Score { name: name.clone(), unit };
        format!("{name} {value:.*}{sign}", score.digits())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Counts::of(self.runs.iter().map(|run| run.state));
        write!(f, "{}: {} runs: {counts}", self.folder, self.runs.len())?;
        for run in &self.runs {
            let line = format!("{:<10} {}  {}", run.state, run.run, run.shown());
            write!(f, "\n{}", line.trim_end())?;
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\nproblem    {problem}"))
    }
}
