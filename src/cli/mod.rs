//! What the `asym` command and the examples share: their options, and what happens before and after the library's work.

mod classify;
mod data;
mod experiment;
mod inspect;
mod predict;
mod pretrain;
mod run;
mod source;
mod submit;

pub use classify::{ClassifyArgs, classify};
pub use data::{DataArgs, data};
pub use experiment::{ExperimentArgs, TableArgs, glue};
pub use inspect::{InspectArgs, inspect};
pub use predict::{PredictArgs, predict};
pub use pretrain::{PretrainArgs, pretrain};
pub use run::{RunArgs, run};
pub use source::SourceArgs;
pub use submit::{SubmitArgs, submit};

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use asym_core::{AdapterError, load_adapter};
use asym_models::{Checkpoint, SequenceClassifier};
use asym_tasks::{Base, Split, Task};
use burn::tensor::Device;

use crate::embedded;

/// Where a base model is.
enum Location {
    /// Compiled in.
    Embedded,
    /// A folder, and what it is called in messages and in adapters.
    Folder { name: String, path: PathBuf },
}

impl Location {
    /// The model given, else the one that the adapter names.
    fn find(source: &SourceArgs, model: Option<&str>, adapter: Option<&Path>) -> Result<Self> {
        let of = |name: String| match name == embedded::NAME {
            true => Ok(Self::Embedded),
            false => Ok(Self::Folder { path: source.model_folder(&name)?, name }),
        };
        match (model, adapter) {
            (Some(model), _) => of(model.to_string()),
            (None, Some(adapter)) => match asym_core::base_model(adapter) {
                Ok(Some(path)) => Ok(Self::Folder { name: path.display().to_string(), path }),
                Ok(None) => bail!("{}: names no base model; give its folder with --model", adapter.display()),
                Err(AdapterError::BaseModel { name, .. })
                    if name == embedded::NAME || asym_tasks::hub::looks_like_repo(&name) =>
                {
                    of(name)
                }
                Err(error) => Err(error.into()),
            },
            (None, None) => bail!("give a --model, or an --adapter that names its base"),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Embedded => embedded::NAME,
            Self::Folder { name, .. } => name,
        }
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        match self {
            Self::Embedded => Ok(embedded::roberta_mini()?.checkpoint),
            Self::Folder { path, .. } => Ok(Checkpoint::open(path)?),
        }
    }

    fn base(&self) -> Result<Base> {
        match self {
            Self::Embedded => Ok(embedded::roberta_mini()?),
            Self::Folder { name, path } => Ok(Base::open(path)?.named(name)),
        }
    }
}

/// A classifier whose head is trained, by the checkpoint or by the adapter, on the plain device.
fn classifier(
    name: &str,
    checkpoint: &Checkpoint,
    adapter: Option<&Path>,
    outputs: Option<usize>,
    device: &Device,
) -> Result<SequenceClassifier> {
    let loaded = checkpoint.sequence_classifier(outputs, 0, device)?;
    let naming = loaded.model.naming();
    let mut untrained = loaded.initialised;
    let mut model = loaded.model;
    if let Some(folder) = adapter {
        let (adapted, config) = load_adapter(model, folder, &naming)?;
        untrained.retain(|name| !config.modules_to_save.iter().any(|module| name.starts_with(&format!("{module}."))));
        model = adapted;
    }
    if !untrained.is_empty() {
        bail!(
            "{name}: no trained head: {} are not in the checkpoint{}",
            untrained.join(", "),
            match adapter {
                Some(_) => ", nor among the modules that the adapter saves",
                None => "; give the --adapter that was trained with it",
            }
        );
    }
    Ok(model)
}

/// A classifier and what it was made from, for texts.
fn adapted(
    source: &SourceArgs,
    model: Option<&str>,
    adapter: Option<&Path>,
    outputs: Option<usize>,
    device: &Device,
) -> Result<(Base, SequenceClassifier)> {
    let base = Location::find(source, model, adapter)?.base()?;
    let model = classifier(base.name(), &base.checkpoint, adapter, outputs, device)?;
    Ok((base, model))
}

/// What is said of a task's data before it is used.
fn describe(task: Task, split: &Split) -> String {
    let sets: Vec<String> =
        split.dev.iter().map(|part| format!("{} to measure on ({})", part.examples.len(), part.source)).collect();
    let train = &split.train;
    format!("{task}: {} training examples ({}), {}", train.examples.len(), train.source, sets.join(", "))
}

/// Print a line. Whoever reads may have seen enough, as `head` has: that is no error, nor a reason to stop.
fn say(line: impl std::fmt::Display) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
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
