#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use asym_core::InputMoment;
use asym_train::{Outcome, RunResult, StopSignal, TrainError};

use super::*;
use crate::images::Sheet;
use crate::methods::LayerNames;
use crate::report::Report;
use crate::task::Shown;

/// A task whose runs fail for the method `full`. A stop is requested during the second run of the other methods.
struct Fake<'a>(&'a StopSignal, std::cell::Cell<usize>);

impl PreparedTask for Fake<'_> {
    fn read_in(&self) -> Option<Duration> {
        None
    }

    fn notes(&self) -> &[String] {
        &[]
    }

    fn check(&self, _run: &RunConfig) -> Result<RunFacts, TaskError> {
        Ok(RunFacts::default())
    }

    fn recipe(&self, run: &RunConfig) -> Recipe {
        Recipe::of(run, None, None)
    }

    fn sheet(&self, _seed: u64, _columns: usize) -> Result<Option<Sheet>, TaskError> {
        Ok(None)
    }

    fn shown(&self, _run: &RunConfig, _count: usize) -> Result<Option<Vec<(usize, Shown)>>, TaskError> {
        Ok(None)
    }

    fn observe_inputs(&self, _seed: u64) -> Result<HashMap<String, InputMoment>, TaskError> {
        Ok(HashMap::new())
    }

    fn run(
        &self,
        run: &RunConfig,
        _label: &str,
        _folder: Option<(&Path, Existing)>,
        stop: &StopSignal,
    ) -> Result<RunResult, TaskError> {
        if run.tuning == Tuning::Full {
            let (loss, grad_norm) = (Some(f64::NAN), f64::NAN);
            return Err(TrainError::NonFiniteLoss { loss, grad_norm, step: 3, learning_rate: 1.0 }.into());
        }
        self.1.set(self.1.get() + 1);
        if self.1.get() == 2 {
            self.0.request();
        }
        let outcome = Outcome { interrupted: stop.requested(), ..Outcome::default() };
        Ok(RunResult::new(("mrpc".into(), run.tuning.to_string(), run.training.seed), &outcome, (1, 2)))
    }
}

fn sweep(seeds: &[u64]) -> Sweep {
    let task: AnyTask = "mrpc".parse().unwrap();
    let methods = ["full", "head", "lora"].iter().map(|name| Method::parse(name, 8, LayerNames::BERT).unwrap());
    let experiment = Experiment {
        recipe: Recipe::new(None, None, task.clone(), seeds.to_vec(), Tuning::Head),
        task,
        methods: methods.collect(),
        full_learning_rate: Some(7e-5),
        folder: String::new(),
        settings: SETTINGS.into(),
    };
    Sweep {
        experiments: vec![experiment],
        reference: None,
        output: "no such folder".into(),
        existing: Existing::Refuse,
        others: Others::Refuse,
    }
}

fn run(sweep: &Sweep, fake: &Fake<'_>, seen: &mut usize) -> Report {
    let ready = [Some(Ready { whole: fake, choosing: fake })];
    let all: Vec<usize> = (0..sweep.cells().len()).collect();
    sweep.run(&all, &ready, fake.0, |_, _| *seen += 1).unwrap()
}

#[test]
fn stopped_sweeps_report_finished_and_failed_runs() {
    let stop = StopSignal::default();
    let mut seen = 0;
    let report = run(&sweep(&[1, 2]), &Fake(&stop, 0.into()), &mut seen);
    let runs: Vec<usize> = report.rows.iter().map(|row| row.runs.len()).collect();
    assert_eq!((runs, seen), (vec![0, 1, 0], 2));
    assert_eq!(report.failed.len(), 1);
    let text = report.to_string();
    assert!(text.contains("- failed: MRPC full seed 1: the loss is NaN"), "{text}");
    assert!(text.contains("- missing: head-seed2: open"), "{text}");
    assert_eq!(report.missing.len(), 4);
}

#[test]
fn runs_use_the_settings_of_their_method() {
    let sweep = sweep(&[1]);
    let own = &sweep.experiments[0];
    let rate =
        |name: &str| own.run_config(&Method::parse(name, 8, LayerNames::BERT).unwrap(), 5).training.learning_rate;
    assert_eq!((rate("full"), rate("head"), rate("lora")), (7e-5, 3e-3, 3e-3));
    assert_eq!(own.run_config(&own.methods[0], 5).training.seed, 5);
}

#[test]
fn selection_runs_precede_the_final_run_of_each_seed() {
    let mut sweep = sweep(&[4, 5]);
    sweep.experiments[0].recipe.learning_rates = vec![1e-4, 1e-3];
    let names: Vec<String> = sweep.cells().iter().map(|cell| sweep.name(cell)).collect();
    let seed = |seed: u64| {
        let of = |name: &str| {
            [format!("{name}-lr1e-4-seed{seed}"), format!("{name}-lr1e-3-seed{seed}"), format!("{name}-seed{seed}")]
        };
        // Full fine-tuning has a separate learning rate.
        [vec![format!("full-seed{seed}")], of("head").to_vec(), of("lora-r8").to_vec()].concat()
    };
    assert_eq!(names, [seed(4), seed(5)].concat());
    let own = &sweep.experiments[0];
    let deciding = own.run_with(&own.methods[2], 4, 1e-3, true);
    let counting = own.run_with(&own.methods[2], 4, 1e-3, false);
    assert_eq!((deciding.training.learning_rate, deciding.hold_out), (1e-3, Some(0.2)));
    assert_eq!((counting.training.learning_rate, counting.hold_out), (1e-3, None));
}

#[test]
fn invalid_sweeps_are_rejected() {
    let refused = |change: fn(&mut Sweep)| {
        let mut sweep = sweep(&[1]);
        change(&mut sweep);
        sweep.validate().unwrap_err().to_string()
    };
    for (message, part) in [
        (refused(|table| table.experiments[0].recipe.seeds = vec![1, 1]), "`1` appears twice in seeds"),
        (
            refused(|table| table.experiments[0].methods = vec![table.experiments[0].methods[0].clone(); 2]),
            "`full` appears twice in methods",
        ),
        (refused(|table| table.reference = Some("b-only".into())), "full, head, lora-r8"),
        (refused(|table| table.experiments[0].full_learning_rate = Some(0.0)), "`learning_rate` is 0"),
        (
            refused(|table| {
                let twin = table.experiments[0].clone();
                table.experiments.push(twin);
            }),
            "`/full` appears twice in recipes",
        ),
        (
            refused(|table| {
                let mut twin = table.experiments[0].clone();
                twin.methods.truncate(1);
                twin.methods[0].name = "full-lr3e0".into();
                table.experiments[0].recipe.learning_rates = vec![3.0, 4.0];
                table.experiments[0].full_learning_rate = None;
                table.experiments.push(twin);
            }),
            "full-lr3e0-seed1` appears twice in runs",
        ),
        (refused(|table| table.experiments[0].recipe.learning_rates = vec![1e-3, -1.0]), "`learning_rate` is -1"),
    ] {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
    assert!(sweep(&[1]).validate().is_ok());
}
