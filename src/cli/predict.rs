//! `asym predict`: named tensors in, logits out.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use asym_core::load_adapter;
use asym_models::{check_input, read_inputs, write_tensor};
use burn::module::Module;
use clap::Args;

use crate::device;

/// Options of `asym predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Folder of a RoBERTa or BERT checkpoint from Hugging Face [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<PathBuf>,
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
    let (base, checkpoint) = super::base_model(args.model.as_deref(), args.adapter.as_deref())?;
    let input = read_inputs(&args.inputs, &device)?;
    check_input(&input, checkpoint.config()).with_context(|| args.inputs.display().to_string())?;

    if checkpoint.is_masked_language_model() && args.adapter.is_none() {
        let loaded = checkpoint.masked_language_model(0, &device)?;
        write_tensor(&args.output, "logits", loaded.model.valid().forward(input))?;
        return Ok(());
    }
    let loaded = checkpoint.sequence_classifier(args.num_labels, 0, &device)?;
    let naming = loaded.model.naming();
    let mut untrained = loaded.initialised;
    let mut model = loaded.model;
    if let Some(folder) = &args.adapter {
        let (adapted, config) = load_adapter(model, folder, &naming)?;
        untrained.retain(|name| !config.modules_to_save.iter().any(|module| name.starts_with(&format!("{module}."))));
        model = match args.merge {
            true => asym_core::merge(adapted),
            false => adapted,
        };
    }
    if !untrained.is_empty() {
        bail!(
            "{}: no trained head: {} are not in the checkpoint{}",
            base,
            untrained.join(", "),
            match args.adapter {
                Some(_) => ", nor among the modules that the adapter saves",
                None => "; give the --adapter that was trained with it",
            }
        );
    }
    write_tensor(&args.output, "logits", model.valid().forward(input))?;
    Ok(())
}
