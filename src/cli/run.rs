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
    /// The recipe, such as recipes/mini/glue/b-only-orthonormal-r8.toml
    recipe: PathBuf,
    /// Changes of the recipe, such as tasks=rte,stsb seeds=1 epochs=3 tuning.adapter.rank=4
    #[arg(value_name = "KEY=VALUE")]
    changes: Vec<String>,
    #[command(flatten)]
    runs: RunsArgs,
}

/// Where runs go to, and where their model and data come from.
#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    /// Folder for the runs, which must be new [default: the next free runs/NAME-NUMBER, by the recipe or the task]
    #[arg(long)]
    pub(super) output: Option<PathBuf>,
    /// Take finished runs in --output as they are and make the missing ones
    #[arg(long, requires = "output")]
    pub(super) resume: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

/// Train each task of the recipe with each of its seeds, and print the table.
///
/// # Errors
///
/// Everything that the library refuses; nothing is trained before every task's data and settings were checked.
pub fn run(args: &RunArgs) -> Result<()> {
    let plan = Plan::read(&args.recipe, &args.changes)?;
    let name = args.recipe.file_stem().map_or("recipe".into(), |stem| stem.to_string_lossy());
    let output = args.runs.output.clone().unwrap_or_else(|| next_free(Path::new("runs"), &name));
    if output.exists() && !args.runs.resume {
        bail!("{}: exists already; name another output folder, or give --resume", output.display());
    }
    let experiment = |task: &Task| {
        let recipe = plan.recipe(*task, plan.seeds[0]);
        Experiment {
            full_learning_rate: recipe.learning_rate,
            reference: None,
            methods: vec![Method { name: name.to_string(), tuning: plan.tuning.clone() }],
            seeds: plan.seeds.clone(),
            output: output.join(task.name()),
            resume: args.runs.resume,
            recipe,
        }
    };
    let experiments: Vec<Experiment> = plan.tasks.iter().map(experiment).collect();
    execute(&args.runs.source, plan.model.as_deref(), plan.data.as_deref(), &experiments, &output)
}

/// Make the tables of experiments over one model, a task each, and print them as one.
///
/// What is cheap to refuse comes first, then the data, then the model, and all of it before the first step: the last
/// task's files cannot fail after hours of the others' training.
pub(super) fn execute(
    source: &SourceArgs,
    model: Option<&str>,
    data: Option<&str>,
    experiments: &[Experiment],
    output: &Path,
) -> Result<()> {
    asym_tasks::memory::keep_pages();
    experiments.iter().try_for_each(Experiment::validate)?;
    let device = device::default_device()?;
    let mut splits = Vec::new();
    for experiment in experiments {
        let task = experiment.recipe.task;
        let (split, data) = source.split(task, data)?;
        eprintln!("{}", super::describe(task, &split));
        splits.push((split, data));
    }
    let location = source.model(model)?;
    let base = location.base()?;
    eprintln!("model: {}; runs: {}", base.name(), output.display());

    let stop = StopSignal::on_ctrl_c();
    let mut prepared = Vec::new();
    for (experiment, (split, data)) in experiments.iter().zip(splits) {
        let recipe = &experiment.recipe;
        prepared.push((Prepared::new(recipe.task, &split, &base, recipe.max_length)?, data));
    }
    let session = |at: usize| {
        let (data, name): &(Prepared, Option<String>) = &prepared[at];
        let origin = Origin { model: location.pinned(), data: name.clone() };
        Session { base: &base, data, device: &device, stop: &stop, origin }
    };
    for (at, experiment) in experiments.iter().enumerate() {
        let drawn = experiment.check(&session(at))?;
        if !drawn.is_empty() {
            let task = experiment.recipe.task;
            eprintln!("{task}: drawn anew for each seed, since the checkpoint lacks them: {}", drawn.join(", "));
        }
    }
    let mut report = Report::default();
    for (at, experiment) in experiments.iter().enumerate() {
        report.append(experiment.run(&session(at), |run| eprintln!("{}", line(run)))?);
    }
    super::say(&report)?;
    // Errors, so that a script does not take a part of the table for the whole.
    if stop.requested() {
        bail!("stopped early; --resume --output {} makes the missing runs", output.display());
    }
    if !report.failed.is_empty() {
        bail!("{} of the runs came to nothing: see below the table", report.failed.len());
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
