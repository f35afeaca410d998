//! The command line of `asym` and of the examples: the options, and the library calls that they lead to.

mod chat;
mod classify;
mod command;
mod data;
mod evaluate;
mod experiment;
mod figure1;
mod form;
mod generate;
mod images;
mod inspect;
mod layers;
mod least_squares;
mod merge;
mod messages;
mod output;
mod parameters;
mod predict;
mod pretrain;
mod preview;
mod report;
mod run;
mod similarity;
mod source;
mod submit;
mod summarize;
mod sweep;
mod trained;

pub use classify::{ClassifyArgs, classify};
pub use command::{Args, Command};
pub use data::{DataArgs, data};
pub use evaluate::{EvaluateArgs, evaluate};
pub use experiment::{ExperimentArgs, TableArgs, table_of};
pub use figure1::{Figure1Args, figure1};
use form::FormArgs;
pub use generate::{GenerateArgs, generate};
pub use inspect::{InspectArgs, inspect};
pub use layers::{LayersArgs, layers};
pub use least_squares::{LeastSquaresArgs, least_squares};
pub use merge::{MergeArgs, merge};
pub use parameters::{ParametersArgs, parameters};
pub use predict::{PredictArgs, predict};
pub use pretrain::{PretrainArgs, pretrain};
pub use report::{ReportArgs, report};
pub use run::{RunArgs, RunsArgs, run};
pub use similarity::{SimilarityArgs, similarity};
use source::Location;
pub use source::SourceArgs;
pub use submit::{SubmitArgs, submit};
pub use summarize::{SummarizeArgs, summarize};
pub use sweep::{SweepArgs, sweep};
use trained::Trained;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use asym_core::AdapterError;
use asym_data::hub::may_be_repo;
use asym_models::{Checkpoint, FileDtype, Loaded, ModelClass, PretrainedModel, load_adapter};
use asym_tasks::Recipe;
use burn::tensor::{Device, FloatDType};
use clap::ValueEnum;

use crate::embedded::Embedded;

/// Locate the given model, or the base model of the adapter.
fn locate(source: &SourceArgs, model: Option<&str>, adapter: Option<&Path>) -> Result<Location> {
    match (model, adapter) {
        (Some(model), _) => source.model(model),
        (None, Some(adapter)) => match asym_core::base_model(adapter) {
            Ok(Some(path)) => Ok(Location::Folder { name: path.display().to_string(), path }),
            Ok(None) => bail!("{}: the adapter names no base model; give its folder with --model", adapter.display()),
            Err(AdapterError::BaseModel { name, .. }) if Embedded::named(&name).is_some() || may_be_repo(&name) => {
                source
                    .model(&name)
                    .with_context(|| format!("{}: its base model is {name}; --model overrides it", adapter.display()))
            }
            Err(error) => Err(error.into()),
        },
        (None, None) => bail!("give a --model, or an --adapter that names its base model"),
    }
}

/// The recipe of the run that saved this adapter or model. It is in the folder of the adapter or model, or in the parent folder.
/// `None` if there is no recipe.
fn run_beside(folder: &Path) -> Result<Option<Recipe>> {
    let Ok(folder) = folder.canonicalize() else { return Ok(None) };
    let places = [Some(folder.as_path()), folder.parent()];
    let recipe = places.into_iter().flatten().map(|place| place.join("recipe.toml")).find(|path| path.is_file());
    let Some(path) = recipe else { return Ok(None) };
    // Other programs use this file name too. Every recipe of asym has the key `tasks`.
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if !text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("tasks")) {
        note(format!("{}: ignored, since it is not a recipe of asym", path.display()));
        return Ok(None);
    }
    Ok(Some(Recipe::read(&path, &[])?))
}

/// `labels`, with the index appended to labels that have the same name. Otherwise, one label would overwrite another in a JSON
/// object.
fn distinct(labels: &[String]) -> Vec<String> {
    let repeated = |label: &String| labels.iter().filter(|other| *other == label).count() > 1;
    let name = |(id, label): (usize, &String)| if repeated(label) { format!("{label} ({id})") } else { label.clone() };
    labels.iter().enumerate().map(name).collect()
}

/// The lines of a file, or of standard input if the path is `-`.
fn lines(path: &Path) -> Result<Vec<String>> {
    use std::io::BufRead;
    let reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(std::fs::File::open(path).with_context(|| path.display().to_string())?))
    };
    let line =
        |(at, line): (usize, std::io::Result<String>)| line.with_context(|| format!("{}:{}", path.display(), at + 1));
    let mut lines = reader.lines().enumerate().map(line).collect::<Result<Vec<String>>>()?;
    // Editors on Windows begin a file with a byte order mark.
    if let Some(first) = lines.first_mut().filter(|first| first.starts_with('\u{feff}')) {
        first.drain(..'\u{feff}'.len_utf8());
    }
    Ok(lines)
}

/// The model class of a checkpoint, with or without an adapter.
fn class(checkpoint: &Checkpoint, adapter: Option<&Path>) -> Result<ModelClass> {
    let purpose = adapter.map(asym_core::read_purpose).transpose()?;
    Ok(checkpoint.class(adapter.zip(purpose.as_ref()))?)
}

/// The configuration of the model `M`, with the changes that an adapter makes to it.
fn adapted_config<M: PretrainedModel>(checkpoint: &Checkpoint, adapter: Option<&Path>) -> Result<M::Config> {
    let own = checkpoint.config_of::<M::Config>()?;
    Ok(match adapter {
        Some(folder) => asym_models::adapted_config::<M>(own, folder)?,
        None => own.clone(),
    })
}

/// Load a model on a device without autodiff. The checkpoint or the adapter must contain the trained head.
///
/// If `merged` is set, the adapter is merged. For f16, a model with an adapter is loaded in f32 and converted at the end.
fn trained<M: PretrainedModel>(
    name: &str,
    checkpoint: &Checkpoint,
    adapter: Option<&Path>,
    (outputs, dtype, merged): (Option<usize>, FloatDType, bool),
    device: &Device,
) -> Result<M> {
    checkpoint.check_dtype(dtype, device)?;
    // The head in the adapter determines the number of labels.
    let outputs = match (outputs, adapter) {
        (None, Some(folder)) => asym_models::adapter_outputs(folder)?,
        (given, _) => given,
    };
    let first = if adapter.is_some() && dtype == FloatDType::F16 { FloatDType::F32 } else { dtype };
    // The head in the adapter replaces the head of the checkpoint, which may have a different size.
    let loaded = match outputs.filter(|_| adapter.is_some()) {
        Some(outputs) if outputs != checkpoint.config().labels().len() => {
            let own = checkpoint.load_as::<M>(None, 0, first, device)?;
            checkpoint.redraw(&own, (Some(outputs), true), 0, device)?
        }
        _ => checkpoint.load_as::<M>(outputs, 0, first, device)?,
    };
    let Loaded { mut model, initialized: mut untrained, .. } = loaded;
    if let Some(folder) = adapter {
        let (adapted, config) = load_adapter(model, folder)?;
        untrained.retain(|name| !config.modules_to_save.iter().any(|module| name.starts_with(&format!("{module}."))));
        model = if merged { asym_models::merge(adapted) } else { adapted };
        if dtype != first {
            model = asym_core::layout::cast(model, dtype);
        }
    }
    // transformers uses zeros if the checkpoint has no such bias.
    untrained.retain(|name| name != "final_logits_bias");
    if !untrained.is_empty() {
        bail!(
            "{name}: no trained head: {} are not in the checkpoint{}",
            untrained.join(", "),
            match adapter {
                Some(_) => ", nor among the modules saved in the adapter",
                None => "; give the --adapter that contains the trained head",
            }
        );
    }
    Ok(model)
}

/// The dtype that a model computes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    /// 32-bit floats
    #[default]
    F32,
    /// All parameters in 16-bit floats (IEEE); not available in training
    F16,
    /// Frozen weights of linear layers and embeddings in 16-bit floats with the range of f32, all other parameters in f32
    Bf16,
}

impl Dtype {
    /// The dtype of the computation.
    const fn computed(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::F16 => FloatDType::F16,
            Self::Bf16 => FloatDType::BF16,
        }
    }

    /// The dtype in a file.
    const fn stored(self) -> FileDtype {
        match self {
            Self::F32 => FileDtype::F32,
            Self::F16 => FileDtype::F16,
            Self::Bf16 => FileDtype::BF16,
        }
    }
}

/// Print a line. It is not an error if the reader closes the pipe, as `head` does. On a terminal, control characters are escaped,
/// since the terminal could interpret them as commands. Other outputs get all characters unchanged.
fn say(line: impl std::fmt::Display) -> Result<()> {
    use std::io::{ErrorKind, IsTerminal, Write};
    let mut out = std::io::stdout();
    let written =
        if out.is_terminal() { writeln!(out, "{}", printable(&line.to_string())) } else { writeln!(out, "{line}") };
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Print a message to standard error. Errors are ignored: the terminal may be gone, and a run must still be saved.
fn note(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{}", printable(&line.to_string()));
}

/// The text with its control characters escaped. Control characters from a file could change the display of a terminal.
fn printable(text: &str) -> String {
    let is_command = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_command(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// The maximum length of a message, in characters. A file of the wrong format may contain a name or a cell of any length.
const LONGEST_MESSAGE: usize = 4000;

/// The message, reduced to its beginning and its end if it is too long. The end often says what to do.
fn shortened(message: &str) -> String {
    let length = message.chars().count();
    if length <= LONGEST_MESSAGE {
        return message.to_string();
    }
    let first: String = message.chars().take(LONGEST_MESSAGE * 3 / 4).collect();
    let last: String = message.chars().skip(length - LONGEST_MESSAGE / 4).collect();
    format!("{first} [… {} characters …] {last}", length - LONGEST_MESSAGE)
}

/// Print the error, if there is one, and return the exit code of the program.
///
/// The library's messages contain their causes. A cause is printed only if the message does not contain it yet.
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
    note(format!("error: {}", shortened(&message)));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[2J\r\u{9b}é\n\tb"), "a\\u{1b}[2J\\r\\u{9b}é\n\tb");
    }

    #[test]
    fn shortened_messages_keep_their_beginning_and_end() {
        let short = "x".repeat(LONGEST_MESSAGE);
        assert_eq!(shortened(&short), short);
        let long = format!("file.tsv:1: {}; check that it is the right file", "é".repeat(1 << 20));
        let found = shortened(&long);
        assert!(found.chars().count() < LONGEST_MESSAGE + 50, "{}", found.len());
        assert!(found.starts_with("file.tsv:1: é") && found.ends_with("é; check that it is the right file"));
    }
}
