//! `asym sweep`: trains the runs of many recipes with any number of processes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_tasks::report::Gathered;
use asym_tasks::sweep::grid::Grid;
use asym_tasks::sweep::shell::quoted;
use asym_tasks::{Experiment, Others, Recipe, Sweep};
use asym_train::{Existing, StopSignal};
use clap::Args;

use super::run::{failed, make, recipe_name};
use super::{FormArgs, SourceArgs};

/// Options of `asym sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// The recipes, and settings of the form KEY=VALUE that override all of them, such as epochs=1 tasks=rte,mrpc
    #[arg(value_name = "RECIPE", required_unless_present = "status")]
    recipes: Vec<String>,
    /// Number of seeds: 1 to N for every recipe [default: the seeds of each recipe]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Folder of the runs, which any number of processes can share
    #[arg(long)]
    output: PathBuf,
    /// Compare the other rows of each task with the recipe of this name, seed by seed
    #[arg(long, value_name = "NAME")]
    compare: Option<String>,
    /// Train one run, given by its number in --list, counted from 1, or by its name
    #[arg(long, value_name = "RUN", conflicts_with_all = ["status", "list"])]
    cell: Option<String>,
    /// Wait for the runs of other processes, and train the runs of processes that die
    #[arg(long, conflicts_with_all = ["status", "list"])]
    wait: bool,
    /// Print which runs are done, running, failed or open, and train nothing; without recipes, print the runs in the folder
    #[arg(long, conflicts_with = "list")]
    status: bool,
    /// Print a command for each run, and train nothing
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    form: FormArgs,
}

/// Train those runs of the recipes that have no result yet, together with other processes, and print the table.
///
/// # Errors
///
/// Returns an error if settings, data or model are invalid, or if a run fails. All checks run before training starts.
pub fn sweep(args: &SweepArgs) -> Result<()> {
    if args.status {
        return status(args);
    }
    let sweep = args.sweep()?;
    sweep.validate()?;
    if args.list {
        return args.list(&sweep);
    }
    let cells = sweep.cells();
    let numbers = match &args.cell {
        Some(named) => vec![number(&sweep, named)?],
        None => (0..cells.len()).collect(),
    };
    std::fs::create_dir_all(&sweep.output).with_context(|| sweep.output.display().to_string())?;
    let stop = StopSignal::on_signals();
    let report = make(&args.source, &sweep, &numbers, &stop)?;
    args.form.print(&report, &report.lines())?;
    if stop.requested() {
        bail!("stopped early; run the same command again to continue");
    }
    if args.cell.is_some() && !report.missing.is_empty() {
        bail!("the run has no result: {}; --wait waits for it", report.missing.join(", "));
    }
    failed(&report)
}

impl SweepArgs {
    /// The recipes and the changes among the arguments.
    fn divided(&self) -> (Vec<&Path>, Vec<String>) {
        let is_change = |text: &&String| text.contains('=') && !Path::new(text.as_str()).exists();
        let (changes, recipes): (Vec<&String>, Vec<&String>) = self.recipes.iter().partition(is_change);
        (recipes.into_iter().map(Path::new).collect(), changes.into_iter().cloned().collect())
    }

    /// The experiments: task by task, in the order of the recipes.
    fn sweep(&self) -> Result<Sweep> {
        let (paths, changes) = self.divided();
        if paths.is_empty() {
            bail!("give at least one recipe, such as those in recipes/");
        }
        let mut recipes = Vec::new();
        for path in &paths {
            let mut recipe = Recipe::read(path, &changes)?;
            if let Some(seeds) = self.seeds {
                recipe.seeds = (1..=seeds).collect();
            }
            recipes.push((recipe_name(path), recipe));
        }
        let mut tasks = Vec::new();
        for task in recipes.iter().flat_map(|(_, recipe)| &recipe.tasks) {
            if !tasks.contains(&task.name()) {
                tasks.push(task.name());
            }
        }
        let of_task = |name: &String| -> Vec<Experiment> {
            let own = |(row, recipe): &(String, Recipe)| {
                let task = recipe.tasks.iter().find(|task| task.name() == *name)?;
                Some(Experiment::of_recipe(row, recipe, task))
            };
            recipes.iter().filter_map(own).collect()
        };
        Ok(Sweep {
            experiments: tasks.iter().flat_map(of_task).collect(),
            reference: self.compare.clone(),
            output: self.output.clone(),
            existing: Existing::Resume,
            others: if self.wait { Others::Await } else { Others::Leave },
        })
    }

    /// Print a command for each run, one per line, as schedulers read them.
    fn list(&self, sweep: &Sweep) -> Result<()> {
        for cell in sweep.cells() {
            let mut words = vec!["asym".to_string(), "sweep".to_string()];
            words.extend(self.recipes.iter().cloned());
            words.extend(self.seeds.map(|seeds| format!("--seeds={seeds}")));
            words.extend(self.compare.as_ref().map(|name| format!("--compare={name}")));
            words.extend(self.source.words());
            words.push(format!("--output={}", self.output.display()));
            words.push(format!("--cell={}", sweep.name(&cell)));
            if let Some(word) = words.iter().find(|word| word.contains(['\n', '\r'])) {
                bail!(
                    "--list prints one command per line, but {word:?} has a line break; remove the line break, or put the setting into a recipe"
                );
            }
            super::say(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))?;
        }
        Ok(())
    }
}

/// The index of the run with this name, or with this number counted from 1.
fn number(sweep: &Sweep, named: &str) -> Result<usize> {
    let cells = sweep.cells();
    let place = match named.parse::<usize>() {
        Ok(number) => number.checked_sub(1).filter(|place| *place < cells.len()),
        Err(_) => cells.iter().position(|cell| sweep.name(cell) == named),
    };
    place.with_context(|| {
        let last = cells.last().map(|cell| sweep.name(cell)).unwrap_or_default();
        format!(
            "there is no run `{named}`: give a number from 1 to {}, or a name such as {last}; --list prints all names",
            cells.len()
        )
    })
}

/// Print the state of every run.
fn status(args: &SweepArgs) -> Result<()> {
    let expected = if args.recipes.is_empty() {
        None
    } else {
        let sweep = args.sweep()?;
        sweep.validate()?;
        Some(Grid::of(&sweep))
    };
    let status = Gathered::read(&args.output, expected)?.status();
    args.form.print_whole(&status, &status.runs, &status)
}
