//! The runs in a folder, finished or not.

use std::path::{Path, PathBuf};

use asym_train::{Environment, RunFolder, RunResult, RunState, Tuning};
use toml::Table;

use super::rows::{Choosing, Report, Row};
use crate::error::TaskError;
use crate::recipe::Recipe;
use crate::registry::AnyTask;
use crate::sweep::grid::{GRID, Grid, GridRow};

/// The maximum depth at which runs are found in a folder, such as a folder of sweeps.
const DEPTH: usize = 5;

/// The files that identify the folder of a run.
const MARKS: [&str; 3] = ["recipe.toml", "results.json", "metrics.jsonl"];

/// The runs in a folder.
#[derive(Clone, Debug)]
pub struct Gathered {
    root: PathBuf,
    pub(super) groups: Vec<Group>,
    pub(super) problems: Vec<String>,
    reference: Option<String>,
}

/// The rows of one task with one model and one data set.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub task: AnyTask,
    pub model: Option<String>,
    pub data: Option<String>,
    pub rows: Vec<Gather>,
}

/// The runs of one row.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    /// The index among all rows.
    at: usize,
    /// The folder of the runs, relative to the root.
    pub place: String,
    pub name: String,
    task: String,
    listed: Vec<f64>,
    /// The method according to the grid.
    tuning: Option<Tuning>,
    pub runs: Vec<Found>,
}

/// A run that exists, or that a grid expects.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The folder of the run, relative to the root.
    pub folder: String,
    pub seed: u64,
    /// The learning rate, if the run only serves to choose one.
    pub learning_rate: Option<f64>,
    /// The state, or the reason why it cannot be read.
    pub state: Result<RunState, String>,
    /// The recipe, parsed and as text.
    pub recipe: Option<(Recipe, String)>,
    pub environment: Option<Environment>,
}

/// The numbers of runs in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub done: usize,
    pub running: usize,
    pub failed: usize,
    pub open: usize,
    pub unreadable: usize,
}

impl Counts {
    /// The counts of the states that [`Found::describe`] names.
    pub fn of(states: impl Iterator<Item = &'static str>) -> Self {
        let mut counts = Self::default();
        for state in states {
            match state {
                "done" => counts.done += 1,
                "running" => counts.running += 1,
                "failed" => counts.failed += 1,
                "open" => counts.open += 1,
                _ => counts.unreadable += 1,
            }
        }
        counts
    }

    pub fn all(&self) -> usize {
        self.done + self.running + self.failed + self.open + self.unreadable
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { done, running, failed, open, unreadable } = self;
        write!(f, "{done} done, {running} running, {failed} failed, {open} open, {unreadable} unreadable")
    }
}

impl Found {
    fn read(root: &Path, folder: String, seed: u64, learning_rate: Option<f64>) -> Self {
        let path = root.join(&folder);
        let state = RunFolder::state(&path).map_err(|error| error.to_string());
        let text = RunFolder::recipe(&path).ok().flatten().filter(|_| path.exists());
        let recipe = text.and_then(|text| Some((Recipe::parse(&path.join("recipe.toml"), &text, &[]).ok()?, text)));
        let environment = RunFolder::environment(&path);
        Self { folder, seed, learning_rate, state, recipe, environment }
    }

    /// The results of the run, if it has any.
    pub fn result(&self) -> Option<&RunResult> {
        match &self.state {
            Ok(RunState::Done(result)) => Some(result),
            _ => None,
        }
    }

    /// The name of the state, and the reason why the run has no result.
    pub fn describe(&self) -> (&'static str, String) {
        match &self.state {
            Ok(RunState::Done(_)) => ("done", String::new()),
            Ok(RunState::Running { worker, step }) => {
                let of = if worker.steps > 0 { format!(" of {}", worker.steps) } else { String::new() };
                ("running", format!("{worker} is at step {step}{of}"))
            }
            Ok(RunState::Failed { message }) => ("failed", message.clone()),
            Ok(RunState::Open { step: 0 }) => ("open", String::new()),
            Ok(RunState::Open { step }) => ("open", format!("stopped after step {step}")),
            Err(error) => ("unreadable", error.clone()),
        }
    }
}

impl Gather {
    /// The final runs, without those that only serve to choose a learning rate.
    pub fn counting(&self) -> impl Iterator<Item = &Found> {
        self.runs.iter().filter(|run| run.learning_rate.is_none())
    }

    fn recipe(&self) -> Option<&Recipe> {
        let counts = self.counting().chain(&self.runs);
        counts.filter_map(|run| run.recipe.as_ref()).map(|(recipe, _)| recipe).next()
    }

    /// How the learning rate was chosen, if the row has several.
    fn choosing(&self) -> Option<Choosing> {
        let mut listed = self.listed.clone();
        for rate in self.runs.iter().filter_map(|run| run.learning_rate) {
            if !listed.contains(&rate) {
                listed.push(rate);
            }
        }
        if listed.is_empty() {
            return None;
        }
        let share = self.runs.iter().filter_map(|run| run.recipe.as_ref()?.0.hold_out).next();
        let chosen = self.counting().filter(|run| run.result().is_some());
        let chosen = chosen.filter_map(|run| {
            let (recipe, _) = run.recipe.as_ref()?;
            let task = recipe.tasks.first()?;
            Some((run.seed, recipe.run(task, &recipe.tuning, run.seed).training.learning_rate))
        });
        Some(Choosing { listed, share: share.unwrap_or(crate::split::DEV_SHARE), chosen: chosen.collect() })
    }
}

impl Gathered {
    /// Read the runs in `root`, to a depth of five folders. The runs of all grids in `root` and of the grid `expected` are
    /// included even if they do not exist yet.
    ///
    /// Runs that cannot be read are also included.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read, or one without runs and grids if `expected` is `None`.
    pub fn read(root: &Path, expected: Option<Grid>) -> Result<Self, TaskError> {
        let (mut folders, mut grids, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        if root.exists() || expected.is_none() {
            search(root, "", 0, &mut folders, &mut grids).map_err(TaskError::io(root))?;
        }
        if folders.is_empty() && grids.is_empty() && expected.is_none() {
            return Err(TaskError::NoRuns { path: root.to_path_buf() });
        }
        let (mut rows, mut reference) = (Vec::new(), None);
        let read = grids.into_iter().filter_map(|place| match Grid::read(&root.join(&place)) {
            Ok(grid) => grid.map(|grid| (place, grid)),
            Err(error) => {
                problems.push(error.to_string());
                None
            }
        });
        let read: Vec<(String, Grid)> = expected.map(|grid| (String::new(), grid)).into_iter().chain(read).collect();
        for (place, grid) in read {
            reference = reference.or(grid.reference.clone());
            grid.rows.iter().for_each(|row| expect(&mut rows, root, &place, row));
        }
        for folder in folders {
            let is_known = rows.iter().flat_map(|row: &Gather| &row.runs).any(|run| run.folder == folder);
            if !is_known {
                add(&mut rows, root, folder);
            }
        }
        let groups = grouped(rows, &mut problems);
        Ok(Self { root: root.to_path_buf(), groups, problems, reference })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The name of the row with which the sweep compares the other rows.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The number of runs in each state, including runs that only serve to choose a learning rate.
    pub(super) fn counts(&self) -> Counts {
        Counts::of(self.runs().map(|run| run.describe().0))
    }

    fn runs(&self) -> impl Iterator<Item = &Found> {
        self.groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.runs)
    }

    /// A line for each problem: a file that cannot be read, or a row that is not in the report.
    pub fn problems(&self) -> Vec<String> {
        let unreadable = self.runs().filter_map(|run| run.state.as_ref().err());
        self.problems.iter().chain(unreadable).cloned().collect()
    }
}

impl Group {
    /// The results of the group as a table, in which rows are compared with the row called `reference`.
    pub fn report(&self, reference: Option<&str>) -> Report {
        let row = |gather: &Gather| {
            let tuning = gather.recipe().map(|recipe| recipe.tuning.clone()).or(gather.tuning.clone());
            let tuning = tuning.unwrap_or(Tuning::Head);
            let mut row = Row::new(&self.task, &gather.name, &tuning);
            row.runs = gather.counting().filter_map(|run| run.result().cloned()).collect();
            row.choosing = gather.choosing();
            row
        };
        let failed = |run: &&Found| matches!(run.state, Ok(RunState::Failed { .. }));
        let line = |run: &Found| {
            let (state, why) = run.describe();
            if why.is_empty() { format!("{}: {state}", run.folder) } else { format!("{}: {state}: {why}", run.folder) }
        };
        let counting = || self.rows.iter().flat_map(Gather::counting);
        let missing = |run: &&Found| run.result().is_none() && !matches!(run.state, Ok(RunState::Failed { .. }));
        Report {
            rows: self.rows.iter().map(row).collect(),
            failed: counting().filter(failed).map(line).collect(),
            missing: counting().filter(missing).map(line).collect(),
            reference: reference.map(ToOwned::to_owned),
        }
    }
}

/// Find the folders of runs and of grids in `root`, as paths relative to `root`.
fn search(
    root: &Path,
    place: &str,
    depth: usize,
    folders: &mut Vec<String>,
    grids: &mut Vec<String>,
) -> std::io::Result<()> {
    let path = root.join(place);
    if MARKS.iter().any(|mark| path.join(mark).is_file()) {
        folders.push(place.to_string());
        return Ok(());
    }
    if path.join(GRID).is_file() {
        grids.push(place.to_string());
    }
    if depth == DEPTH {
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    names.iter().try_for_each(|name| search(root, &joined(place, name), depth + 1, folders, grids))
}

fn joined(place: &str, name: &str) -> String {
    [place, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The row called `name` in the folder `place`. It is created if there is none.
fn row_at<'a>(rows: &'a mut Vec<Gather>, place: &str, name: &str, task: &str) -> &'a mut Gather {
    let known = rows.iter().position(|row| row.place == place && row.name == name);
    let at = known.unwrap_or_else(|| {
        let (place, name, task) = (place.to_string(), name.to_string(), task.to_string());
        rows.push(Gather { at: rows.len(), place, name, task, listed: Vec::new(), tuning: None, runs: Vec::new() });
        rows.len() - 1
    });
    &mut rows[at]
}

/// Add the runs of a row of a grid.
fn expect(rows: &mut Vec<Gather>, root: &Path, place: &str, expected: &GridRow) {
    let row = row_at(rows, &joined(place, &expected.folder), &expected.name, &expected.task);
    row.listed = expected.learning_rates.clone();
    row.tuning = Some(expected.tuning.clone());
    for (seed, learning_rate, folder) in expected.runs() {
        let folder = joined(place, &folder);
        if !row.runs.iter().any(|run| run.folder == folder) {
            row.runs.push(Found::read(root, folder, seed, learning_rate));
        }
    }
}

/// Add a run that is in no grid.
fn add(rows: &mut Vec<Gather>, root: &Path, folder: String) {
    let (place, own) = folder.rsplit_once('/').unwrap_or(("", &folder));
    // The root itself may be the folder of a run.
    let named = if own.is_empty() { root.file_name().and_then(|name| name.to_str()).unwrap_or_default() } else { own };
    let (place, name, learning_rate, seed) = match parts(named) {
        Some((name, learning_rate, seed)) => (place.to_string(), name.to_string(), learning_rate, Some(seed)),
        None => (place.to_string(), named.to_string(), None, None),
    };
    let mut run = Found::read(root, folder, seed.unwrap_or_default(), learning_rate);
    let recipe = run.recipe.as_ref().map(|(recipe, _)| recipe);
    if let (None, Some(own)) = (seed, recipe.and_then(|recipe| recipe.seeds.first())) {
        run.seed = *own;
    }
    let task = run.recipe.as_ref().and_then(|(recipe, _)| recipe.tasks.first().map(|task| task.name()));
    row_at(rows, &place, &name, &task.unwrap_or_default()).runs.push(run);
}

/// The row, the learning rate and the seed in the name of a run's folder.
fn parts(name: &str) -> Option<(&str, Option<f64>, u64)> {
    let (row, seed) = name.rsplit_once("-seed")?;
    let seed = seed.parse().ok()?;
    let rate = row.rsplit_once("-lr").and_then(|(row, text)| {
        let rate = text.parse::<f64>().ok().filter(|rate| format!("{rate:e}") == text)?;
        Some((row, rate))
    });
    Some(rate.map_or((row, None, seed), |(row, rate)| (row, Some(rate), seed)))
}

/// Group the rows by task, model and data. A row without a recipe is grouped with the other rows of its task.
fn grouped(rows: Vec<Gather>, problems: &mut Vec<String>) -> Vec<Group> {
    let (known, unknown): (Vec<Gather>, Vec<Gather>) = rows.into_iter().partition(|row| row.recipe().is_some());
    let mut groups: Vec<Group> = Vec::new();
    for mut row in known {
        let Some(recipe) = row.recipe() else { continue };
        let Some(task) = recipe.tasks.first().cloned() else { continue };
        let (model, data) = (recipe.model.clone(), recipe.data.clone());
        row.task = task.name();
        let same =
            |group: &&mut Group| group.task.name() == task.name() && (&group.model, &group.data) == (&model, &data);
        match groups.iter_mut().find(same) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { task, model, data, rows: vec![row] }),
        }
    }
    for row in unknown {
        match groups.iter_mut().find(|group| group.task.name() == row.task) {
            Some(group) => group.rows.push(row),
            None => match AnyTask::named(&row.task, &Table::new()) {
                Ok(task) => groups.push(Group { task, model: None, data: None, rows: vec![row] }),
                Err(error) => {
                    let states = row.runs.iter().map(|run| run.describe().1).filter(|why| !why.is_empty());
                    let why = states.collect::<Vec<_>>().join("; ");
                    let why = if why.is_empty() { error.to_string() } else { why };
                    problems.push(format!("{}: not in the report: {why}", joined(&row.place, &row.name)));
                }
            },
        }
    }
    for group in &mut groups {
        group.rows.sort_by_key(|row| row.at);
        distinguish(&mut group.rows);
    }
    groups
}

/// Add the folder to the names of rows that have the same name in different folders.
fn distinguish(rows: &mut [Gather]) {
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    for row in rows {
        if names.iter().filter(|name| **name == row.name).count() > 1 {
            row.name = joined(&row.place, &row.name);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;

    /// The name of the folder of a run in a grid.
    fn folder_name(row: &str, learning_rate: Option<f64>, seed: u64) -> String {
        let (task, folder, name) = (String::new(), String::new(), row.to_string());
        let (seeds, learning_rates, tuning) = (Vec::new(), Vec::new(), Tuning::Head);
        GridRow { task, folder, name, seeds, learning_rates, tuning }.run(learning_rate, seed)
    }

    #[test]
    fn folder_names_are_split_into_parts() {
        assert_eq!(parts("b-only-r8-seed12"), Some(("b-only-r8", None, 12)));
        assert_eq!(parts("b-only-r8-lr3e-4-seed1"), Some(("b-only-r8", Some(3e-4), 1)));
        // A recipe may have such a name.
        assert_eq!(parts("mine-lr3-seed1"), Some(("mine-lr3", None, 1)));
        assert_eq!(parts("figure"), None);
        assert_eq!(parts("x-seedy"), None);
    }

    proptest! {
        #![proptest_config(config(1000))]

        #[test]
        fn folder_names_survive_a_round_trip(
            name in "([a-z0-9]|-|-lr|-seed|[.]|1e-4){1,6}",
            rate in prop::option::of(
                prop_oneof![prop::num::f64::POSITIVE | prop::num::f64::NORMAL, Just(1e-4), Just(3.0)],
            ),
            seed in any::<u64>(),
        ) {
            let folder = folder_name(&name, rate, seed);
            // The name of a recipe may look like that of a run that chooses a learning rate.
            let is_like_a_run = parts(&format!("{name}-seed1")).unwrap().1.is_some();
            if rate.is_some() || !is_like_a_run {
                prop_assert_eq!(parts(&folder), Some((name.as_str(), rate, seed)));
            }
        }

        #[test]
        fn arbitrary_folder_names_do_not_panic(name in "(\\PC|-|seed|lr|[0-9]){0,12}") {
            if let Some((row, rate, seed)) = parts(&name) {
                // A number may be written with leading zeros or a sign.
                let folder = folder_name(row, rate, seed);
                prop_assert_eq!(parts(&folder), Some((row, rate, seed)));
            }
        }
    }
}
