//! `asym predict`: computes logits from named tensors.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_models::{Checkpoint, PretrainedModel, WithModel, check_logits, read_inputs, write_tensor};
use burn::tensor::Device;
use clap::Args;

use super::generate::{continued, settings};
use super::{Dtype, SourceArgs, locate, trained};
use crate::device;

/// Options of `asym predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Adapter in PEFT format: a folder, or a name on the Hub
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Safetensors file with the model's inputs, such as input_ids and attention_mask, pixel_values or
    /// decoder_input_ids
    #[arg(long)]
    inputs: PathBuf,
    /// Safetensors file to write, with the logits or the sequences
    #[arg(long)]
    output: PathBuf,
    /// Replace the output file, if it exists
    #[arg(long)]
    force: bool,
    /// Number of labels of the classifier, if the adapter has the head and config.json does not give it
    #[arg(long)]
    num_labels: Option<usize>,
    /// Merge the adapter into the weights first
    #[arg(long, requires = "adapter")]
    merge: bool,
    /// Generate with these settings, a JSON object or a file that contains one, and write sequences of token ids
    #[arg(long, conflicts_with = "num_labels")]
    generate: Option<String>,
    /// ViT: accept images whose size differs from that in config.json, with interpolated position embeddings
    #[arg(long)]
    interpolate_pos_encoding: bool,
    /// Compute in this dtype, which the device must support; bf16 rounds only the weights of linear layers and embeddings
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    #[command(flatten)]
    source: SourceArgs,
}

/// Run the model on the inputs and write its logits, or the generated sequences.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if it does not fit the model, if the output exists, or if neither the
/// checkpoint nor the adapter has a trained head.
pub fn predict(args: &PredictArgs) -> Result<()> {
    if args.output.exists() && !args.force {
        bail!("{}: already exists; name another output file, or replace it with --force", args.output.display());
    }
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("{}: the folder of the output does not exist; create it first", folder.display());
    }
    let asked = args.generate.as_deref().map(settings).transpose()?;
    let device = device::default_device()?;
    let adapter = args.source.adapter(args.adapter.as_deref())?;
    let location = locate(&args.source, args.model.as_deref(), adapter.as_deref())?;
    let mut checkpoint = location.checkpoint()?;
    if args.interpolate_pos_encoding {
        checkpoint = checkpoint.with_interpolated_positions();
    }
    let class = super::class(&checkpoint, adapter.as_deref())?;
    if let Some(asked) = asked {
        let (model, from) = ((class, location.name(), &checkpoint), (adapter.as_deref(), args.inputs.as_path()));
        let sequences = continued(model, from, (args.dtype, args.merge), &asked, &device)?;
        write_tensor(&args.output, "sequences", sequences)?;
        return Ok(());
    }
    let (name, adapter) = (location.name(), adapter.as_deref());
    class.visit(Predict { args, name, adapter, checkpoint: &checkpoint, device: &device })
}

struct Predict<'a> {
    args: &'a PredictArgs,
    name: &'a str,
    adapter: Option<&'a Path>,
    checkpoint: &'a Checkpoint,
    device: &'a Device,
}

impl WithModel for Predict<'_> {
    type Output = Result<()>;

    fn with<M: PretrainedModel>(self) -> Result<()> {
        let Self { args, name, adapter, checkpoint, device } = self;
        let input: M::Input = read_inputs(&args.inputs, device)?;
        let config = super::adapted_config::<M>(checkpoint, adapter)?;
        M::check_input(&input, &config).with_context(|| args.inputs.display().to_string())?;
        let settings = (args.num_labels, args.dtype.computed(), args.merge);
        let model: M = trained(name, checkpoint, adapter, settings, device)?;
        let logits = model.valid().logits(input);
        check_logits(&logits).with_context(|| args.inputs.display().to_string())?;
        write_tensor(&args.output, "logits", logits)?;
        Ok(())
    }
}
