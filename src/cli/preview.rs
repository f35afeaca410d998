//! `asym data --preview`: the training pictures as the model is shown them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_tasks::{AnyTask, Recipe, cell};
use asym_train::{Dtype, Tuning};
use clap::Args;

use super::SourceArgs;
use crate::device;

/// Options of `asym data --preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Write training pictures to this PNG file as the model is shown them after augmentation, a row for each class
    #[arg(long, value_name = "PNG")]
    pub(super) preview: Option<PathBuf>,
    /// The task whose pictures are shown
    #[arg(long, requires = "preview", default_value = "image-classification")]
    task: AnyTask,
    /// The pictures: a folder, or a name on the Hub [default: drawn pictures, if the task has any]
    #[arg(long, requires = "preview")]
    data: Option<String>,
    /// The checkpoint whose image processor prepares them: a folder, or a name on the Hub [default: the embedded mini ViT]
    #[arg(long, requires = "preview")]
    model: Option<String>,
    /// The most pictures of a row
    #[arg(long, requires = "preview", default_value_t = 8)]
    columns: usize,
    /// Settings of the task, as in a recipe, such as task.image_size=112
    #[arg(value_name = "KEY=VALUE", requires = "preview")]
    changes: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Write the contact sheet, and print the class of each row.
pub(super) fn preview(args: &PreviewArgs, seed: u64, output: &Path) -> Result<()> {
    if output.exists() {
        bail!("{}: exists already; name another file", output.display());
    }
    let text = format!("tasks = [\"{}\"]\nseeds = [{seed}]\ntuning = \"head\"", args.task.name());
    let recipe = Recipe::parse(Path::new("options"), &text, &args.changes)?;
    let run = recipe.run(&recipe.tasks[0], &Tuning::Head, seed);
    let read = cell::read(&run.task, &args.source.files(args.data.as_deref()))?;
    read.describe().iter().for_each(super::note);
    let location = args.source.model_for(args.model.as_deref(), &run.task)?;
    let (base, device) = (location.base()?, device::default_device()?);
    read.check_base(&base)?;
    let prepared = read.prepare(&base, location.pinned(), Dtype::F32, &device)?;
    prepared.notes().iter().for_each(super::note);
    let Some(sheet) = prepared.sheet(seed, args.columns)? else {
        bail!("{}: its examples are no pictures", args.task.name());
    };
    asym_core::write_whole(output, &sheet.picture.to_png()?).with_context(|| output.display().to_string())?;
    for (row, class) in sheet.rows.iter().enumerate() {
        super::say(format!("row {}: {class}", row + 1))?;
    }
    super::say(format!("{}: {} x {} pixels", output.display(), sheet.picture.width, sheet.picture.height))
}
