//! `asym parameters`: counts the trainable parameters of the rows in the paper's tables.

use anyhow::Result;
use asym_analysis::counts;
use clap::Args;
use serde::Serialize;

use super::FormArgs;
use crate::device;

/// Options of `asym parameters`.
#[derive(Debug, Args)]
pub struct ParametersArgs {
    #[command(flatten)]
    form: FormArgs,
}

/// A count in the JSON or CSV output.
#[derive(Serialize)]
struct Line {
    model: String,
    /// The numbers of the paper's tables with this row, separated by spaces.
    tables: String,
    method: String,
    /// The number of classes of the head; 0 for a language model.
    labels: usize,
    adapter: usize,
    frozen_factors: usize,
    head: usize,
    /// The parameters of the model without head and adapter.
    body: usize,
    /// The number in the paper, as printed.
    paper: String,
}

/// Print the number of trainable parameters of every row in the paper's tables, next to the number in the paper. The
/// counts come from the models' configurations.
///
/// # Errors
///
/// Returns an error if there is no device.
pub fn parameters(args: &ParametersArgs) -> Result<()> {
    let device = device::default_device()?;
    if args.form.is_table() {
        return super::say(counts::report(&device)?);
    }
    let mut lines = Vec::new();
    for row in counts::rows()? {
        for count in row.counts(&device)? {
            lines.push(Line {
                model: row.model.clone(),
                tables: row.tables.clone(),
                method: row.method()?,
                labels: count.labels,
                adapter: count.adapter,
                frozen_factors: count.frozen_factors,
                head: count.head,
                body: count.body,
                paper: row.printed.clone(),
            });
        }
    }
    args.form.print("", &lines)
}
