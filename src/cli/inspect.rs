//! `asym inspect`: the parameter table.

use std::path::PathBuf;

use anyhow::Result;
use asym_core::{Inspection, train_only};
use asym_models::{Checkpoint, Loaded, ModelClass, PretrainedModel, WithModel, load_adapter};
use burn::tensor::Device;
use clap::Args;

use super::{SourceArgs, locate};
use crate::device;

/// Options of `asym inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Folder of an adapter in PEFT's format; without one, the table of head-only training, or of a language model as it is
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Labels of the classifier, where config.json does not say
    #[arg(long)]
    num_labels: Option<usize>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Print name, shape and state of every parameter, and how many are trained.
///
/// # Errors
///
/// A file that is missing, damaged or does not fit.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let device = device::default_device()?;
    let checkpoint = locate(&args.source, args.model.as_deref(), args.adapter.as_deref())?.checkpoint()?;
    let class = super::class(&checkpoint, args.adapter.as_deref())?;
    // Of a masked language model, what a task would make of it.
    let class = if class == ModelClass::MaskedLanguageModel { ModelClass::SequenceClassifier } else { class };
    super::say(class.visit(Inspect { args, checkpoint: &checkpoint, device: &device })?)
}

struct Inspect<'a> {
    args: &'a InspectArgs,
    checkpoint: &'a Checkpoint,
    device: &'a Device,
}

impl WithModel for Inspect<'_> {
    type Output = Result<Inspection>;

    fn with<M: PretrainedModel>(self) -> Result<Inspection> {
        let Loaded { model, .. } = self.checkpoint.load::<M>(self.args.num_labels, 0, self.device)?;
        let (naming, head) = (model.naming(), M::keys(model.config()).task_head);
        let model = match &self.args.adapter {
            Some(folder) => load_adapter(model, folder)?.0,
            // A language model has no head that a task would train.
            None if head.is_empty() => model,
            None => train_only(model, &naming, &head.iter().map(ToString::to_string).collect::<Vec<_>>())?,
        };
        Ok(asym_core::inspect(&model, &naming))
    }
}
