//! `asym run`: trains the runs of a recipe file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_tasks::sweep::SETTINGS;
use asym_tasks::sweep::grid::Grid;
use asym_tasks::sweep::shell::quoted;
use asym_tasks::{AnyTask, Base, Experiment, ReadTask, Ready, Recipe, Report, Sweep, Unit, cell};
use asym_train::memory::HugePages;
use asym_train::{Dtype, RunResult, StopSignal, memory};
use clap::Args;

use super::output::OutputArgs;
use super::source::Location;
use super::{FormArgs, SourceArgs};
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
    #[command(flatten)]
    form: FormArgs,
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
    let name = recipe_name(&args.recipe);
    let output = args.runs.output.open(&name)?;
    let experiment =
        |task: &AnyTask| Experiment { settings: SETTINGS.into(), ..Experiment::of_recipe(&name, &recipe, task) };
    let experiments = recipe.tasks.iter().map(experiment).collect();
    execute(&args.runs.source, &Sweep { experiments, ..output.sweep() }, args.form)
}

/// The name of a recipe's row: the file name without its extension.
pub(super) fn recipe_name(recipe: &Path) -> String {
    recipe.file_stem().map_or("recipe".into(), |stem| stem.to_string_lossy().into_owned())
}

/// Train all runs of a sweep that no other process works on, and print their table.
pub(super) fn execute(source: &SourceArgs, sweep: &Sweep, form: FormArgs) -> Result<()> {
    let all: Vec<usize> = (0..sweep.cells().len()).collect();
    let stop = StopSignal::on_signals();
    let report = make(source, sweep, &all, &stop)?;
    form.print(&report, &report.lines())?;
    // An incomplete table is an error, so that a script does not mistake it for a complete one.
    if stop.requested() {
        bail!("stopped early; --resume --output {} continues", quoted(&sweep.output.display().to_string()));
    }
    failed(&report)
}

/// Return an error if runs of the table failed.
pub(super) fn failed(report: &Report) -> Result<()> {
    if !report.failed.is_empty() {
        bail!("{} of the runs failed; see the list below the table", report.failed.len());
    }
    Ok(())
}

/// The name of the requested checkpoint, or the family of models if none was requested.
type ModelKey = (Option<String>, Option<&'static str>);

/// Identifies a task with its data and its model. Runs with equal keys share the data, which are read only once.
#[derive(Clone, PartialEq)]
struct SessionKey {
    model: ModelKey,
    data: Option<String>,
    task: AnyTask,
    dtype: Dtype,
    hold_out: Option<f64>,
}

impl SessionKey {
    /// The keys of an experiment's runs: first of the runs in the table, then of the runs that select a learning rate.
    fn of(experiment: &Experiment) -> [Self; 2] {
        let (task, recipe) = (experiment.run_task(), &experiment.recipe);
        let family = recipe.model.is_none().then(|| task.family());
        experiment.hold_outs().map(|hold_out| Self {
            model: (recipe.model.clone(), family),
            data: recipe.data.clone(),
            task: task.clone(),
            dtype: experiment.dtype(),
            hold_out,
        })
    }
}

/// Train the runs with these indices into the cells of the sweep. Returns their table.
///
/// The settings are checked first, then the data, then the models. All checks run before training starts, so that an
/// invalid file of the last task is not found only after hours of training.
pub(super) fn make(source: &SourceArgs, sweep: &Sweep, numbers: &[usize], stop: &StopSignal) -> Result<Report> {
    memory::keep_pages();
    sweep.validate()?;
    let cells = sweep.cells();
    let mut wanted: Vec<usize> = numbers.iter().map(|number| cells[*number].experiment).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let device = device::default_device()?;
    if asym_kernels::is_host(&device) {
        if wanted.iter().any(|at| sweep.experiments[*at].dtype() == Dtype::Bf16) {
            super::note(format!(
                "bf16: products with frozen weights are computed with {}",
                asym_kernels::Bf16Kernel::get()
            ));
        }
        if HugePages::get() == HugePages::Never {
            super::note("memory: huge pages are disabled on this system, which makes large matrix products slower");
        }
    }
    let mut sweep = sweep.clone();
    let mut sessions: Vec<(SessionKey, Option<Box<dyn ReadTask>>)> = Vec::new();
    let mut places = vec![None; sweep.experiments.len()];
    for at in &wanted {
        let experiment = &mut sweep.experiments[*at];
        let mut place = [0; 2];
        for (place, key) in place.iter_mut().zip(SessionKey::of(experiment)) {
            let known = sessions.iter().position(|(known, _)| *known == key);
            *place = match known {
                Some(known) => known,
                None => {
                    let read = cell::read(&key.task, &source.files(key.data.as_deref()), key.hold_out)
                        .with_context(|| format!("data of task {}", key.task.name()))?;
                    let chooses = key.hold_out.map_or("", |_| " (to select a learning rate)");
                    read.describe().iter().for_each(|line| super::note(format!("{line}{chooses}")));
                    sessions.push((key, Some(read)));
                    sessions.len() - 1
                }
            };
        }
        places[*at] = Some(place);
    }
    for at in &wanted {
        // The data determine settings that a recipe can leave out, such as the labels.
        let read = places[*at].and_then(|[whole, _]| sessions[whole].1.as_ref());
        sweep.experiments[*at].task = read.map_or_else(|| sweep.experiments[*at].task.clone(), |read| read.task());
    }

    // A checkpoint is read once for all tasks that train it.
    let mut models: Vec<(ModelKey, Location, Base)> = Vec::new();
    for (key, read) in &sessions {
        if !models.iter().any(|(known, ..)| *known == key.model) {
            let location = source.model_for(key.model.0.as_deref(), &key.task)?;
            let base = location.base()?;
            super::note(format!("model: {}; runs: {}", base.name(), sweep.output.display()));
            models.push((key.model.clone(), location, base));
        }
        let base = models.iter().find(|(known, ..)| *known == key.model).map(|(_, _, base)| base);
        base.zip(read.as_ref()).map(|(base, read)| read.check_base(base)).transpose()?;
    }
    let mut prepared = Vec::new();
    for (key, read) in &mut sessions {
        let model = models.iter().find(|(known, ..)| *known == key.model);
        let (Some((_, location, base)), Some(read)) = (model, read.take()) else { bail!("{} was not read", key.task) };
        let task = read.prepare(base, location.pinned(), Some(key.dtype), &device)?;
        if let Some(time) = task.read_in() {
            super::note(format!("model: read in {:.1} s, once for all runs", time.as_secs_f64()));
        }
        task.notes().iter().for_each(super::note);
        prepared.push(task);
    }
    let ready: Vec<Option<Ready<'_>>> = places
        .iter()
        .map(|place| {
            let [whole, choosing] = (*place)?.map(|place| prepared[place].as_ref());
            Some(Ready { whole, choosing })
        })
        .collect();
    let each = || wanted.iter().filter_map(|at| Some((*at, ready[*at]?)));
    for (at, ready) in each() {
        sweep.check(at, ready)?.iter().for_each(super::note);
    }
    for (at, ready) in each() {
        sweep.settle(at, ready)?;
    }
    Grid::of(&sweep).add_to(&sweep.output)?;
    Ok(sweep.run(numbers, &ready, stop, |task, run| super::note(line(task, run)))?)
}

/// A line that summarizes a finished run.
pub(super) fn line(task: &AnyTask, run: &RunResult) -> String {
    let headline = task.headline(&run.scores).map_or_else(String::new, |headline| {
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
