//! `asym summarize`: summarizes documents in files.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_models::{BartConfig, BartLanguageModel, ModelClass};
use asym_tasks::AnyTask;
use asym_tasks::summarization::Summarizer;
use burn::module::Module;
use clap::Args;
use serde_json::json;

use super::generate::SettingsArgs;
use super::{Dtype, SourceArgs, locate, run_beside, trained};
use crate::device;

/// Options of `asym summarize`.
#[derive(Debug, Args)]
pub struct SummarizeArgs {
    /// BART checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Adapter in PEFT format: a folder, or a name on the Hub
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Text file with one document; can be given several times, and `-` reads standard input
    #[arg(long, required = true)]
    file: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Number of documents in a batch
    #[arg(long, default_value_t = 4)]
    batch_size: usize,
    /// Maximum number of tokens of a document; longer documents are truncated [default: the value of the run that saved the
    /// adapter or the model, else the number of positions of the model]
    #[arg(long)]
    max_length: Option<usize>,
    /// Print one JSON object per document
    #[arg(long)]
    json: bool,
    /// Merge the adapter into the weights first, which speeds up generation
    #[arg(long, requires = "adapter")]
    merge: bool,
    /// Compute in this dtype, which the device must support; bf16 rounds only the weights of linear layers and embeddings
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    #[command(flatten)]
    source: SourceArgs,
}

/// A document in the form that the model reads.
struct Document {
    name: String,
    tokens: Vec<u32>,
    cut: usize,
}

/// Print the summary of each document. Documents that are too long are truncated, with a message.
///
/// # Errors
///
/// Returns an error if a file is missing, empty or damaged, if settings contradict each other, or if the model is not a BART.
pub fn summarize(args: &SummarizeArgs) -> Result<()> {
    let asked = args.settings.config()?;
    if args.batch_size == 0 {
        bail!("--batch-size 0: expected at least one document in a batch");
    }
    let texts: Vec<(String, String)> = args.file.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let device = device::default_device()?;
    let adapter = args.source.adapter(args.adapter.as_deref())?;
    let location = locate(&args.source, args.model.as_deref(), adapter.as_deref())?;
    let base = location.base()?;
    let checkpoint = &base.checkpoint;
    let class = super::class(checkpoint, adapter.as_deref())?;
    if class != ModelClass::ConditionalGeneration {
        bail!("{}: a model of the class {class:?} cannot summarize texts; use a BART model", location.name());
    }
    let config = checkpoint.config_of::<BartConfig>()?;
    let positions = config.max_position_embeddings;
    // A model that was trained on summaries uses the lengths and the number of beams of its run.
    let place = adapter.as_deref().or(args.model.as_deref().map(Path::new));
    let run = place.map(run_beside).transpose()?.flatten();
    let mut generation = checkpoint.generation_config()?;
    let mut longest = positions;
    if let Some(AnyTask::Summarization(task)) = run.as_ref().and_then(|run| run.tasks.first()) {
        let (source, target) = task.lengths(positions);
        longest = source;
        generation = task.generation(&generation, target)?;
    }
    let generation = generation.overlaid_with(&asked);
    generation.resolve(1, Some(positions), config.vocab_size)?;
    let longest = args.max_length.unwrap_or(longest);
    if longest > positions {
        bail!("--max-length {longest}: the model has only {positions} positions");
    }
    let tokenizer = base.language_tokenizer()?;
    let encode = |(name, text): &(String, String)| -> Result<Document> {
        let encoding = tokenizer.encode(text, None, longest).with_context(|| name.clone())?;
        let (tokens, cut) = (encoding.input_ids, encoding.cut);
        if cut > 0 {
            super::note(format!("{name}: truncated from {} to {longest} tokens", tokens.len() + cut));
        }
        Ok(Document { name: name.clone(), tokens, cut })
    };
    let documents: Vec<Document> = texts.iter().map(encode).collect::<Result<_>>()?;
    let settings = (None, args.dtype.computed(), args.merge);
    let model: BartLanguageModel = trained(location.name(), checkpoint, adapter.as_deref(), settings, &device)?;
    let model = model.valid();
    let summarizer = Summarizer::new(&model, tokenizer, &generation);
    for (at, batch) in documents.chunks(args.batch_size).enumerate() {
        let rows: Vec<&[u32]> = batch.iter().map(|document| document.tokens.as_slice()).collect();
        let first = (at * args.batch_size) as u64;
        let written = summarizer.write(&rows, first, |_, _| {})?;
        for (document, summary) in batch.iter().zip(written) {
            super::say(if args.json {
                json!({
                    "file": document.name,
                    "summary": summary.text.trim(),
                    "tokens": summary.tokens,
                    "read": document.tokens.len(),
                    "cut": document.cut,
                })
                .to_string()
            } else {
                summary.text.trim().to_string()
            })?;
        }
    }
    Ok(())
}

/// The name of a document and its text.
fn read(path: &Path) -> Result<(String, String)> {
    let name = path.display().to_string();
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        bytes
    } else {
        std::fs::read(path).with_context(|| name.clone())?
    };
    let Ok(text) = String::from_utf8(bytes) else { bail!("{name}: not UTF-8; convert the file") };
    let text = text.trim_start_matches('\u{feff}').trim().to_string();
    if text.is_empty() {
        bail!("{name}: no text found; give a file with a document");
    }
    Ok((name, text))
}
