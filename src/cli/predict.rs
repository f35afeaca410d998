//! `asym predict`: named tensors in, logits out.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use asym_models::{check_input, read_inputs, write_tensor};
use burn::module::Module;
use clap::Args;

use super::{SourceArgs, locate};
use crate::device;

/// Options of `asym predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// RoBERTa or BERT checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Folder of an adapter in PEFT's format
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Safetensors file with input_ids, and attention_mask and token_type_ids where there are any
    #[arg(long)]
    inputs: PathBuf,
    /// Safetensors file to write, with logits
    #[arg(long)]
    output: PathBuf,
    /// Labels of the classifier, where the adapter brings the head and config.json does not say
    #[arg(long)]
    num_labels: Option<usize>,
    /// Fold the adapter into the weights first
    #[arg(long, requires = "adapter")]
    merge: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// Run the model on the inputs and write its logits.
///
/// # Errors
///
/// A file that is missing, damaged or does not fit; a head that neither the checkpoint nor the adapter has.
pub fn predict(args: &PredictArgs) -> Result<()> {
    if args.output.exists() {
        bail!("{}: exists already; name another output file", args.output.display());
    }
    let device = device::default_device()?;
    let location = locate(&args.source, args.model.as_deref(), args.adapter.as_deref())?;
    let checkpoint = location.checkpoint()?;
    let input: asym_models::EncoderInput = read_inputs(&args.inputs, &device)?;
    check_input(&input, checkpoint.encoder()?).with_context(|| args.inputs.display().to_string())?;

    if checkpoint.is_masked_language_model() && args.adapter.is_none() {
        let loaded = checkpoint.masked_language_model(0, &device)?;
        write_tensor(&args.output, "logits", loaded.model.valid().forward(input).into_data())?;
        return Ok(());
    }
    let adapter = args.adapter.as_deref();
    let mut model = super::classifier(location.name(), &checkpoint, adapter, args.num_labels, &device)?;
    if args.merge {
        model = asym_core::merge(model);
    }
    write_tensor(&args.output, "logits", model.valid().forward(input).into_data())?;
    Ok(())
}
