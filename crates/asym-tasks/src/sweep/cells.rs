//! The runs of a sweep, in the order in which they are executed, and their folders.

use std::path::{Path, PathBuf};

use asym_train::{RunFolder, RunState, Scores};

use super::{Experiment, Sweep};
use crate::error::TaskError;
use crate::task::{Score, Unit};

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The index of the experiment.
    pub experiment: usize,
    /// The index of the method in the experiment.
    pub method: usize,
    /// The seed.
    pub seed: u64,
    /// The learning rate, if the run only serves to choose one.
    pub learning_rate: Option<f64>,
}

/// The name of the folder of a run.
pub(crate) fn folder_name(method: &str, learning_rate: Option<f64>, seed: u64) -> String {
    let rate = learning_rate.map_or_else(String::new, |rate| format!("-lr{rate:e}"));
    format!("{method}{rate}-seed{seed}")
}

/// Whether the learning rate of a run has been chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// This learning rate is the best.
    Made(f64),
    /// The runs that determine the learning rate are not finished.
    Waits,
}

impl Sweep {
    /// The runs, seed by seed, so that an interrupted sweep has a part of every row. The runs that determine a
    /// learning rate come before the run that uses it.
    pub fn cells(&self) -> Vec<Cell> {
        let most = self.experiments.iter().map(|experiment| experiment.recipe.seeds.len()).max().unwrap_or_default();
        let mut cells = Vec::new();
        for number in 0..most {
            for (experiment, own) in self.experiments.iter().enumerate() {
                let Some(seed) = own.recipe.seeds.get(number).copied() else { continue };
                for (method, named) in own.methods.iter().enumerate() {
                    let rates = own.learning_rates(named).iter().copied().map(Some);
                    let cell = |learning_rate| Cell { experiment, method, seed, learning_rate };
                    cells.extend(rates.chain([None]).map(cell));
                }
            }
        }
        cells
    }

    /// The name of a run: its folder, relative to the folder of the sweep.
    pub fn name(&self, cell: &Cell) -> String {
        let own = &self.experiments[cell.experiment];
        let name = folder_name(&own.methods[cell.method].name, cell.learning_rate, cell.seed);
        if own.folder.is_empty() { name } else { format!("{}/{name}", own.folder) }
    }

    /// The folder of a run.
    pub(crate) fn path(&self, cell: &Cell) -> PathBuf {
        self.output.join(self.name(cell))
    }

    /// The learning rate of a run, chosen by the scores of other runs.
    pub(super) fn choice(&self, cell: &Cell) -> Result<Choice, TaskError> {
        let own = &self.experiments[cell.experiment];
        let method = &own.methods[cell.method];
        choose(own, &method.name, own.learning_rates(method), cell.seed, &self.output.join(&own.folder))
    }
}

fn choose(own: &Experiment, method: &str, rates: &[f64], seed: u64, folder: &Path) -> Result<Choice, TaskError> {
    let state = |rate: &f64| Ok(RunFolder::state(&folder.join(folder_name(method, Some(*rate), seed)))?);
    let states = rates.iter().map(state).collect::<Result<Vec<RunState>, TaskError>>()?;
    best(rates, &states, &|found| own.task.headline(found))
}

/// The rate of the best run; the first of several that are equally good.
fn best(rates: &[f64], states: &[RunState], headline: &dyn Fn(&Scores) -> Option<Score>) -> Result<Choice, TaskError> {
    let mut best: Option<(f64, f64)> = None;
    for (rate, state) in rates.iter().zip(states) {
        let result = match state {
            RunState::Done(result) => result,
            // The learning rate is too high, and training diverged.
            RunState::Failed { .. } => continue,
            RunState::Open { .. } | RunState::Running { .. } => return Ok(Choice::Waits),
        };
        let Some(headline) = headline(&result.scores) else { continue };
        let Some(score) = result.scores.get(&headline.name) else { continue };
        let worth = if headline.unit == Unit::Cost { -score } else { *score };
        if best.is_none_or(|(_, most)| worth > most) {
            best = Some((*rate, worth));
        }
    }
    let (rate, _) = best.ok_or_else(|| TaskError::NoLearningRate { listed: rates.to_vec() })?;
    Ok(Choice::Made(rate))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use asym_train::{Epoch, Outcome, RunResult};

    use super::*;

    fn done(name: &str, score: f64) -> RunState {
        let dev = Scores::from([(name.to_string(), score)]);
        let outcome = Outcome { epochs: vec![Epoch { epoch: 1, train: Scores::new(), dev }], ..Outcome::default() };
        RunState::Done(Box::new(RunResult::new(("t".into(), "m".into(), 1), &outcome, (1, 2))))
    }

    fn failed() -> RunState {
        RunState::Failed { message: "the loss is NaN".into() }
    }

    #[test]
    fn the_best_rate_is_chosen_after_all_runs_have_ended() {
        let rates = [1e-4, 3e-4, 1e-3];
        let accuracy = Score::share("accuracy");
        let of = |states: &[RunState], score: &Score| best(&rates, states, &|_| Some(score.clone()));
        let states = [done("accuracy", 0.7), done("accuracy", 0.9), failed()];
        assert_eq!(of(&states, &accuracy).unwrap(), Choice::Made(3e-4));
        let equal = [done("accuracy", 0.9), done("accuracy", 0.9), failed()];
        assert_eq!(of(&equal, &accuracy).unwrap(), Choice::Made(1e-4));
        let losses = [done("loss", 0.7), done("loss", 0.9), done("loss", 0.6)];
        assert_eq!(of(&losses, &Score::cost("loss")).unwrap(), Choice::Made(1e-3));
        let open = [done("accuracy", 0.7), RunState::Open { step: 3 }, failed()];
        assert_eq!(of(&open, &accuracy).unwrap(), Choice::Waits);
        let error = of(&[failed(), failed(), failed()], &accuracy).unwrap_err().to_string();
        assert!(error.contains("0.0001, 0.0003, 0.001"), "{error}");
    }

    #[test]
    fn folder_names_contain_the_learning_rate() {
        assert_eq!(folder_name("lora-r8", None, 3), "lora-r8-seed3");
        assert_eq!(folder_name("lora-r8", Some(0.0003), 3), "lora-r8-lr3e-4-seed3");
        assert_eq!(folder_name("lora-r8", Some(2.5e-4), 1), "lora-r8-lr2.5e-4-seed1");
    }
}
