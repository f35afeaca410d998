//! What the `asym` command and the examples share: their options, and what happens before and after the library's work.

mod experiment;
mod inspect;
mod predict;

pub use experiment::{ExperimentArgs, glue};
pub use inspect::{InspectArgs, inspect};
pub use predict::{PredictArgs, predict};
