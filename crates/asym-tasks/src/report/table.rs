//! The report as a table for a terminal.

use std::fmt;

use asym_figure::{TERMINAL, Table};

use super::rows::{Difference, Report, Row};
use super::sheet::MEASURED;
use crate::metrics::Summary;
use crate::task::{PaperScore, Score, Unit};

impl Report {
    /// The scores that have their own columns, if all rows belong to one task.
    fn columns(&self) -> Option<Vec<Score>> {
        let task = &self.rows.first()?.task;
        self.rows.iter().all(|row| row.task == *task).then(|| task.scores())
    }
}

/// Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        // One column can only show the headline score. If the paper has more scores, they are shown in separate rows.
        let paper_rows = columns.as_deref().is_some_and(|columns| {
            self.rows.iter().any(|row| row.task.paper(&row.tuning).len() > 1 && has_any(row, columns))
        });
        let mut header: Vec<String> = Vec::new();
        match &columns {
            Some(scores) => {
                header.extend(["method".into(), "seeds".into()]);
                header.extend(scores.iter().map(Score::heading));
            }
            None => {
                let scores = self.rows.iter().flat_map(|row| row.task.scores());
                // Costs are shown next to shares, without conversion to percent.
                let units = if scores.into_iter().any(|score| score.unit == Unit::Cost) {
                    ["value", "further"]
                } else {
                    ["%", "further %"]
                };
                header.extend(["task", "method", "seeds", "score"].into_iter().chain(units).map(Into::into));
            }
        }
        let paper = self.rows.iter().find_map(|row| row.task.paper_model()).filter(|_| !paper_rows);
        header.extend(paper.map(|model| paper_header(model, columns.as_deref())));

        // Scores and costs are separate tables, because a table with all columns is wider than a terminal.
        let names = |row: &Row| {
            let task = columns.is_none().then(|| row.task.to_string());
            task.into_iter().chain([self.method(row)]).collect::<Vec<_>>()
        };
        let words = if columns.is_some() { 1 } else { 2 };
        let mut costs = Table::new(header[..words].iter().cloned().chain(cost_heads().map(Into::into)), words..);
        let mut table = Table::new(header, words..);
        for row in &self.rows {
            costs.row(names(row).into_iter().chain(row_costs(row)));
            table.row(cells(row, names(row), columns.as_deref(), paper.is_some()));
            let scores = row.task.paper(&row.tuning);
            if let Some(columns) = columns.as_deref().filter(|_| paper_rows && !scores.is_empty()) {
                table.row(paper_cells(row, &scores, columns));
            }
        }
        let tables = table.within(TERMINAL, words).into_iter().chain([costs]).map(|table| table.to_string());
        f.write_str(&tables.collect::<Vec<_>>().join("\n\n"))?;
        let all_costs = self.rows.iter().all(Row::is_cost);
        let reference = self.rows.iter().find(|row| Some(&row.name) == self.reference.as_ref());
        if let Some(reference) = reference {
            let reference = self.method(reference);
            let unit = if all_costs { "less is better," } else { "in percent" };
            write!(f, "\n\nAgainst {reference}, seed by seed, {unit} with 95 % confidence intervals:")?;
        }
        for Difference { row, summary: difference, .. } in self.differences() {
            let Some(score) = row.task.scores().into_iter().next() else { continue };
            let (digits, method) = (score.digits() + 1, self.method(row));
            write!(f, "\n- {}, {method}, {}: {:+.digits$}", row.task, score.name, difference.mean)?;
            if let Some(margin) = difference.margin() {
                let (low, high) = (difference.mean - margin, difference.mean + margin);
                write!(f, " ({low:+.digits$} to {high:+.digits$}, {} seeds)", difference.n)?;
            }
            if score.unit == Unit::Cost && !all_costs {
                write!(f, "; not in percent, less is better")?;
            }
        }
        self.choices().iter().try_for_each(|choice| write!(f, "\n- {choice}"))?;
        self.failed.iter().try_for_each(|failed| write!(f, "\n- failed: {failed}"))?;
        self.missing.iter().try_for_each(|missing| write!(f, "\n- missing: {missing}"))
    }
}

/// Whether the paper has one of the `columns` for a row.
fn has_any(row: &Row, columns: &[Score]) -> bool {
    let scores = row.task.paper(&row.tuning);
    scores.iter().any(|score| columns.iter().any(|column| column.name == score.score))
}

/// The header of the paper's column: the name of the score, if all rows have the same task, and the model.
fn paper_header(model: &str, columns: Option<&[Score]>) -> String {
    let headline = columns.and_then(|scores| scores.first());
    let headline = headline.map_or_else(String::new, |score| format!("{} ", score.name));
    format!("paper: {headline}% ({model})")
}

fn missing() -> String {
    "-".to_string()
}

/// The heads of the cost columns. The last column is the percentage of the time for which training waits for its input.
fn cost_heads() -> impl Iterator<Item = &'static str> {
    ["trained", "share %"].into_iter().chain(MEASURED.map(|(_, head, ..)| head)).chain(["input %"])
}

/// The cells of the cost columns.
fn row_costs(row: &Row) -> impl Iterator<Item = String> {
    let number = |summary: Option<Summary>, digits: usize| {
        summary.map_or_else(missing, |summary| format!("{:.digits$}", summary.mean))
    };
    let measured = MEASURED.map(|(_, _, digits, value)| number(row.summary(value), digits));
    let input = number(row.summary(|run| Some(100.0 * run.training.input_share())), 2);
    let trained = row.runs.first().map_or_else(missing, |run| run.trainable.to_string());
    let share = row.share().map_or_else(missing, |share| format!("{share:.3}"));
    [trained, share].into_iter().chain(measured).chain([input])
}

/// Append the cells of the scores to `cells`, the cells of the names.
fn cells(row: &Row, mut cells: Vec<String>, columns: Option<&[Score]>, paper: bool) -> Vec<String> {
    let score = |score: &Score| {
        let digits = score.digits();
        row.score(score).map_or_else(missing, |summary| format!("{summary:.digits$}"))
    };
    cells.push(row.runs.len().to_string());
    match columns {
        Some(scores) => cells.extend(scores.iter().map(score)),
        None => {
            let scores = row.task.scores();
            let further = |further: &Score| format!("{} {}", further.name, score(further));
            let further: Vec<String> = scores.iter().skip(1).map(further).collect();
            let headline = scores.first();
            cells.extend([
                headline.map_or_else(missing, |headline| headline.name.clone()),
                headline.map_or_else(missing, score),
                further.join(", "),
            ]);
        }
    }
    if paper {
        let headline = row.task.scores().into_iter().next();
        cells.push(headline.map_or_else(missing, |headline| paper_cell(&row.task.paper(&row.tuning), &headline)));
    }
    cells
}

/// The paper's scores of the same method, in the columns of the measured scores.
fn paper_cells(row: &Row, scores: &[PaperScore], columns: &[Score]) -> Vec<String> {
    let model = row.task.paper_model().unwrap_or_default();
    let cells = columns.iter().map(|column| paper_cell(scores, column));
    [format!("  paper ({model})"), String::new()].into_iter().chain(cells).collect()
}

/// The paper's score for a column.
fn paper_cell(scores: &[PaperScore], column: &Score) -> String {
    match scores.iter().find(|score| score.score == column.name) {
        Some(PaperScore { mean, std: Some(std), .. }) => format!("{mean} ± {std}"),
        Some(PaperScore { mean, .. }) => mean.to_string(),
        None => "-".to_string(),
    }
}
