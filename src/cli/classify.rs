//! `asym classify`: predicts the labels of texts or images.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use asym_tasks::{Answer, AnyTask, Predictor, Target, Text};
use clap::Args;

use super::{Dtype, SourceArgs, Trained};
use crate::device;

/// Options of `asym classify`.
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// Checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Folder of an adapter in PEFT format, such as runs/mrpc-1/b-only-r8-seed1/adapter
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// A text to classify; can be given several times
    #[arg(long, required_unless_present_any = ["file", "image"])]
    text: Vec<String>,
    /// The second text of a pair; give one for each --text
    #[arg(long)]
    pair: Vec<String>,
    /// File with one text per line, or two texts separated by a tab; `-` reads standard input
    #[arg(long, conflicts_with_all = ["text", "pair"])]
    file: Option<PathBuf>,
    /// Images for a ViT: PNG, JPEG, WebP, BMP, GIF or TIFF files, and folders with such files
    #[arg(long, num_args = 1.., conflicts_with_all = ["text", "pair", "file", "task", "max_length"])]
    pub(super) image: Vec<PathBuf>,
    /// Accept images whose size differs from that in config.json, with interpolated position embeddings
    #[arg(long, requires = "image")]
    pub(super) interpolate_pos_encoding: bool,
    /// The task, which gives the names of the labels [default: the task of the adapter's run, else the labels in config.json]
    #[arg(long)]
    task: Option<AnyTask>,
    /// Maximum number of tokens, special tokens included [default: the value of the run, else of the model, at
    /// most 512]
    #[arg(long)]
    max_length: Option<usize>,
    /// Compute in this dtype, which the device must support; bf16 rounds only the weights of linear layers and embeddings
    /// [default: the dtype of the run, else f32]
    #[arg(long, value_enum)]
    pub(super) dtype: Option<Dtype>,
    /// Number of labels of the classifier [default: from the task, else from the adapter's head or config.json]
    #[arg(long)]
    pub(super) num_labels: Option<usize>,
    /// Number of texts or images in a batch
    #[arg(long, default_value_t = 32)]
    pub(super) batch_size: usize,
    /// Print one JSON object per input, with the probability of each label
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

/// Print a line for each text or image: the label and its probability, all labels above one half, or the score.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if it does not fit the model, or if neither the checkpoint nor the adapter
/// has a trained head.
pub fn classify(args: &ClassifyArgs) -> Result<()> {
    let adapter = args.source.adapter(args.adapter.as_deref())?;
    let from = (args.model.as_deref(), adapter.as_deref());
    if !args.image.is_empty() {
        return super::images::classify_images(args, from);
    }
    let examples = texts(args)?;
    let device = device::default_device()?;
    let settings = (args.num_labels, args.max_length, args.dtype);
    let Trained { base, model, problem, task, labels, max_length } =
        Trained::load(&args.source, from, args.task.as_ref(), settings, &device)?;
    if let Some(task) = task
        && let Some(pair) = task.is_pair()
        && let Some(wrong) = examples.iter().position(|example| example.second.is_some() != pair)
    {
        let expected = if pair { "pairs: give a --pair for each --text" } else { "single texts, without --pair" };
        bail!("{task} expects {expected} (text {} does not match)", wrong + 1);
    }
    let predictor = Predictor::new(&base, (model, problem), max_length, args.batch_size, &device)?;
    let started = std::time::Instant::now();
    let answers = predictor.answers(&examples, |done| progress(done, examples.len(), started))?;
    for (example, answer) in examples.iter().zip(&answers) {
        super::say(if args.json { json(example, answer, &labels) } else { line(example, answer, &labels) })?;
    }
    Ok(())
}

fn texts(args: &ClassifyArgs) -> Result<Vec<Text>> {
    let text =
        |first: &str, second: Option<&str>| Text { first: first.to_string(), second: second.map(ToString::to_string) };
    let Some(path) = &args.file else {
        if !args.pair.is_empty() && args.pair.len() != args.text.len() {
            bail!(
                "{} --text and {} --pair: give one --pair for each --text, or no --pair",
                args.text.len(),
                args.pair.len()
            );
        }
        let second = |at: usize| args.pair.get(at).map(String::as_str);
        return Ok(args.text.iter().enumerate().map(|(at, first)| text(first, second(at))).collect());
    };
    // The line is moved and not copied, because it may be long.
    let example = |line: String| match line.split_once('\t') {
        Some((first, second)) => text(first, Some(second)),
        None => Text { first: line, second: None },
    };
    let examples: Vec<Text> = super::lines(path)?.into_iter().map(example).collect();
    if examples.is_empty() {
        bail!("{}: no text found; write one text per line", path.display());
    }
    Ok(examples)
}

/// Print the progress to a terminal, on a line that is overwritten.
pub(super) fn progress(done: usize, total: usize, started: std::time::Instant) {
    let mut err = std::io::stderr();
    if !err.is_terminal() || total < 100 {
        return;
    }
    let rate = done as f64 / started.elapsed().as_secs_f64().max(1e-9);
    let left = (total - done) as f64 / rate;
    let _ = write!(err, "\r{done}/{total} texts  {rate:.0}/s  {left:.0} s left ");
    if done == total {
        let _ = writeln!(err);
    }
}

fn name(class: usize, labels: &[String]) -> String {
    labels.get(class).cloned().unwrap_or_else(|| format!("LABEL_{class}"))
}

fn line(example: &Text, answer: &Answer, labels: &[String]) -> String {
    let second = example.second.as_ref().map_or_else(String::new, |second| format!("\t{second}"));
    let probability = |label: usize| answer.probabilities.get(label).copied().unwrap_or_default();
    let named = |label: &usize| format!("{} {:.4}", name(*label, labels), probability(*label));
    match &answer.prediction {
        Target::Class(class) => {
            format!("{}\t{:.4}\t{}{second}", name(*class, labels), probability(*class), example.first)
        }
        Target::Score(score) => format!("{score:.4}\t{}{second}", example.first),
        Target::Labels(found) if found.is_empty() => format!("no label\t{}{second}", example.first),
        Target::Labels(found) => {
            let found: Vec<String> = found.iter().map(named).collect();
            format!("{}\t{}{second}", found.join(", "), example.first)
        }
        Target::Unknown => format!("unknown\t{}{second}", example.first),
    }
}

fn json(example: &Text, answer: &Answer, labels: &[String]) -> String {
    let mut object = serde_json::Map::new();
    object.insert("text".into(), example.first.clone().into());
    if let Some(second) = &example.second {
        object.insert("pair".into(), second.clone().into());
    }
    match &answer.prediction {
        Target::Class(class) => drop(object.insert("label".into(), name(*class, labels).into())),
        Target::Labels(found) => {
            let found: Vec<serde_json::Value> = found.iter().map(|label| name(*label, labels).into()).collect();
            object.insert("labels".into(), found.into());
        }
        Target::Score(score) => drop(object.insert("score".into(), f64::from(*score).into())),
        Target::Unknown => {}
    }
    if !answer.probabilities.is_empty() {
        let probabilities: serde_json::Map<_, _> = (answer.probabilities.iter().enumerate())
            .map(|(class, probability)| (name(class, labels), f64::from(*probability).into()))
            .collect();
        object.insert("probabilities".into(), probabilities.into());
    }
    serde_json::Value::Object(object).to_string()
}
