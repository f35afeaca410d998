//! `asym merge`: a checkpoint without adapter that computes what the adapted one does.

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
    /// Folder of an adapter in PEFT's format
    #[arg(long)]
    adapter: PathBuf,
    /// Folder to write, which must be new: transformers loads it
    #[arg(long)]
    output: PathBuf,
    /// Labels of the classifier, where the adapter brings the head [default: those of the run that left it, else of config.json]
    #[arg(long)]
    num_labels: Option<usize>,
    /// Dtype of the weights in the file [default: that of the checkpoint's]
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    #[command(flatten)]
    source: SourceArgs,
}

/// What stands beside the weights of a checkpoint and goes with them.
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

/// Fold the adapter into the weights and write the checkpoint, with the tokenizer and what else lies beside it.
///
/// # Errors
///
/// A file that is missing, damaged or does not fit; an output that exists; a head that neither the checkpoint nor the
/// adapter has.
pub fn merge(args: &MergeArgs) -> Result<()> {
    if args.output.exists() {
        bail!("{}: exists already; name another output folder", args.output.display());
    }
    let device = device::default_device()?;
    let location = locate(&args.source, args.model.as_deref(), Some(&args.adapter))?;
    let checkpoint = location.checkpoint()?;
    let class = super::class(&checkpoint, Some(&args.adapter))?;
    // Under another name first, so that a folder of the right one is whole.
    let mut part = args.output.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    // What a killed run left is not whole.
    let _ = std::fs::remove_dir_all(&part);
    let whole = class
        .visit(Merge { args, name: location.name(), checkpoint: &checkpoint, device: &device, output: &part })
        .and_then(|()| match location.folder() {
            Some(folder) => companions(folder, &part),
            None => Ok(location.base()?.save_tokenizer(&part)?),
        })
        .and_then(|()| std::fs::rename(&part, &args.output).with_context(|| args.output.display().to_string()));
    if whole.is_err() {
        // What went wrong first is the better message; there may be nothing to remove.
        let _ = std::fs::remove_dir_all(&part);
    }
    whole?;
    super::say(format!("{}: {} with {} merged", args.output.display(), location.name(), args.adapter.display()))
}

struct Merge<'a> {
    args: &'a MergeArgs,
    name: &'a str,
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    output: &'a Path,
}

impl WithModel for Merge<'_> {
    type Output = Result<()>;

    fn with<M: PretrainedModel>(self) -> Result<()> {
        let Self { args, name, checkpoint, device, output } = self;
        // The sum is made in f32, whatever dtype it is written in.
        let run = super::run_beside(&args.adapter)?;
        let outputs = args.num_labels.or(run.and_then(|run| run.tasks.first().and_then(|task| task.outputs())));
        let settings = (outputs, FloatDType::F32, true);
        let model: M = trained(name, checkpoint, Some(&args.adapter), settings, device)?;
        let dtype = args.dtype.map_or_else(|| checkpoint.file_dtype(), Dtype::stored);
        Ok(save(&model, output, dtype)?)
    }
}

fn companions(from: &Path, to: &Path) -> Result<()> {
    for path in COMPANIONS.iter().map(|name| from.join(name)).filter(|path| path.is_file()) {
        let copy = to.join(path.file_name().unwrap_or_default());
        // Not a copy of the file's permissions too: the Hub's cache may be read-only.
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        std::fs::write(&copy, bytes).with_context(|| copy.display().to_string())?;
    }
    Ok(())
}
