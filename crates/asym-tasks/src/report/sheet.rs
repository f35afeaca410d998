//! The numbers of a report: a list of quantities that is printed in the HTML page, the Markdown file and the CSV file.

use asym_train::RunResult;
use serde::Serialize;

use super::rows::{Report, Row, peak_mib};
use crate::metrics::Summary;
use crate::registry::AnyTask;
use crate::task::{PaperScore, Score};

/// The summaries of some rows of one task.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub quantities: Vec<Quantity>,
    /// For each row, the entries of the quantities. An entry is `None` if the row lacks the quantity.
    pub lines: Vec<Vec<Option<Entry>>>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quantity {
    /// The name in the CSV file.
    pub key: String,
    /// The head of the column.
    pub label: String,
}

/// A number of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// The text for readers.
    pub text: String,
    /// For a difference: better, worse, not clear, or one seed. Empty for other quantities.
    pub word: &'static str,
    pub mean: f64,
    pub deviation: Option<f64>,
    /// A confidence interval.
    pub interval: Option<(f64, f64)>,
    /// The number of runs.
    pub runs: Option<usize>,
}

impl Entry {
    fn of(summary: Summary, digits: usize) -> Self {
        let Summary { mean, std, n } = summary;
        Self { text: format!("{summary:.digits$}"), mean, deviation: std, runs: Some(n), ..Self::default() }
    }

    /// An entry without the standard deviation in its text, for measurements that depend on the machine.
    fn mean(summary: Summary, digits: usize) -> Self {
        Self { text: format!("{:.digits$}", summary.mean), ..Self::of(summary, digits) }
    }

    fn difference(summary: Summary, digits: usize, is_cost: bool) -> Self {
        let interval = summary.margin().map(|margin| (summary.mean - margin, summary.mean + margin));
        let mean = summary.mean;
        let text = match interval {
            Some((low, high)) => {
                format!("{} ({} to {})", signed(mean, digits), signed(low, digits), signed(high, digits))
            }
            None => signed(mean, digits),
        };
        let word = match interval {
            Some((low, _)) if low > 0.0 => {
                if is_cost {
                    "worse"
                } else {
                    "better"
                }
            }
            Some((_, high)) if high < 0.0 => {
                if is_cost {
                    "better"
                } else {
                    "worse"
                }
            }
            Some(_) => "not clear",
            None => "one seed",
        };
        Self { text, word, interval, ..Self::of(summary, digits) }
    }

    fn paper(score: &PaperScore) -> Self {
        let text = match score.std {
            Some(std) => format!("{} ± {std}", score.mean),
            None => score.mean.to_string(),
        };
        Self { text, mean: score.mean, deviation: score.std, ..Self::default() }
    }
}

/// A number with its sign, where minus is the character U+2212.
pub(super) fn signed(number: f64, digits: usize) -> String {
    let text = format!("{number:+.digits$}");
    text.replace('-', "−")
}

/// A quantity of a run in addition to its scores: the key, the head of the column, the number of digits after the decimal point,
/// and the value.
pub(super) type Measured = (&'static str, &'static str, usize, fn(&RunResult) -> Option<f64>);

/// The measurements of every run.
pub(super) const MEASURED: [Measured; 4] = [
    ("seconds", "s / run", 1, |run| Some(run.seconds)),
    ("training_samples_per_second", "train/s", 0, |run| Some(run.training.samples_per_second())),
    ("evaluation_samples_per_second", "eval/s", 0, |run| Some(run.evaluation.samples_per_second())),
    ("peak_mib", "peak MiB", 0, peak_mib),
];

impl Sheet {
    /// The summaries of the rows of a report, which must belong to one task.
    pub fn of(report: &Report) -> Self {
        let Some(task) = report.rows.first().map(|row| &row.task) else {
            return Self { quantities: Vec::new(), lines: Vec::new() };
        };
        let (scores, reference) = (task.scores(), report.reference_of(task));
        let mut sheet = Self { quantities: Vec::new(), lines: vec![Vec::new(); report.rows.len()] };
        for (number, score) in scores.iter().enumerate() {
            let entry = |row: &Row| row.score(score).map(|summary| Entry::of(summary, score.digits()));
            sheet.add(score.name.clone(), score.heading(), report, entry);
            if let Some(reference) = reference.filter(|_| number == 0) {
                let label = format!("{} against {}", score.heading(), report.method(reference));
                sheet.add(format!("{} difference", score.name), label, report, |row| {
                    let other = Some(row).filter(|row| row.name != reference.name)?;
                    let summary = other.difference(reference)?;
                    Some(Entry::difference(summary, score.digits() + 1, row.is_cost()))
                });
            }
            let paper = |row: &Row| row.task.paper(&row.tuning).into_iter().find(|paper| paper.score == score.name);
            if report.rows.iter().any(|row| paper(row).is_some()) {
                let model = task.paper_model().unwrap_or("its model");
                let label = format!("paper: {} ({model})", score.heading());
                sheet.add(format!("paper {}", score.name), label, report, |row| paper(row).as_ref().map(Entry::paper));
            }
        }
        let first = |row: &Row, value: fn(&RunResult) -> f64| row.runs.first().map(value);
        sheet.add("trained", "trained", report, |row| {
            let mean = first(row, |run| run.trainable as f64)?;
            Some(Entry { text: format!("{mean}"), mean, ..Entry::default() })
        });
        sheet.add("trained_percent", "trained %", report, |row| {
            let mean = row.share()?;
            Some(Entry { text: format!("{mean:.3}"), mean, ..Entry::default() })
        });
        for (key, label, digits, value) in MEASURED {
            sheet.add(key, label, report, |row| row.summary(value).map(|summary| Entry::mean(summary, digits)));
        }
        sheet
    }

    fn add(
        &mut self,
        key: impl Into<String>,
        label: impl Into<String>,
        report: &Report,
        entry: impl Fn(&Row) -> Option<Entry>,
    ) {
        self.quantities.push(Quantity { key: key.into(), label: label.into() });
        for (line, row) in self.lines.iter_mut().zip(&report.rows) {
            line.push(entry(row));
        }
    }
}

/// A number in a row of a report, for use in other programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The task.
    pub task: String,
    /// The name of the row.
    pub row: String,
    /// The method in words.
    pub method: String,
    /// The name of the quantity, such as a score or `peak_mib`. Scores that are shares are in percent.
    pub quantity: String,
    /// The mean over the runs.
    pub mean: f64,
    /// The standard deviation over the runs.
    pub deviation: Option<f64>,
    /// The lower end of the 95 % confidence interval, for a difference.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// The number of runs.
    pub runs: Option<usize>,
}

impl Report {
    /// All numbers, task by task and row by row.
    pub fn lines(&self) -> Vec<Line> {
        let of_task = |task: &AnyTask| {
            let rows = self.rows.iter().filter(|row| row.task == *task).cloned().collect();
            let report = Self { rows, ..self.clone() };
            Sheet::of(&report).lines_of(&report)
        };
        self.tasks().into_iter().flat_map(of_task).collect()
    }
}

impl Sheet {
    /// The numbers of the rows of `report`, to which this sheet belongs.
    pub fn lines_of(&self, report: &Report) -> Vec<Line> {
        let rows = report.rows.iter().zip(&self.lines);
        let entries = rows.flat_map(|(row, line)| self.quantities.iter().zip(line).map(move |entry| (row, entry)));
        let line = |(row, (quantity, entry)): (&Row, (&Quantity, &Option<Entry>))| {
            let entry = entry.as_ref()?;
            Some(Line {
                task: row.task.name(),
                row: row.name.clone(),
                method: report.method(row),
                quantity: quantity.key.clone(),
                mean: entry.mean,
                deviation: entry.deviation,
                low: entry.interval.map(|interval| interval.0),
                high: entry.interval.map(|interval| interval.1),
                runs: entry.runs,
            })
        };
        entries.filter_map(line).collect()
    }
}

/// A number of one run.
pub(super) struct Number {
    pub key: String,
    pub label: String,
    /// The text for readers.
    pub text: String,
    pub value: Option<f64>,
}

/// The numbers of one run.
pub(super) fn of_run(run: &RunResult, scores: &[Score]) -> Vec<Number> {
    let number = |key: &str, label: String, digits: usize, value: Option<f64>| Number {
        key: key.to_string(),
        label,
        text: value.map_or_else(|| "–".into(), |value| format!("{value:.digits$}")),
        value,
    };
    let score = |score: &Score| {
        let value = run.scores.get(&score.name).map(|found| score.factor() * found);
        number(&score.name, score.heading(), score.digits() + 1, value)
    };
    let steps = number("steps", "steps".into(), 0, Some(run.steps as f64));
    let measured =
        MEASURED.iter().map(|(key, label, digits, value)| number(key, label.to_string(), *digits, value(run)));
    scores.iter().map(score).chain([steps]).chain(measured).collect()
}
