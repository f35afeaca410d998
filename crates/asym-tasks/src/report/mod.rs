//! The results of runs: a table for a terminal and a report with figures, both created from the folders of runs.

mod figures;
mod gather;
mod page;
mod rows;
mod sheet;
mod status;
mod table;
mod write;

#[cfg(test)]
mod tests;

pub use self::gather::Gathered;
pub use self::rows::{Choosing, Difference, Report, Row};
pub use self::sheet::Line;
pub use self::status::{RunStatus, Status};
