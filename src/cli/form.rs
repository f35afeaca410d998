//! Tables in formats for other programs: JSON and CSV.

use std::fmt::Display;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// The format of a printed table.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct FormArgs {
    /// Print the numbers as JSON instead of a table
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the numbers as CSV instead of a table
    #[arg(long)]
    csv: bool,
}

impl FormArgs {
    /// Whether a table is printed, and not JSON or CSV.
    pub(super) fn is_table(self) -> bool {
        !self.json && !self.csv
    }

    /// Print `table`, or its numbers in JSON or CSV, with an object or a row for each item of `lines`. An item must not contain
    /// lists.
    pub(super) fn print<L: Serialize>(self, table: impl Display, lines: &[L]) -> Result<()> {
        self.print_whole(table, lines, &lines)
    }

    /// Like [`print`](Self::print), but with `whole` as the JSON.
    pub(super) fn print_whole<L: Serialize>(
        self,
        table: impl Display,
        lines: &[L],
        whole: &impl Serialize,
    ) -> Result<()> {
        if self.json {
            return super::say(serde_json::to_string_pretty(whole)?);
        }
        if !self.csv {
            return super::say(table);
        }
        let mut rows = csv::Writer::from_writer(Vec::new());
        lines.iter().try_for_each(|line| rows.serialize(line))?;
        super::say(String::from_utf8_lossy(&rows.into_inner()?).trim_end())
    }
}
