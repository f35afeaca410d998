//! `asym data`: writes the generated counterparts of the GLUE tasks to files, or shows training examples as the model gets them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_tasks::AnyTask;
use asym_tasks::glue::{DATA_SEED, Dataset, Sample, generate, write_tsv};
use clap::Args;

use super::preview::{PreviewArgs, preview};

/// Options of `asym data`.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// The GLUE tasks whose data are generated
    #[arg(long, value_delimiter = ',', default_values_t = Dataset::ALL.iter().map(|task| task.name().to_string()))]
    tasks: Vec<String>,
    /// Output folder, which must not exist yet; each task gets a subfolder in GLUE's layout
    #[arg(long, required_unless_present = "preview", conflicts_with = "preview")]
    output: Option<PathBuf>,
    /// Seed of the generated data, or of the run whose examples are shown; the published tables use the default
    #[arg(long, default_value_t = DATA_SEED)]
    seed: u64,
    #[command(flatten)]
    examples: PreviewArgs,
}

/// Write the generated data of each task, in the format of GLUE's files, or training examples of any task.
///
/// # Errors
///
/// Returns an error if a task is unknown, if the output exists, if an example cannot be read, or if a file cannot be written.
pub fn data(args: &DataArgs) -> Result<()> {
    if let Some(path) = &args.examples.preview {
        return preview(&args.examples, args.seed, path);
    }
    let Some(output) = &args.output else { bail!("give a folder with --output, or a file with --preview") };
    let tasks: Vec<Dataset> = args.tasks.iter().map(|name| dataset(name)).collect::<Result<_>>()?;
    if output.exists() {
        bail!("{}: already exists; name another output folder", output.display());
    }
    for task in tasks {
        let sets = generate(task, args.seed);
        let folder = output.join(task.row().title);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        write(task, &sets.train, &folder.join("train.tsv"))?;
        for (at, name) in task.row().parts.iter().enumerate() {
            let name = if name.is_empty() { "dev.tsv".to_string() } else { format!("dev_{name}.tsv") };
            let part: Vec<_> = sets.dev.iter().filter(|sample| sample.part == at).cloned().collect();
            write(task, &part, &folder.join(name))?;
        }
    }
    Ok(())
}

/// The data set of the task with this name.
pub(super) fn dataset(name: &str) -> Result<Dataset> {
    // The error for an unknown name suggests the nearest known name.
    match name.parse::<AnyTask>()? {
        AnyTask::Glue(task) => Ok(task.dataset),
        other => bail!("{}: is not a GLUE task", other.name()),
    }
}

fn write(task: Dataset, samples: &[Sample], path: &Path) -> Result<()> {
    let at = || path.display().to_string();
    let mut out = Vec::new();
    write_tsv(task, samples, &mut out).with_context(at)?;
    asym_core::write_whole(path, &out).with_context(at)?;
    super::say(format!("{}: {} examples", path.display(), samples.len()))?;
    Ok(())
}
