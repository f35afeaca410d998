//! `asym data --preview`: shows training examples as the model gets them, for inspection before a run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_tasks::{AnyTask, PreparedTask, Recipe, RunConfig, Shown, cell};
use asym_train::Tuning;
use clap::Args;
use serde_json::json;

use super::SourceArgs;
use crate::device;

/// Options of `asym data --preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Write training examples to this file as the model gets them: images after augmentation as a PNG with one row per class,
    /// or texts with their labeled tokens as JSON lines in the order of training. `-` prints texts in a readable form
    #[arg(long, value_name = "FILE")]
    pub(super) preview: Option<PathBuf>,
    /// The task whose examples are shown
    #[arg(long, requires = "preview", default_value = "image-classification")]
    task: AnyTask,
    /// The data: a file, a folder, or a name on the Hub [default: generated data, if the task has any]
    #[arg(long, requires = "preview")]
    data: Option<String>,
    /// The checkpoint whose image processor or tokenizer prepares the examples: a folder, or a name on the Hub [default: the
    /// embedded checkpoint for the task]
    #[arg(long, requires = "preview")]
    model: Option<String>,
    /// Maximum number of images in a row
    #[arg(long, requires = "preview", default_value_t = 8)]
    columns: usize,
    /// Maximum number of texts
    #[arg(long, requires = "preview", default_value_t = 3)]
    examples: usize,
    /// Settings of the task or of training, as in a recipe, such as task.image_size=112 or batch_size=4
    #[arg(value_name = "KEY=VALUE", requires = "preview")]
    changes: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Write or print examples.
pub(super) fn preview(args: &PreviewArgs, seed: u64, output: &Path) -> Result<()> {
    let is_printed = output.as_os_str() == "-";
    if !is_printed && output.exists() {
        bail!("{}: already exists; name another file", output.display());
    }
    let text = format!("tasks = [\"{}\"]\nseeds = [{seed}]\ntuning = \"head\"", args.task.name());
    let recipe = Recipe::parse(Path::new("options"), &text, &args.changes)?;
    let recipe = Recipe { model: args.model.clone(), ..recipe };
    let run = recipe.run(&recipe.tasks[0], &Tuning::Head, seed);
    let read = cell::read(&run.task, &args.source.files(args.data.as_deref()), None)?;
    read.describe().iter().for_each(super::note);
    let location = args.source.model_for(args.model.as_deref(), &run.task)?;
    let (base, device) = (location.base()?, device::default_device()?);
    read.check_base(&base)?;
    let prepared = read.prepare(&base, location.pinned(), None, &device)?;
    prepared.notes().iter().for_each(super::note);
    if let Some(texts) = prepared.shown(&run, args.examples)? {
        return show(&texts, (!is_printed).then_some(output));
    }
    if is_printed {
        bail!(
            "{}: the examples of the task are not texts with labeled tokens; give a PNG file for images",
            args.task.name()
        );
    }
    sheet(prepared.as_ref(), &run, args.columns, output)
}

/// Write the contact sheet, and print the class of each row.
fn sheet(prepared: &dyn PreparedTask, run: &RunConfig, columns: usize, output: &Path) -> Result<()> {
    let Some(sheet) = prepared.sheet(run.training.seed, columns)? else {
        bail!("{}: the examples of the task are neither images nor texts with labeled tokens", run.task.name());
    };
    asym_core::write_whole(output, &sheet.picture.to_png()?).with_context(|| output.display().to_string())?;
    for (row, class) in sheet.rows.iter().enumerate() {
        super::say(format!("row {}: {class}", row + 1))?;
    }
    super::say(format!("{}: {} x {} pixels", output.display(), sheet.picture.width, sheet.picture.height))
}

/// Write texts to a JSON Lines file, or print them. Each text comes with the index of its batch.
fn show(texts: &[(usize, Shown)], output: Option<&Path>) -> Result<()> {
    if let Some(output) = output {
        let line = |(batch, shown): &(usize, Shown)| {
            let Shown { line, input_ids, labeled, tokens } = shown;
            let labeled: Vec<u8> = labeled.iter().map(|labeled| u8::from(*labeled)).collect();
            json!({"batch": batch, "line": line, "input_ids": input_ids, "labeled": labeled, "tokens": tokens})
                .to_string()
                + "\n"
        };
        let lines: String = texts.iter().map(line).collect();
        asym_core::write_whole(output, lines.as_bytes()).with_context(|| output.display().to_string())?;
        return super::say(format!("{}: {} texts", output.display(), texts.len()));
    }
    super::say("Lines with > are labeled: the model learns to predict these tokens. The other tokens are only input.")?;
    for (batch, shown) in texts {
        let labels = shown.labeled.iter().filter(|labeled| **labeled).count();
        let (line, tokens) = (shown.line, shown.tokens.len());
        super::say(format!("\nbatch {}, line {line}: {tokens} tokens, {labels} labeled", batch + 1))?;
        let all: Vec<(&String, bool)> = shown.tokens.iter().zip(shown.labeled.iter().copied()).collect();
        for part in all.chunk_by(|a, b| a.1 == b.1) {
            let tokens: Vec<&str> = part.iter().map(|(token, _)| token.as_str()).collect();
            super::say(format!("{} {}", if part[0].1 { ">" } else { " " }, tokens.join(" ")))?;
        }
    }
    Ok(())
}
