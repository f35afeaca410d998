//! `asym run`: what a recipe file says.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use asym_tasks::{Experiment, Method, Origin, Plan, Prepared, Report, RunResult, Session, StopSignal, Task};
use clap::Args;

use super::SourceArgs;
use crate::device;

/// Options of `asym run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The recipe, such as recipes/mini/glue/lora-b-only-r8.toml
    recipe: PathBuf,
    /// Changes of the recipe, such as tasks=rte,stsb seeds=1 epochs=3 tuning.adapter.rank=4
    #[arg(value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Folder for the runs, which must be new [default: the next free runs/RECIPE-NUMBER]
    #[arg(long)]
    output: Option<PathBuf>,
    /// Take finished runs in --output as they are and make the missing ones
    #[arg(long, requires = "output")]
    resume: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// Train each task of the recipe with each of its seeds, and print the table.
///
/// # Errors
///
/// Everything that the library refuses; nothing is trained before every task's data and settings were checked.
pub fn run(args: &RunArgs) -> Result<()> {
    asym_tasks::memory::keep_pages();
    let plan = Plan::read(&args.recipe, &args.changes)?;
    plan.recipes().try_for_each(|recipe| recipe.validate())?;
    let name = args.recipe.file_stem().map_or("recipe".into(), |stem| stem.to_string_lossy());
    let output = args.output.clone().unwrap_or_else(|| next_free(Path::new("runs"), &name));
    if output.exists() && !args.resume {
        bail!("{}: exists already; name another output folder, or give --resume", output.display());
    }
    let device = device::default_device()?;
    let base = args.source.base(plan.model.as_deref())?;
    let prepare = |task: &Task| -> Result<Prepared> {
        let split = args.source.split(*task, plan.data.as_deref())?;
        let data = Prepared::new(*task, &split, &base, plan.recipe(*task, 0).max_length)?;
        eprintln!("{}", super::describe(*task, &split));
        Ok(data)
    };
    // All data is read and encoded now, so that the last task's cannot fail after hours of the others'.
    let tasks: Vec<Prepared> = plan.tasks.iter().map(prepare).collect::<Result<_>>()?;
    eprintln!("model: {}; runs: {}", base.name(), output.display());

    let stop = StopSignal::on_ctrl_c();
    let origin = Origin { model: plan.model.clone(), data: plan.data.clone() };
    let session = |data| Session { base: &base, data, device: &device, stop: &stop, origin: origin.clone() };
    let experiment = |task: Task| {
        let recipe = plan.recipe(task, plan.seeds[0]);
        Experiment {
            full_learning_rate: recipe.learning_rate,
            methods: vec![Method { name: name.to_string(), tuning: plan.tuning.clone() }],
            seeds: plan.seeds.clone(),
            output: output.join(task.name()),
            resume: args.resume,
            recipe,
        }
    };
    for data in &tasks {
        experiment(data.task).check(&session(data))?;
    }
    let mut report = Report::default();
    for data in &tasks {
        report.append(experiment(data.task).run(&session(data), |run| eprintln!("{}", line(run)))?);
    }
    super::say(report)?;
    if stop.requested() {
        // An error, so that a script does not take a part of the table for the whole.
        bail!("stopped early; --resume --output {} makes the missing runs", output.display());
    }
    Ok(())
}

/// What is said of a run when it ends.
pub(super) fn line(run: &RunResult) -> String {
    let headline = run.task.row().headline;
    let score = run.scores.get(headline.name()).map_or("-".to_string(), |score| format!("{:.1} %", 100.0 * score));
    format!(
        "{} {} seed {}: {headline} {score} in {:.0} s; {:.0} samples/s in training, {:.0} in measuring; input {:.2} % of \
         the time",
        run.task,
        run.method,
        run.seed,
        run.seconds,
        run.training.samples_per_second(),
        run.measuring.samples_per_second(),
        100.0 * run.training.input_share(),
    )
}

/// The first of `NAME-1`, `NAME-2`, … in `folder` that does not exist.
pub(super) fn next_free(folder: &Path, name: &str) -> PathBuf {
    (1..).map(|number| folder.join(format!("{name}-{number}"))).find(|path| !path.exists()).unwrap_or_default()
}
