//! `asym submit`: writes the files for GLUE's evaluation server.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use asym_tasks::glue::{Glue, read_tests, write_submission};
use asym_tasks::text::Example;
use asym_tasks::{Answer, AnyTask, Predictor, Target, Text};
use clap::Args;

use super::classify::progress;
use super::data::dataset;
use super::{SourceArgs, Trained};
use crate::device;

/// Options of `asym submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The task
    #[arg(long)]
    task: String,
    /// The task's data with its test sets: a folder, or a name on the Hub
    #[arg(long)]
    data: String,
    /// Checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Folder of an adapter in PEFT format
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Output folder for the files, such as MNLI-m.tsv; existing files are not replaced
    #[arg(long)]
    output: PathBuf,
    /// Maximum number of tokens, special tokens included [default: the value of the run, else of the model, at
    /// most 512]
    #[arg(long)]
    max_length: Option<usize>,
    /// Number of texts in a batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    #[command(flatten)]
    source: SourceArgs,
}

/// Predict the labels of the task's test sets and write the files.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if it does not fit the model, or if an output file exists.
pub fn submit(args: &SubmitArgs) -> Result<()> {
    let task = dataset(&args.task)?;
    let row = task.row();
    if let Some(there) = row.submissions.iter().map(|name| args.output.join(name)).find(|path| path.exists()) {
        bail!("{}: already exists; name another output folder", there.display());
    }
    let files = args.source.files(Some(&args.data));
    let folder = files.folder(&|path| task.is_hub_file(path, true));
    let folder = folder.with_context(|| format!("data of task {}", task.name()))?.unwrap_or_default();
    let parts = read_tests(task, &folder)?;
    let device = device::default_device()?;
    let adapter = args.source.adapter(args.adapter.as_deref())?;
    let from = (args.model.as_deref(), adapter.as_deref());
    let settings = (None, args.max_length, None);
    let Trained { base, model, problem, labels, max_length, .. } =
        Trained::load(&args.source, from, Some(&AnyTask::from(Glue::from(task))), settings, &device)?;
    // The order of the labels in the model can differ from that of the task.
    let names = row.answers.names();
    let class = |own: usize| {
        labels.get(own).and_then(|label| names.iter().position(|name| name.eq_ignore_ascii_case(label))).unwrap_or(own)
    };
    let target = |answer: Answer| match answer.prediction {
        Target::Class(own) => Target::Class(class(own)),
        other => other,
    };
    let predictor = Predictor::new(&base, (model, problem), max_length, args.batch_size, &device)?;
    let mut answers: Vec<Vec<Target>> = Vec::new();
    for part in &parts {
        let started = std::time::Instant::now();
        let text = |example: &Example| Text { first: example.first.clone(), second: example.second.clone() };
        let texts: Vec<Text> = part.examples.iter().map(text).collect();
        let found = predictor.answers(&texts, |done| progress(done, texts.len(), started))?;
        answers.push(found.into_iter().map(target).collect());
    }
    for (path, part) in write_submission(task, &answers, &args.output)?.iter().zip(&parts) {
        super::say(format!("{}: {} predictions for {}", path.display(), part.examples.len(), part.source))?;
    }
    Ok(())
}
