//! What the `asym` command and the examples share: their options, and what happens before and after the library's work.

mod experiment;
mod inspect;
mod predict;
mod pretrain;

pub use experiment::{ExperimentArgs, glue};
pub use inspect::{InspectArgs, inspect};
pub use predict::{PredictArgs, predict};
pub use pretrain::{PretrainArgs, pretrain};

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use asym_core::AdapterError;
use asym_models::Checkpoint;

use crate::embedded;

/// The base model: the folder given, else the one that the adapter names. With what it is called in messages.
fn base_model(model: Option<&Path>, adapter: Option<&Path>) -> Result<(String, Checkpoint)> {
    let folder = match (model, adapter) {
        (Some(model), _) => model.to_path_buf(),
        (None, Some(adapter)) => match asym_core::base_model(adapter) {
            Ok(Some(folder)) => folder,
            Ok(None) => bail!("{}: names no base model; give its folder with --model", adapter.display()),
            Err(AdapterError::BaseModel { name, .. }) if name == embedded::NAME => {
                return Ok((name, embedded::roberta_mini()?.checkpoint));
            }
            Err(error) => return Err(error.into()),
        },
        (None, None) => bail!("give a --model, or an --adapter that names its base"),
    };
    Ok((folder.display().to_string(), Checkpoint::open(&folder)?))
}

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
