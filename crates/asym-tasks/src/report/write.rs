//! The files of a report: a page, Markdown, two tables as CSV, and the figures.

use std::fmt::Write;
use std::path::Path;

use super::figures::{Drawn, figures};
use super::gather::{Found, Gathered, Group};
use super::page::{self, Part};
use super::rows::Report;
use super::sheet::{Sheet, of_run};
use crate::error::TaskError;

impl Gathered {
    /// Write the report into `folder`: `report.html`, `report.md`, `summary.csv`, `runs.csv`, and each figure as SVG, PNG and CSV
    /// in `figures/`. The other rows of a task are compared with the row called `reference`, or else with the reference of the
    /// sweep. Returns a message for the user.
    ///
    /// # Errors
    ///
    /// [`TaskError::UnknownReference`], figures that cannot be drawn, and files that cannot be written.
    pub fn write(&self, folder: &Path, title: &str, reference: Option<&str>) -> Result<String, TaskError> {
        let parts = self.parts(reference)?;
        let page = page::page(self, title, &parts)?;
        let files = [
            ("report.html", page),
            ("report.md", markdown(self, title, &parts)),
            ("summary.csv", summary(&parts)?),
            ("runs.csv", runs(&parts)?),
        ];
        std::fs::create_dir_all(folder).map_err(TaskError::io(folder))?;
        for (name, text) in &files {
            let path = folder.join(name);
            asym_core::write_whole(&path, text.as_bytes()).map_err(TaskError::io(&path))?;
        }
        let mut drawings = 0;
        for part in &parts {
            for Drawn { name, figure, .. } in &part.figures {
                figure.save(&folder.join("figures").join(format!("{}-{name}", part.id))).map_err(TaskError::task)?;
                drawings += 1;
            }
        }
        let counts = self.counts();
        Ok(format!("{}: {} runs: {counts}; {drawings} figures", folder.join("report.html").display(), counts.all()))
    }

    /// The groups, with everything that is computed from them.
    fn parts(&self, reference: Option<&str>) -> Result<Vec<Part<'_>>, TaskError> {
        if let Some(name) = reference
            && !self.groups.iter().flat_map(|group| &group.rows).any(|row| row.name == name)
        {
            let mut listed: Vec<String> =
                self.groups.iter().flat_map(|group| &group.rows).map(|row| row.name.clone()).collect();
            listed.sort();
            listed.dedup();
            return Err(TaskError::UnknownReference { found: name.to_string(), listed });
        }
        let reference = reference.or(self.reference());
        let mut parts: Vec<Part<'_>> = Vec::new();
        for group in &self.groups {
            let report = group.report(reference);
            let (sheet, drawn) = (Sheet::of(&report), figures(self.root(), group, &report)?);
            let name = group.task.name();
            let same = parts.iter().filter(|part| part.group.task.name() == name).count();
            let id = if same == 0 { page::slug(&name) } else { format!("{}-{}", page::slug(&name), same + 1) };
            parts.push(Part { id, group, report, sheet, figures: drawn });
        }
        Ok(parts)
    }
}

/// Model and data of a group in words.
pub(super) fn origin(group: &Group) -> String {
    let model = group.model.as_deref().unwrap_or("the embedded checkpoint");
    let data = group.data.as_deref().unwrap_or("generated data");
    format!("{model}, {data}")
}

/// The number of finished runs of a row, and the number of its expected runs.
pub(super) fn seeds(part: &Part<'_>, row: usize) -> (usize, usize) {
    (part.report.rows[row].runs.len(), part.group.rows[row].counting().count())
}

fn markdown(gathered: &Gathered, title: &str, parts: &[Part<'_>]) -> String {
    let mut text = format!("# {title}\n\n{} runs: {}.\n", gathered.counts().all(), gathered.counts());
    for problem in gathered.problems() {
        let _ = write!(text, "\n- problem: {problem}");
    }
    for part in parts {
        let Part { group, report, sheet, .. } = part;
        let _ = write!(text, "\n\n## {} ({})\n\n", group.task, origin(group));
        let head = ["method", "seeds"].into_iter().chain(sheet.quantities.iter().map(|one| one.label.as_str()));
        let head: Vec<&str> = head.collect();
        let _ = writeln!(text, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
        for (number, (row, line)) in report.rows.iter().zip(&sheet.lines).enumerate() {
            let (there, all) = seeds(part, number);
            let _ = write!(text, "| {} | {there} of {all} |", report.method(row));
            for entry in line {
                let cell = match entry {
                    Some(entry) if entry.word.is_empty() => entry.text.clone(),
                    Some(entry) => format!("{}, {}", entry.text, entry.word),
                    None => "–".to_string(),
                };
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        for line in notes(report) {
            let _ = write!(text, "\n- {line}");
        }
    }
    text.push('\n');
    text
}

/// Lines below the table of a task: how learning rates were chosen, and what is missing.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let failed = report.failed.iter().cloned();
    let missing = report.missing.iter().map(|missing| format!("missing: {missing}"));
    report.choices().into_iter().chain(failed).chain(missing).collect()
}

/// A CSV table with a line for each quantity of each row: mean, standard deviation, interval and number of runs.
fn summary(parts: &[Part<'_>]) -> Result<String, TaskError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let head = ["task", "model", "data", "row", "method", "quantity", "mean", "deviation", "low", "high", "runs"];
    table.write_record(head).map_err(TaskError::task)?;
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    for Part { group, report, sheet, .. } in parts {
        for line in sheet.lines_of(report) {
            let record = [
                line.task,
                group.model.clone().unwrap_or_default(),
                group.data.clone().unwrap_or_default(),
                line.row,
                line.method,
                line.quantity,
                line.mean.to_string(),
                number(line.deviation),
                number(line.low),
                number(line.high),
                line.runs.map_or_else(String::new, |runs| runs.to_string()),
            ];
            table.write_record(record).map_err(TaskError::task)?;
        }
    }
    text_of(table)
}

/// A CSV table with a line for each quantity of each run.
fn runs(parts: &[Part<'_>]) -> Result<String, TaskError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let head = ["task", "row", "seed", "learning_rate", "decides", "folder", "state", "quantity", "value"];
    table.write_record(head).map_err(TaskError::task)?;
    for Part { group, .. } in parts {
        let scores = group.task.scores();
        for row in &group.rows {
            for run in &row.runs {
                let own = |quantity: String, value: String| {
                    let rate = learning_rate(run).map_or_else(String::new, |rate| rate.to_string());
                    let decides = run.learning_rate.is_some().to_string();
                    let (state, folder) = (run.describe().0.to_string(), run.folder.clone());
                    [
                        group.task.name(),
                        row.name.clone(),
                        run.seed.to_string(),
                        rate,
                        decides,
                        folder,
                        state,
                        quantity,
                        value,
                    ]
                };
                let Some(result) = run.result() else {
                    table.write_record(own(String::new(), String::new())).map_err(TaskError::task)?;
                    continue;
                };
                for number in of_run(result, &scores) {
                    let value = number.value.map_or_else(String::new, |value| value.to_string());
                    table.write_record(own(number.key, value)).map_err(TaskError::task)?;
                }
            }
        }
    }
    text_of(table)
}

fn text_of(table: csv::Writer<Vec<u8>>) -> Result<String, TaskError> {
    let bytes = table.into_inner().map_err(|error| TaskError::task(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The learning rate of a run.
pub(super) fn learning_rate(run: &Found) -> Option<f64> {
    let (recipe, _) = run.recipe.as_ref()?;
    let task = recipe.tasks.first()?;
    Some(recipe.run(task, &recipe.tuning, run.seed).training.learning_rate)
}
