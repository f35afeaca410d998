//! What the `asym` command and the examples share: their options, and what happens before and after the library's work.

mod experiment;
mod inspect;
mod predict;
mod pretrain;

pub use experiment::{ExperimentArgs, glue};
pub use inspect::{InspectArgs, inspect};
pub use predict::{PredictArgs, predict};
pub use pretrain::{PretrainArgs, pretrain};

use std::process::ExitCode;

/// End a program: print what went wrong, once, and say so by the exit code.
///
/// The library's messages contain their causes, so that a chain is printed only as far as it adds anything.
pub fn exit(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
