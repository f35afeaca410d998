//! `asym parameters`: what the paper's rows train, counted.

use anyhow::Result;

use crate::device;

/// Print the trained parameters of every row in the paper's tables, counted from the models' configurations, beside what the
/// paper prints.
///
/// # Errors
///
/// A device that is not there.
pub fn parameters() -> Result<()> {
    super::say(asym_analysis::counts::table(&device::default_device()?)?)
}
