//! The execution of the runs of a sweep, by one process or by several processes together.

use std::time::{Duration, Instant};

use asym_train::{Existing, RunFolder, RunResult, RunState, StopSignal, TrainError, memory};

use super::cells::Choice;
use super::{Cell, Ready, Sweep};
use crate::error::TaskError;
use crate::recipe::RunConfig;
use crate::registry::AnyTask;
use crate::report::{Choosing, Report, Row};

/// The treatment of runs that other processes are working on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// Such runs are an error, because the sweep belongs to one process.
    #[default]
    Refuse,
    /// Such runs are left to the other processes.
    Leave,
    /// This process waits for such runs. If the process of a run dies, this process continues the run.
    Await,
}

/// The time between two checks of the runs of other processes.
const LOOK: Duration = Duration::from_secs(2);

/// The state of a cell after a visit.
enum Made {
    /// The run has a result.
    Done(Box<RunResult>),
    /// The run failed and cannot be continued.
    Failed(String),
    /// The training was stopped, or another process is working on the run.
    Open,
}

/// The state of one process that executes runs.
struct Making<'a> {
    sweep: &'a Sweep,
    cells: Vec<Cell>,
    ready: &'a [Option<Ready<'a>>],
    stop: &'a StopSignal,
    seen: &'a mut dyn FnMut(&AnyTask, &RunResult),
    report: Report,
    /// Whether a run was trained since the last check of the open runs.
    worked: bool,
}

impl Sweep {
    /// Execute the runs with these `numbers`, which are indices into [`cells`](Self::cells), in this order. `ready` has an
    /// element for each experiment, which may be `None` if none of these runs belongs to the experiment. `seen` is called with
    /// each result. A run that diverges is listed as failed below the table, and the sweep goes on with the other runs.
    ///
    /// # Errors
    ///
    /// The errors of [`PreparedTask::run`](crate::cell::PreparedTask::run). [`check`](Self::check) finds invalid settings
    /// beforehand. Finished runs stay in their folders.
    pub fn run(
        &self,
        numbers: &[usize],
        ready: &[Option<Ready<'_>>],
        stop: &StopSignal,
        mut seen: impl FnMut(&AnyTask, &RunResult),
    ) -> Result<Report, TaskError> {
        let (cells, report) = (self.cells(), self.empty_report(numbers));
        let mut making = Making { sweep: self, cells, ready, stop, seen: &mut seen, report, worked: false };
        let mut open = numbers.to_vec();
        while !open.is_empty() && !stop.requested() {
            making.worked = false;
            let mut left = Vec::new();
            for number in open {
                if stop.requested() || !making.visit(number)? {
                    left.push(number);
                }
            }
            open = left;
            // A run that another process abandoned may be open again, and a run that depends on other runs may be ready now.
            match self.others {
                _ if making.worked || open.is_empty() => {}
                Others::Await => pause(stop),
                Others::Refuse | Others::Leave => break,
            }
        }
        for number in open {
            let missing = making.missing(number)?;
            making.report.missing.push(missing);
        }
        Ok(making.report)
    }

    /// A table with the rows to which the runs with these `numbers` belong.
    fn empty_report(&self, numbers: &[usize]) -> Report {
        let cells = self.cells();
        let mut report = Report { reference: self.reference.clone(), ..Report::default() };
        for (experiment, own) in self.experiments.iter().enumerate() {
            for (method, named) in own.methods.iter().enumerate() {
                let is_own = |number: &&usize| {
                    cells.get(**number).is_some_and(|cell| (cell.experiment, cell.method) == (experiment, method))
                };
                if numbers.iter().any(|number| is_own(&number)) {
                    let mut row = Row::new(&own.task, &named.name, &named.tuning);
                    let listed = own.learning_rates(named);
                    row.choosing = own.recipe.share().filter(|_| !listed.is_empty()).map(|share| Choosing {
                        listed: listed.to_vec(),
                        share,
                        chosen: Vec::new(),
                    });
                    report.rows.push(row);
                }
            }
        }
        report
    }
}

impl Making<'_> {
    /// Execute a run, unless it is finished. Returns whether the run needs no further visit.
    fn visit(&mut self, number: usize) -> Result<bool, TaskError> {
        let cell = self.cells[number].clone();
        let own = &self.sweep.experiments[cell.experiment];
        let method = &own.methods[cell.method];
        let name = format!("{} {} seed {}", own.task, method.name, cell.seed);
        let name = match cell.learning_rate {
            Some(rate) => format!("{name} learning rate {rate:e}"),
            None => name,
        };
        let label = format!("[{}/{}] {name}", number + 1, self.cells.len());
        let (run, rate) = match cell.learning_rate {
            Some(rate) => (own.run_with(method, cell.seed, rate, true), None),
            None if own.learning_rates(method).is_empty() => (own.run_config(method, cell.seed), None),
            None => match self.chosen(&cell) {
                Ok(Some(rate)) => (own.run_with(method, cell.seed, rate, false), Some(rate)),
                Ok(None) => return Ok(false),
                Err(error @ TaskError::NoLearningRate { .. }) => {
                    self.report.failed.push(format!("{name}: {error}"));
                    return Ok(true);
                }
                Err(error) => return Err(error),
            },
        };
        let is_row = cell.learning_rate.is_none();
        match self.make(&cell, &run, &label)? {
            Made::Done(result) => {
                let row = self.report.rows.iter_mut().find(|row| row.is(&own.task, &method.name)).filter(|_| is_row);
                if let Some(row) = row {
                    if let (Some(choosing), Some(rate)) = (&mut row.choosing, rate) {
                        choosing.chosen.push((cell.seed, rate));
                    }
                    row.runs.push(*result);
                }
                Ok(true)
            }
            Made::Failed(message) => {
                // If a run for the choice of a learning rate fails, the row does not fail. This rate is only not chosen.
                if is_row {
                    self.report.failed.push(format!("{name}: {message}"));
                }
                Ok(true)
            }
            Made::Open => Ok(false),
        }
    }

    /// The best learning rate according to other runs. Those of the other runs that are open are executed first.
    fn chosen(&mut self, cell: &Cell) -> Result<Option<f64>, TaskError> {
        if let Choice::Made(rate) = self.sweep.choice(cell)? {
            return Ok(Some(rate));
        }
        let is_needed =
            |other: &Cell| other.learning_rate.is_some() && Cell { learning_rate: None, ..other.clone() } == *cell;
        let needed: Vec<usize> = (0..self.cells.len()).filter(|at| is_needed(&self.cells[*at])).collect();
        for number in needed {
            if self.stop.requested() || !self.visit(number)? {
                return Ok(None);
            }
        }
        match self.sweep.choice(cell)? {
            Choice::Made(rate) => Ok(Some(rate)),
            Choice::Waits => Ok(None),
        }
    }

    /// Execute the run of a cell, unless it is finished or another process is working on it.
    fn make(&mut self, cell: &Cell, run: &RunConfig, label: &str) -> Result<Made, TaskError> {
        let (sweep, path) = (self.sweep, self.sweep.path(cell));
        let is_shared = sweep.others != Others::Refuse;
        // A finished run is read without a claim on its folder.
        if sweep.existing == Existing::Resume {
            match RunFolder::state(&path)? {
                RunState::Done(result) => return Ok(Made::Done(result)),
                RunState::Running { .. } if is_shared => return Ok(Made::Open),
                _ => {}
            }
        }
        let Some(ready) = self.ready.get(cell.experiment).copied().flatten() else { return Ok(Made::Open) };
        let prepared = if cell.learning_rate.is_some() { ready.choosing } else { ready.whole };
        let made = prepared.run(run, label, Some((&path, sweep.existing)), self.stop);
        // The next run may need less memory.
        memory::give_back();
        match made {
            Ok(result) => {
                self.worked = true;
                (self.seen)(&sweep.experiments[cell.experiment].task, &result);
                Ok(if result.interrupted { Made::Open } else { Made::Done(Box::new(result)) })
            }
            Err(TaskError::Train(TrainError::Claimed { .. } | TrainError::Overtaken { .. })) if is_shared => {
                Ok(Made::Open)
            }
            Err(TaskError::Train(error)) if error.is_divergence() => Ok(Made::Failed(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// A line on a run that has no result.
    fn missing(&self, number: usize) -> Result<String, TaskError> {
        let cell = &self.cells[number];
        let name = self.sweep.name(cell);
        Ok(match RunFolder::state(&self.sweep.path(cell))? {
            RunState::Running { worker, step } => format!("{name}: {worker} is at step {step}"),
            RunState::Open { step: 0 } => format!("{name}: open"),
            RunState::Open { step } => format!("{name}: open, stopped after step {step}"),
            RunState::Done(_) | RunState::Failed { .. } => format!("{name}: finished just now"),
        })
    }
}

/// Wait until the next check of other runs, unless a stop is requested.
fn pause(stop: &StopSignal) {
    let started = Instant::now();
    while started.elapsed() < LOOK && !stop.requested() {
        std::thread::sleep(Duration::from_millis(50));
    }
}
