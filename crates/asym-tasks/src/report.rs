//! The table of runs.

use std::fmt;

use asym_train::{RunResult, Tuning};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::metrics::Summary;
use crate::registry::AnyTask;
use crate::task::Score;

/// The table: a row per method and task. Its `Display` is Markdown.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    /// Runs that failed, and why.
    pub failed: Vec<String>,
    /// The row that the others of its task are compared with, seed by seed.
    pub reference: Option<Tuning>,
}

/// One method on one task, and its runs.
#[derive(Clone, Debug)]
pub struct Row {
    /// The task.
    pub task: AnyTask,
    /// What it trains.
    pub tuning: Tuning,
    /// A finished run per seed.
    pub runs: Vec<RunResult>,
}

impl Row {
    /// Mean and spread of a score over the runs, in percent.
    pub fn score(&self, score: &Score) -> Option<Summary> {
        self.summary(|run| run.scores.get(&score.name).copied()).map(|summary| summary.scaled(100.0))
    }

    fn summary(&self, value: impl Fn(&RunResult) -> Option<f64>) -> Option<Summary> {
        let values: Vec<f64> = self.runs.iter().filter_map(value).collect();
        Summary::of(&values)
    }
}

impl Report {
    /// A table of `task`, with a row per method and no run yet.
    pub fn new<'a>(task: &AnyTask, methods: impl IntoIterator<Item = &'a Tuning>) -> Self {
        let row = |tuning: &Tuning| Row { task: task.clone(), tuning: tuning.clone(), runs: Vec::new() };
        Self { rows: methods.into_iter().map(row).collect(), ..Self::default() }
    }

    /// The rows, in the order of the methods.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Adds a run to the row with this number. A number that no row has is ignored.
    pub fn add(&mut self, row: usize, run: RunResult) {
        if let Some(row) = self.rows.get_mut(row) {
            row.runs.push(run);
        }
    }

    /// Appends the rows of another table.
    pub fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.failed.append(&mut other.failed);
        self.reference = self.reference.take().or(other.reference);
    }

    /// For each other row of its task, how much it scores above the reference: the mean over the seeds that both have, with
    /// its margin, in percent. Pairing by seed takes out what start of the head and order of the examples make.
    fn differences(&self) -> impl Iterator<Item = (&Row, Summary)> {
        let reference = |task: &AnyTask| {
            let is = |row: &&Row| row.task == *task && Some(&row.tuning) == self.reference.as_ref();
            self.rows.iter().find(is)
        };
        self.rows.iter().filter(|row| Some(&row.tuning) != self.reference.as_ref()).filter_map(move |row| {
            let name = row.task.scores().into_iter().next()?.name;
            let score = |run: &RunResult| run.scores.get(&name).copied();
            let reference = reference(&row.task)?;
            let pairs = row.runs.iter().filter_map(|run| {
                let other = reference.runs.iter().find(|other| other.seed == run.seed)?;
                Some(100.0 * (score(run)? - score(other)?))
            });
            Some((row, Summary::of(&pairs.collect::<Vec<_>>())?))
        })
    }

    /// The scores that have a column each, where all rows are of one task.
    fn columns(&self) -> Option<Vec<Score>> {
        let task = &self.rows.first()?.task;
        self.rows.iter().all(|row| row.task == *task).then(|| task.scores())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        let mut header: Vec<String> = Vec::new();
        match &columns {
            Some(scores) => {
                header.extend(["method".into(), "seeds".into()]);
                header.extend(scores.iter().map(|score| format!("{} %", score.name)));
            }
            None => header.extend(["task", "method", "seeds", "score", "%", "further %"].map(Into::into)),
        }
        header.extend(["trained", "share %", "s / run", "train/s", "eval/s", "input %", "peak MiB"].map(Into::into));
        header.push(paper_header(&self.rows, columns.as_deref()));

        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(header);
        let words = if columns.is_some() { 1 } else { 2 };
        for column in table.column_iter_mut().skip(words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            table.add_row(cells(row, columns.as_deref()));
        }
        write!(f, "{table}")?;
        if let Some(reference) = &self.reference {
            write!(f, "\n\nAgainst {reference}, seed by seed, in percent with 95 % confidence intervals:")?;
        }
        for (row, difference) in self.differences() {
            let score = row.task.scores().into_iter().next().map_or_else(String::new, |score| score.name);
            write!(f, "\n- {}, {}, {score}: {:+.2}", row.task, row.tuning, difference.mean)?;
            if let Some(margin) = difference.margin() {
                let (low, high) = (difference.mean - margin, difference.mean + margin);
                write!(f, " ({low:+.2} to {high:+.2}, {} seeds)", difference.n)?;
            }
        }
        self.failed.iter().try_for_each(|failed| write!(f, "\n- failed: {failed}"))
    }
}

/// The header of the paper's column: its score, if all rows have the same, and its model.
fn paper_header(rows: &[Row], columns: Option<&[Score]>) -> String {
    let headline =
        columns.and_then(|scores| scores.first()).map_or_else(String::new, |score| format!("{} ", score.name));
    let model = rows.iter().find_map(|row| row.task.paper_model());
    match model {
        Some(model) => format!("paper: {headline}% ({model})"),
        None => format!("paper: {headline}%"),
    }
}

fn cells(row: &Row, columns: Option<&[Score]>) -> Vec<String> {
    let missing = || "-".to_string();
    let number = |summary: Option<Summary>, digits: usize| {
        summary.map_or_else(missing, |summary| format!("{:.digits$}", summary.mean))
    };
    let score = |score: &Score| row.score(score).map_or_else(missing, |score| format!("{score:.1}"));
    let (method, seeds) = (row.tuning.to_string(), row.runs.len().to_string());
    let mut cells = match columns {
        Some(scores) => [method, seeds].into_iter().chain(scores.iter().map(score)).collect::<Vec<_>>(),
        None => {
            let scores = row.task.scores();
            let further: Vec<String> =
                scores.iter().skip(1).map(|further| format!("{} {}", further.name, score(further))).collect();
            let headline = scores.first();
            vec![
                row.task.to_string(),
                method,
                seeds,
                headline.map_or_else(missing, |headline| headline.name.clone()),
                headline.map_or_else(missing, score),
                further.join(", "),
            ]
        }
    };
    let first = row.runs.first();
    cells.push(first.map_or_else(missing, |run| run.trainable.to_string()));
    let share = first.map(|run| 100.0 * run.trainable as f64 / run.total as f64);
    cells.push(share.map_or_else(missing, |share| format!("{share:.3}")));
    cells.push(number(row.summary(|run| Some(run.seconds)), 1));
    cells.push(number(row.summary(|run| Some(run.training.samples_per_second())), 0));
    cells.push(number(row.summary(|run| Some(run.evaluation.samples_per_second())), 0));
    cells.push(number(row.summary(|run| Some(100.0 * run.training.input_share())), 2));
    let mib = |run: &RunResult| run.peak_bytes.map(|bytes| bytes as f64 / (1 << 20) as f64);
    cells.push(number(row.summary(mib), 0));
    cells.push(row.task.paper(&row.tuning).map_or_else(missing, |cell| match cell.std {
        Some(std) => format!("{} ± {std}", cell.mean),
        None => cell.mean.to_string(),
    }));
    cells
}
