//! `asym run`: trains the runs of a recipe file.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use asym_tasks::{AnyTask, Experiment, Method, Recipe, Report, Unit, cell};
use asym_train::memory::HugePages;
use asym_train::{Dtype, RunResult, StopSignal, memory};
use clap::Args;

use super::SourceArgs;
use super::output::{Output, OutputArgs};
use crate::device;

/// Options of `asym run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The recipe, a TOML file such as those in recipes/
    recipe: PathBuf,
    /// Settings that override the recipe, such as tasks=rte,stsb seeds=1 epochs=3 tuning.adapter.rank=4
    #[arg(value_name = "KEY=VALUE")]
    changes: Vec<String>,
    #[command(flatten)]
    runs: RunsArgs,
}

/// The folder of the runs, and the sources of their model and data.
#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

/// Train each task of the recipe with each of its seeds, and print the table.
///
/// # Errors
///
/// Returns an error if settings, data or model are invalid, or if a run fails. All checks run before training starts.
pub fn run(args: &RunArgs) -> Result<()> {
    let recipe = Recipe::read(&args.recipe, &args.changes)?;
    let name = args.recipe.file_stem().map_or("recipe".into(), |stem| stem.to_string_lossy());
    let output = args.runs.output.open(&name)?;
    let experiment = |task: &AnyTask| Experiment {
        task: task.clone(),
        recipe: recipe.clone(),
        methods: vec![Method { name: name.to_string(), tuning: recipe.tuning.clone() }],
        full_learning_rate: None,
        reference: None,
        output: output.path.join(task.name()),
        existing: output.existing,
    };
    let experiments: Vec<Experiment> = recipe.tasks.iter().map(experiment).collect();
    execute(&args.runs.source, recipe.model.as_deref(), recipe.data.as_deref(), experiments, &output)
}

/// Run experiments with one model and one task each, and print their tables as one.
///
/// The settings are checked first, then the data, then the model. All checks run before training starts, so that
/// invalid files of the last task are not found after hours of training.
pub(super) fn execute(
    source: &SourceArgs,
    model: Option<&str>,
    data: Option<&str>,
    mut experiments: Vec<Experiment>,
    output: &Output,
) -> Result<()> {
    memory::keep_pages();
    experiments.iter().try_for_each(Experiment::validate)?;
    let device = device::default_device()?;
    if asym_kernels::is_host(&device) {
        if experiments.iter().any(|experiment| experiment.dtype() == Dtype::Bf16) {
            super::note(format!("bf16: products with frozen weights by {}", asym_kernels::Bf16Kernel::get()));
        }
        if HugePages::get() == HugePages::Never {
            super::note("memory: this system has turned huge pages off, which makes large products slower");
        }
    }
    let mut tasks = Vec::new();
    for experiment in &mut experiments {
        let task = experiment.run_task();
        let read = cell::read(&task, &source.files(data)).with_context(|| format!("data of task {}", task.name()))?;
        read.describe().iter().for_each(super::note);
        // The data decide what a recipe may leave open, such as the labels.
        experiment.task = read.task();
        tasks.push(read);
    }
    // All tasks of a recipe have one model, which is checked against each of them.
    let Some(first) = experiments.first() else { bail!("there is no task") };
    let location = source.model_for(model, &first.task)?;
    let base = location.base()?;
    tasks.iter().try_for_each(|task| task.check_base(&base))?;
    super::note(format!("model: {}; runs: {}", base.name(), output.path.display()));

    let stop = StopSignal::on_signals();
    let mut prepared = Vec::new();
    for (experiment, task) in experiments.iter().zip(tasks) {
        let task = task.prepare(&base, location.pinned(), Some(experiment.dtype()), &device)?;
        if let Some(time) = task.read_in() {
            super::note(format!("model: read in {:.1} s, once for all runs", time.as_secs_f64()));
        }
        task.notes().iter().for_each(super::note);
        prepared.push(task);
    }
    for (experiment, prepared) in experiments.iter().zip(&prepared) {
        experiment.check(prepared.as_ref())?.iter().for_each(super::note);
    }
    for (experiment, prepared) in experiments.iter().zip(&prepared) {
        experiment.settle(prepared.as_ref())?;
    }
    let mut report = Report::default();
    for (experiment, prepared) in experiments.iter().zip(&prepared) {
        report.append(experiment.run(prepared.as_ref(), &stop, |task, run| super::note(line(task, run)))?);
    }
    super::say(&report)?;
    // These are errors, so that a script does not mistake an incomplete table for a complete one.
    if stop.requested() {
        bail!("stopped early; --resume --output {} continues", output.path.display());
    }
    if !report.failed.is_empty() {
        bail!("{} of the runs failed: see below the table", report.failed.len());
    }
    Ok(())
}

/// A line that summarizes a finished run.
pub(super) fn line(task: &AnyTask, run: &RunResult) -> String {
    let headline = task.scores().into_iter().next().map_or_else(String::new, |headline| {
        let (digits, percent) = (headline.digits(), if headline.unit == Unit::Share { " %" } else { "" });
        let score = run.scores.get(&headline.name).map(|score| headline.factor() * score);
        let score = score.map_or("-".to_string(), |score| format!("{score:.digits$}{percent}"));
        format!("{} {score}", headline.name)
    });
    format!(
        "{task} {} seed {}: {headline} in {:.0} s; {:.0} samples/s in training, {:.0} in evaluation; input {:.2} % of \
         the time",
        run.method,
        run.seed,
        run.seconds,
        run.training.samples_per_second(),
        run.evaluation.samples_per_second(),
        100.0 * run.training.input_share(),
    )
}
