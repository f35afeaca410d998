//! `asym parameters`: counts the trainable parameters of the paper's rows.

use anyhow::Result;

use crate::device;

/// Print the number of trainable parameters of every row in the paper's tables, next to the number in the paper. They
/// are counted from the models' configurations.
///
/// # Errors
///
/// Returns an error if there is no device.
pub fn parameters() -> Result<()> {
    super::say(asym_analysis::counts::report(&device::default_device()?)?)
}
