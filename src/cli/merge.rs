//! `asym merge`: merges an adapter into its checkpoint.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_models::{Checkpoint, PretrainedModel, WithModel, save};
use burn::tensor::{Device, FloatDType};
use clap::Args;

use super::{Dtype, SourceArgs, locate, trained};
use crate::device;

/// Options of `asym merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long)]
    model: Option<String>,
    /// Adapter in PEFT format: a folder, or a name on the Hub
    #[arg(long)]
    adapter: PathBuf,
    /// Output folder, which must not exist yet; transformers can load the result
    #[arg(long)]
    output: PathBuf,
    /// Number of labels of the classifier, if the adapter has the head [default: from the adapter's run, else
    /// from its head]
    #[arg(long)]
    num_labels: Option<usize>,
    /// Dtype of the merged weights [default: the dtype of the checkpoint]
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    #[command(flatten)]
    source: SourceArgs,
}

/// The files of a checkpoint that are copied with its weights.
const COMPANIONS: &[&str] = &[
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "chat_template.jinja",
];

/// Merge the adapter into the weights and write the checkpoint, with the tokenizer and the other files of the model.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if it does not fit the model, if the output exists, or if neither the
/// checkpoint nor the adapter has a trained head.
pub fn merge(args: &MergeArgs) -> Result<()> {
    if args.output.exists() {
        bail!("{}: already exists; name another output folder", args.output.display());
    }
    let device = device::default_device()?;
    let adapter = &args.source.adapter(Some(&args.adapter))?.unwrap_or_default();
    let location = locate(&args.source, args.model.as_deref(), Some(adapter))?;
    let checkpoint = location.checkpoint()?;
    let class = super::class(&checkpoint, Some(adapter))?;
    // The files are first written to a folder with another name, so that a folder with the final name is always complete.
    let mut part = args.output.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    // A folder left by a killed process is incomplete.
    let _ = std::fs::remove_dir_all(&part);
    let whole = class
        .visit(Merge { args, name: location.name(), adapter, checkpoint: &checkpoint, device: &device, output: &part })
        .and_then(|()| match location.folder() {
            Some(folder) => companions(folder, &part),
            None => Ok(location.base()?.save_inputs(&part)?),
        })
        .and_then(|()| std::fs::rename(&part, &args.output).with_context(|| args.output.display().to_string()));
    if whole.is_err() {
        // The first error is the more useful one, so an error of the removal is ignored.
        let _ = std::fs::remove_dir_all(&part);
    }
    whole?;
    super::say(format!("{}: {} with {} merged", args.output.display(), location.name(), args.adapter.display()))
}

struct Merge<'a> {
    args: &'a MergeArgs,
    name: &'a str,
    adapter: &'a Path,
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    output: &'a Path,
}

impl WithModel for Merge<'_> {
    type Output = Result<()>;

    fn with<M: PretrainedModel>(self) -> Result<()> {
        let Self { args, name, adapter, checkpoint, device, output } = self;
        // The weights are merged in f32, independently of the dtype of the file.
        let run = super::run_beside(adapter)?;
        let task = run.as_ref().and_then(|run| run.tasks.first());
        let outputs = args.num_labels.or(task.and_then(|task| task.outputs()));
        let settings = (outputs, FloatDType::F32, true);
        let model: M = trained(name, checkpoint, Some(adapter), settings, device)?;
        // The labels in the checkpoint's configuration belong to the checkpoint's own head. The labels of the task replace them.
        let model = match task {
            Some(task) => task.label(model),
            None => model,
        };
        let dtype = args.dtype.map_or_else(|| checkpoint.file_dtype(), Dtype::stored);
        Ok(save(&model, output, dtype)?)
    }
}

fn companions(from: &Path, to: &Path) -> Result<()> {
    for path in COMPANIONS.iter().map(|name| from.join(name)).filter(|path| path.is_file()) {
        let copy = to.join(path.file_name().unwrap_or_default());
        // The permissions are not copied, because the Hub's cache may be read-only.
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        asym_core::write_whole(&copy, &bytes).with_context(|| copy.display().to_string())?;
    }
    Ok(())
}
