//! The table of results.

use std::fmt;

use asym_train::{RunResult, Tuning};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::metrics::Summary;
use crate::registry::AnyTask;
use crate::task::{PaperScore, Score, Unit};

/// The table: a row per method and task. Its `Display` is Markdown.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    /// Runs that failed, and why.
    pub failed: Vec<String>,
    /// The row with which the other rows of its task are compared, seed by seed.
    pub reference: Option<Tuning>,
}

/// One method on one task, and its runs.
#[derive(Clone, Debug)]
pub struct Row {
    /// The task.
    pub task: AnyTask,
    /// The method of fine-tuning.
    pub tuning: Tuning,
    /// One finished run per seed.
    pub runs: Vec<RunResult>,
}

impl Row {
    /// Mean and standard deviation of a score over the runs, in its unit: in percent if it is a share.
    pub fn score(&self, score: &Score) -> Option<Summary> {
        self.summary(|run| run.scores.get(&score.name).copied()).map(|summary| summary.scaled(score.factor()))
    }

    fn summary(&self, value: impl Fn(&RunResult) -> Option<f64>) -> Option<Summary> {
        let values: Vec<f64> = self.runs.iter().filter_map(value).collect();
        Summary::of(&values)
    }
}

impl Report {
    /// Create a table of `task`, with one row per method and no runs.
    pub fn new<'a>(task: &AnyTask, methods: impl IntoIterator<Item = &'a Tuning>) -> Self {
        let row = |tuning: &Tuning| Row { task: task.clone(), tuning: tuning.clone(), runs: Vec::new() };
        Self { rows: methods.into_iter().map(row).collect(), ..Self::default() }
    }

    /// The rows, in the order of the methods.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Add a run to the row with this number. The run is ignored if there is no such row.
    pub fn add(&mut self, row: usize, run: RunResult) {
        if let Some(row) = self.rows.get_mut(row) {
            row.runs.push(run);
        }
    }

    /// Append the rows of another table.
    pub fn append(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.failed.append(&mut other.failed);
        self.reference = self.reference.take().or(other.reference);
    }

    /// The difference between the score of each row and that of the reference row of its task, in its unit. The mean is
    /// taken over the seeds that both rows have. Pairing by seed removes the variance from the initialization of the
    /// head and from the order of the examples.
    fn differences(&self) -> impl Iterator<Item = (&Row, Score, Summary)> {
        let reference = |task: &AnyTask| {
            let is = |row: &&Row| row.task == *task && Some(&row.tuning) == self.reference.as_ref();
            self.rows.iter().find(is)
        };
        self.rows.iter().filter(|row| Some(&row.tuning) != self.reference.as_ref()).filter_map(move |row| {
            let headline = row.task.scores().into_iter().next()?;
            let score = |run: &RunResult| run.scores.get(&headline.name).copied();
            let reference = reference(&row.task)?;
            let pairs = row.runs.iter().filter_map(|run| {
                let other = reference.runs.iter().find(|other| other.seed == run.seed)?;
                Some(headline.factor() * (score(run)? - score(other)?))
            });
            let difference = Summary::of(&pairs.collect::<Vec<_>>())?;
            Some((row, headline, difference))
        })
    }

    /// The scores that have their own columns, if all rows belong to one task.
    fn columns(&self) -> Option<Vec<Score>> {
        let task = &self.rows.first()?.task;
        self.rows.iter().all(|row| row.task == *task).then(|| task.scores())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        // A column has room for the headline; a paper that gives more scores has rows of its own.
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
                // Costs stand beside shares as they are.
                let units = if scores.into_iter().any(|score| score.unit == Unit::Cost) {
                    ["value", "further"]
                } else {
                    ["%", "further %"]
                };
                header.extend(["task", "method", "seeds", "score"].into_iter().chain(units).map(Into::into));
            }
        }
        header.extend(["trained", "share %", "s / run", "train/s", "eval/s", "input %", "peak MiB"].map(Into::into));
        let paper = self.rows.iter().find_map(|row| row.task.paper_model()).filter(|_| !paper_rows);
        header.extend(paper.map(|model| paper_header(model, columns.as_deref())));

        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN).set_header(header);
        let words = if columns.is_some() { 1 } else { 2 };
        for column in table.column_iter_mut().skip(words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            table.add_row(cells(row, columns.as_deref(), paper.is_some()));
            let scores = row.task.paper(&row.tuning);
            if let Some(columns) = columns.as_deref().filter(|_| paper_rows && !scores.is_empty()) {
                table.add_row(paper_cells(row, &scores, columns));
            }
        }
        write!(f, "{table}")?;
        let is_cost = |row: &Row| row.task.scores().first().is_some_and(|score| score.unit == Unit::Cost);
        let all_costs = self.rows.iter().all(is_cost);
        if let Some(reference) = &self.reference {
            let unit = if all_costs { "less is better," } else { "in percent" };
            write!(f, "\n\nAgainst {reference}, seed by seed, {unit} with 95 % confidence intervals:")?;
        }
        for (row, score, difference) in self.differences() {
            let digits = score.digits() + 1;
            write!(f, "\n- {}, {}, {}: {:+.digits$}", row.task, row.tuning, score.name, difference.mean)?;
            if let Some(margin) = difference.margin() {
                let (low, high) = (difference.mean - margin, difference.mean + margin);
                write!(f, " ({low:+.digits$} to {high:+.digits$}, {} seeds)", difference.n)?;
            }
            if score.unit == Unit::Cost && !all_costs {
                write!(f, "; as it is, and less is better")?;
            }
        }
        self.failed.iter().try_for_each(|failed| write!(f, "\n- failed: {failed}"))
    }
}

/// Whether the paper has one of the `columns` for a row.
fn has_any(row: &Row, columns: &[Score]) -> bool {
    let scores = row.task.paper(&row.tuning);
    scores.iter().any(|score| columns.iter().any(|column| column.name == score.score))
}

/// The header of the paper's column: its score, if all rows have the same, and its model.
fn paper_header(model: &str, columns: Option<&[Score]>) -> String {
    let headline = columns.and_then(|scores| scores.first());
    let headline = headline.map_or_else(String::new, |score| format!("{} ", score.name));
    format!("paper: {headline}% ({model})")
}

fn cells(row: &Row, columns: Option<&[Score]>, paper: bool) -> Vec<String> {
    let missing = || "-".to_string();
    let number = |summary: Option<Summary>, digits: usize| {
        summary.map_or_else(missing, |summary| format!("{:.digits$}", summary.mean))
    };
    let score = |score: &Score| {
        let digits = score.digits();
        row.score(score).map_or_else(missing, |summary| format!("{summary:.digits$}"))
    };
    let (method, seeds) = (row.tuning.to_string(), row.runs.len().to_string());
    let mut cells = match columns {
        Some(scores) => [method, seeds].into_iter().chain(scores.iter().map(score)).collect::<Vec<_>>(),
        None => {
            let scores = row.task.scores();
            let further = |further: &Score| format!("{} {}", further.name, score(further));
            let further: Vec<String> = scores.iter().skip(1).map(further).collect();
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
    if paper {
        let headline = row.task.scores().into_iter().next();
        cells.push(headline.map_or_else(missing, |headline| paper_cell(&row.task.paper(&row.tuning), &headline)));
    }
    cells
}

/// The paper's scores of the same method, in the columns of ours.
fn paper_cells(row: &Row, scores: &[PaperScore], columns: &[Score]) -> Vec<String> {
    let model = row.task.paper_model().unwrap_or_default();
    let cells = columns.iter().map(|column| paper_cell(scores, column));
    [format!("  paper ({model})"), String::new()].into_iter().chain(cells).collect()
}

/// One of the paper's scores.
fn paper_cell(scores: &[PaperScore], column: &Score) -> String {
    match scores.iter().find(|score| score.score == column.name) {
        Some(PaperScore { mean, std: Some(std), .. }) => format!("{mean} ± {std}"),
        Some(PaperScore { mean, .. }) => mean.to_string(),
        None => "-".to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use asym_core::AdapterConfig;
    use asym_train::{Epoch, Outcome, Pace, Scores};

    use super::*;

    fn task(name: &str) -> AnyTask {
        name.parse().unwrap()
    }

    fn run(seed: u64, scores: &[(&str, f64)]) -> RunResult {
        let dev: Scores = scores.iter().map(|(name, score)| (name.to_string(), *score)).collect();
        let outcome = Outcome {
            epochs: vec![Epoch { epoch: 1, train: Scores::new(), dev }],
            training: Pace { examples: 300, seconds: 2.0, input_seconds: 0.5 },
            seconds: 3.0,
            ..Outcome::default()
        };
        RunResult::new(("mrpc".into(), "method".into(), seed), &outcome, (50, 2000))
    }

    fn mrpc(accuracy: [f64; 3]) -> Vec<RunResult> {
        let run = |(seed, accuracy): (u64, f64)| run(seed, &[("accuracy", accuracy), ("f1", 0.5)]);
        (1..).zip(accuracy).map(run).collect()
    }

    fn lines(report: &Report) -> Vec<String> {
        report.to_string().lines().map(ToString::to_string).collect()
    }

    /// 0.8, 0.9, 1.0: mean 90, sample deviation 10, by hand.
    #[test]
    fn a_row_has_means_deviations_and_the_papers_score() {
        let (lora, head) = (Tuning::Adapter(AdapterConfig::lora(8)), Tuning::Head);
        let mut report = Report::new(&task("mrpc"), [&lora, &head]);
        mrpc([0.8, 0.9, 1.0]).into_iter().for_each(|run| report.add(0, run));
        let lines = lines(&report);
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
        let header = cells(&lines[0]);
        let at = |line: &str, name: &str| cells(line)[header.iter().position(|cell| cell == name).unwrap()].clone();
        for (name, expected) in [
            ("seeds", "3"),
            ("accuracy %", "90.0 ± 10.0"),
            ("f1 %", "50.0 ± 0.0"),
            ("trained", "50"),
            ("share %", "2.500"),
            ("s / run", "3.0"),
            ("train/s", "150"),
            ("input %", "25.00"),
            // Table 10 of the paper, MRPC, LoRA r = 8.
            ("paper: accuracy % (RoBERTa-large)", "90.3 ± 0.85"),
        ] {
            assert_eq!(at(&lines[2], name), expected, "{name}");
        }
        // A method without a run, and without a score in the paper.
        for (name, expected) in [("seeds", "0"), ("accuracy %", "-"), ("trained", "-"), ("s / run", "-")] {
            assert_eq!(at(&lines[3], name), expected, "{name}");
        }
        assert_eq!(lines.len(), 4, "no comparison was asked for");
    }

    /// Tables 7, 11 and 13 of the paper, PACS, linear probing.
    #[test]
    fn a_paper_with_several_scores_has_rows_of_its_own() {
        let mut report = Report::new(&task("pacs"), [&Tuning::Head, &Tuning::Adapter(AdapterConfig::lora(3))]);
        report.add(0, run(1, &[("ood", 0.5), ("id", 0.75), ("photo", 0.25)]));
        let lines = lines(&report);
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
        let header = cells(&lines[0]);
        let at = |line: &str, name: &str| cells(line)[header.iter().position(|cell| cell == name).unwrap()].clone();
        assert!(!lines[0].contains("paper"), "{}", lines[0]);
        for (name, ours, papers) in [
            ("method", "head only", "paper (ViT)"),
            ("ood %", "50.0", "61.73"),
            ("id %", "75.0", "81.62 ± 0.34"),
            ("photo %", "25.0", "88.8 ± 1.43"),
            ("sketch %", "-", "28.72 ± 1.7"),
        ] {
            assert_eq!((at(&lines[2], name).as_str(), at(&lines[3], name).as_str()), (ours, papers), "{name}");
        }
        assert_eq!(lines.len(), 5, "the paper has no LoRA of rank 3");
    }

    #[test]
    fn several_tasks_have_a_column_for_their_score() {
        let mut report = Report::new(&task("mrpc"), [&Tuning::Head]);
        mrpc([0.8, 0.8, 0.8]).into_iter().for_each(|run| report.add(0, run));
        let mut other = Report::new(&task("stsb"), [&Tuning::Head]);
        other.add(0, run(1, &[("pearson", 0.25), ("spearman", 0.5)]));
        other.failed.push("STS-B head seed 2: too hot".to_string());
        report.append(other);
        let lines = lines(&report);
        assert!(lines[2].contains("| MRPC") && lines[2].contains("| accuracy") && lines[2].contains("f1 50.0"));
        assert!(lines[3].contains("| STS-B") && lines[3].contains("25.0 |") && lines[3].contains("spearman 50.0"));
        assert_eq!(lines[4], "- failed: STS-B head seed 2: too hot");
    }

    /// Losses are no percentages, and the paper's scores on MMLU are no scores of training.
    #[test]
    fn a_loss_is_printed_as_it_is_and_less_of_it_is_better() {
        let (lora, head) = (Tuning::Adapter(AdapterConfig::lora(32)), Tuning::Head);
        let mut report = Report::new(&task("alpaca"), [&lora, &head]);
        report.reference = Some(head.clone());
        for (row, losses) in [(0, [1.5, 1.25]), (1, [2.0, 2.25])] {
            (1..)
                .zip(losses)
                .for_each(|(seed, loss)| report.add(row, run(seed, &[("loss", loss), ("perplexity", 9.0)])));
        }
        let lines = lines(&report);
        let cells: Vec<&str> = lines[2].split('|').map(str::trim).collect();
        assert_eq!(cells[1..5], ["LoRA r=32", "2", "1.3750 ± 0.1768", "9.0000 ± 0.0000"]);
        assert!(
            lines[0].contains(" loss | ") && !lines[0].contains("loss %") && !lines[0].contains("paper"),
            "{}",
            lines[0]
        );
        assert!(
            lines.iter().any(|line| line.starts_with("Against head only, seed by seed, less is better,")),
            "{lines:?}"
        );
        assert!(lines[lines.len() - 1].starts_with("- Alpaca, LoRA r=32, loss: -0.75000 ("), "{lines:?}");
        // Beside a task with shares.
        let mut other = Report::new(&task("mrpc"), [&head]);
        mrpc([0.8, 0.8, 0.8]).into_iter().for_each(|run| other.add(0, run));
        report.append(other);
        let lines: Vec<String> = report.to_string().lines().map(ToString::to_string).collect();
        assert!(lines[0].contains("| value") || lines[0].contains(" value |"), "{}", lines[0]);
        assert!(lines.iter().any(|line| line.ends_with("; as it is, and less is better")), "{lines:?}");
    }

    /// By seed: +1, +2, +3, a mean of 2 with deviation 1. Student's t of 2 degrees of freedom at 97.5 % is 4.3027, so that the
    /// margin is 4.3027 / √3 = 2.48.
    #[test]
    fn rows_are_compared_seed_by_seed() {
        let (lora, head, full) = (Tuning::Adapter(AdapterConfig::lora(8)), Tuning::Head, Tuning::Full);
        let mut report = Report::new(&task("mrpc"), [&lora, &head, &full]);
        report.reference = Some(head.clone());
        mrpc([0.51, 0.72, 0.93]).into_iter().for_each(|run| report.add(0, run));
        mrpc([0.50, 0.70, 0.90]).into_iter().for_each(|run| report.add(1, run));
        // One seed in common, and one that the reference lacks.
        report.add(2, run(2, &[("accuracy", 0.69)]));
        report.add(2, run(9, &[("accuracy", 0.99)]));
        let lines = lines(&report);
        let found: Vec<&String> = lines.iter().filter(|line| line.starts_with("- ")).collect();
        assert!(lines.iter().any(|line| line.starts_with("Against head only, seed by seed")), "{lines:?}");
        assert_eq!(found[0], "- MRPC, LoRA r=8, accuracy: +2.00 (-0.48 to +4.48, 3 seeds)");
        assert_eq!(found[1], "- MRPC, full fine-tuning, accuracy: -1.00");
        assert_eq!(found.len(), 2, "the reference is not compared with itself");
    }
}
