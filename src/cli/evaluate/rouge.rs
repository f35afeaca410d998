//! `asym evaluate rouge`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use asym_tasks::rouge::{Bootstrap, Column, Mean, RougeReport, RougeScore, Texts, VARIANTS};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::FormArgs;

/// Options of `asym evaluate rouge`.
#[derive(Debug, Args)]
pub struct RougeArgs {
    /// File of the summaries: .txt with one summary per line, or .jsonl, .json, .csv, .tsv or .parquet with a column of summaries
    #[arg(long)]
    predictions: PathBuf,
    /// File of the references, in the order of the summaries; both may be columns of the same file
    #[arg(long)]
    references: PathBuf,
    /// The column of the summaries [default: prediction]
    #[arg(long, value_name = "COLUMN")]
    prediction_column: Option<String>,
    /// The column of the references [default: reference]
    #[arg(long, value_name = "COLUMN")]
    reference_column: Option<String>,
    /// Write the scores of each row to this file, a JSON object per line
    #[arg(long, value_name = "JSONL")]
    rows: Option<PathBuf>,
    /// Number of bootstrap samples for the confidence intervals
    #[arg(long, default_value_t = Bootstrap::default().samples)]
    samples: usize,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    form: FormArgs,
}

/// A mean in the JSON or CSV output.
#[derive(Clone, Serialize)]
pub(super) struct Line {
    /// The kind of references, if there are several kinds.
    references: Option<&'static str>,
    score: &'static str,
    /// Precision, recall or F1.
    measure: &'static str,
    /// Between 0 and 1, like its confidence interval.
    mean: f64,
    low: f64,
    high: f64,
}

impl Line {
    /// The means of a report.
    pub(super) fn all(report: &RougeReport, references: Option<&'static str>) -> Vec<Self> {
        let each = VARIANTS.into_iter().zip(report.means).flat_map(|(score, means)| {
            ["precision", "recall", "f1"].into_iter().zip(means).map(move |(measure, mean)| (score, measure, mean))
        });
        each.map(|(score, measure, Mean { mean, low, high })| Self { references, score, measure, mean, low, high })
            .collect()
    }
}

impl RougeArgs {
    /// Score the summaries and print the means.
    pub(super) fn run(&self) -> Result<()> {
        if self.samples == 0 {
            bail!("--samples 0: expected at least one sample");
        }
        if let Some(path) = self.rows.as_ref().filter(|path| path.exists()) {
            bail!("{}: already exists; name another file", path.display());
        }
        let column = |given, default, option| Column { given, default, option };
        let own = column(self.prediction_column.as_deref(), "prediction", "--prediction-column");
        let summaries = Texts::read(&self.predictions, own)?;
        let own = column(self.reference_column.as_deref(), "reference", "--reference-column");
        let references = Texts::read(&self.references, own)?;
        let scores = summaries.scores(&references)?;
        let empty: Vec<String> = summaries.empty().map(|line| line.to_string()).collect();
        if !empty.is_empty() {
            let first = empty[..empty.len().min(10)].join(", ");
            let more = if empty.len() > 10 { ", …" } else { "" };
            crate::cli::note(format!(
                "{}: empty summaries, which score 0: {} of {}, in line {first}{more}",
                self.predictions.display(),
                empty.len(),
                scores.len()
            ));
        }
        if let Some(path) = &self.rows {
            let lines: String = scores.iter().map(|score| row(score).to_string() + "\n").collect();
            asym_core::write_whole(path, lines.as_bytes()).with_context(|| path.display().to_string())?;
        }
        let report = RougeReport::new(&scores, Bootstrap { samples: self.samples, seed: self.seed });
        self.form.print_whole(report.table(), &Line::all(&report, None), &report)?;
        if self.form.is_table() {
            crate::cli::note(format!(
                "{} summaries, in percent; intervals of {} bootstrap samples with seed {}",
                report.summaries, self.samples, self.seed
            ));
        }
        Ok(())
    }
}

/// The scores of a row.
fn row(score: &RougeScore) -> Value {
    let each = score.named().map(|(name, measure)| (name.to_string(), json!(measure)));
    Value::Object(each.collect::<Map<_, _>>())
}
