//! The runs that are expected in a folder: `grid.toml`, from which missing runs are known.

use std::path::Path;

use asym_train::{TrainError, Tuning};
use serde::{Deserialize, Serialize};

use super::Sweep;
use super::cells::folder_name;
use crate::error::TaskError;

/// The file of the grid, in the folder of the sweep.
pub const GRID: &str = "grid.toml";

/// The version of the file.
const FORMAT: u32 = 1;

/// The rows of all sweeps with one output folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    format: u32,
    /// The name of the row with which the other rows of its task are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The rows.
    #[serde(default)]
    pub rows: Vec<GridRow>,
}

/// A method on a task, and its expected runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridRow {
    /// The task.
    pub task: String,
    /// The folder of the runs, relative to the folder of the grid; empty if both are the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// The name of the row, with which the names of its run folders begin.
    pub name: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The learning rates, if there are several. One of them is chosen for each seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_rates: Vec<f64>,
    /// The part of the model that is trained. Last, because an adapter is a table, and tables follow values in TOML.
    pub tuning: Tuning,
}

impl GridRow {
    /// The folder of a run, relative to the folder of the grid.
    pub fn run(&self, learning_rate: Option<f64>, seed: u64) -> String {
        let name = folder_name(&self.name, learning_rate, seed);
        if self.folder.is_empty() { name } else { format!("{}/{name}", self.folder) }
    }

    /// The folders of all runs: for each seed, the tuning runs that choose a learning rate, and the final run.
    pub fn runs(&self) -> impl Iterator<Item = (u64, Option<f64>, String)> {
        self.seeds.iter().flat_map(|seed| {
            let rates = self.learning_rates.iter().copied().map(Some).chain([None]);
            rates.map(|rate| (*seed, rate, self.run(rate, *seed)))
        })
    }
}

impl Grid {
    /// The grid of a sweep.
    pub fn of(sweep: &Sweep) -> Self {
        let rows = sweep.experiments.iter().flat_map(|own| {
            own.methods.iter().map(|method| GridRow {
                task: own.task.name(),
                folder: own.folder.clone(),
                name: method.name.clone(),
                seeds: own.recipe.seeds.clone(),
                learning_rates: own.learning_rates(method).to_vec(),
                tuning: method.tuning.clone(),
            })
        });
        Self { format: FORMAT, reference: sweep.reference.clone(), rows: rows.collect() }
    }

    /// The grid in `folder`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`TrainError::OtherVersion`] for a file that this version cannot read, and [`TaskError::Io`].
    pub fn read(folder: &Path) -> Result<Option<Self>, TaskError> {
        let path = folder.join(GRID);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self::parse(&path, &text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TaskError::io(&path)(error)),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, TrainError> {
        let other = |reason: String| TrainError::OtherVersion { path: path.to_path_buf(), reason };
        let grid: Self = toml::from_str(text).map_err(|error| other(error.message().to_string()))?;
        if grid.format == FORMAT {
            return Ok(grid);
        }
        Err(other(format!("its format is {}, and this version reads {FORMAT}", grid.format)))
    }

    /// Add the grid to the grid in `folder`, if there is one. Other processes may add further rows and seeds.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read), and a folder that cannot be written to.
    pub fn add_to(self, folder: &Path) -> Result<(), TaskError> {
        let path = folder.join(GRID);
        let add = |before: Option<&str>| {
            let before = before.map(|text| Self::parse(&path, text)).transpose()?;
            let together = before.clone().unwrap_or_default().with(self.clone());
            if before.as_ref() == Some(&together) {
                return Ok(None);
            }
            let text = toml::to_string(&together);
            text.map(Some).map_err(|source| TrainError::Format { path: path.clone(), source: Box::new(source) })
        };
        Ok(asym_train::amend(folder, GRID, add)?)
    }

    /// The union of both grids. A row in both grids has the seeds of both and the learning rates of `other`. The reference is
    /// that of `other`, if it has one.
    fn with(mut self, other: Self) -> Self {
        self.format = FORMAT;
        self.reference = other.reference.or(self.reference);
        for row in other.rows {
            let same = |known: &&mut GridRow| (&known.folder, &known.name) == (&row.folder, &row.name);
            match self.rows.iter_mut().find(same) {
                Some(known) => {
                    let new = row.seeds.into_iter().filter(|seed| !known.seeds.contains(seed)).collect::<Vec<_>>();
                    known.seeds.extend(new);
                    known.learning_rates = row.learning_rates;
                }
                None => self.rows.push(row),
            }
        }
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use asym_core::AdapterConfig;
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;
    use crate::scratch::Scratch;

    fn row(name: &str, seeds: &[u64]) -> GridRow {
        let (task, folder) = ("rte".to_string(), "rte".to_string());
        GridRow {
            task,
            folder,
            name: name.to_string(),
            seeds: seeds.to_vec(),
            learning_rates: Vec::new(),
            tuning: Tuning::Head,
        }
    }

    fn grid(rows: Vec<GridRow>) -> Grid {
        Grid { format: FORMAT, reference: None, rows }
    }

    #[test]
    fn grids_are_merged() {
        let scratch = Scratch::new("grid");
        let folder = scratch.path();
        assert_eq!(Grid::read(folder).unwrap(), None);
        grid(vec![row("a", &[1, 2])]).add_to(folder).unwrap();
        grid(vec![row("b", &[1]), row("a", &[2, 3])]).add_to(folder).unwrap();
        let found = Grid::read(folder).unwrap().unwrap();
        assert_eq!(found, grid(vec![row("a", &[1, 2, 3]), row("b", &[1])]));
        let runs: Vec<String> = found.rows[0].runs().map(|(_, _, run)| run).collect();
        assert_eq!(runs, ["rte/a-seed1", "rte/a-seed2", "rte/a-seed3"]);
    }

    #[test]
    fn several_learning_rates_add_selection_runs() {
        let row = GridRow { learning_rates: vec![1e-4, 1e-3], ..row("a", &[7]) };
        let runs: Vec<String> = row.runs().map(|(_, _, run)| run).collect();
        assert_eq!(runs, ["rte/a-lr1e-4-seed7", "rte/a-lr1e-3-seed7", "rte/a-seed7"]);
    }

    #[test]
    fn a_grid_of_another_version_is_refused() {
        let scratch = Scratch::new("grid-version");
        let folder = scratch.path();
        std::fs::write(folder.join(GRID), "format = 7\nrows = []\n").unwrap();
        let error = Grid::read(folder).unwrap_err().to_string();
        assert!(error.contains("grid.toml") && error.contains("its format is 7"), "{error}");
    }

    fn rows() -> impl Strategy<Value = Vec<GridRow>> {
        let tuning = prop_oneof![
            Just(Tuning::Full),
            Just(Tuning::Head),
            (1..100_usize).prop_map(|rank| Tuning::Adapter(AdapterConfig::b_only(rank))),
        ];
        let names = [any::<String>(), any::<String>(), any::<String>()];
        // Integers in TOML are signed.
        let seeds = prop::collection::vec(0..i64::MAX as u64, 0..4);
        let rates = prop::collection::vec(prop::num::f64::NORMAL, 0..3);
        let row = (names, seeds, rates, tuning).prop_map(|(names, seeds, learning_rates, tuning)| {
            let [task, folder, name] = names;
            GridRow { task, folder, name, seeds, learning_rates, tuning }
        });
        prop::collection::vec(row, 0..4)
    }

    proptest! {
        #![proptest_config(config(200))]

        #[test]
        fn grids_survive_a_round_trip(rows in rows(), reference in prop::option::of(any::<String>())) {
            let grid = Grid { format: FORMAT, reference, rows };
            let text = toml::to_string(&grid).unwrap();
            prop_assert_eq!(Grid::parse(Path::new(GRID), &text).unwrap(), grid);
        }
    }
}
