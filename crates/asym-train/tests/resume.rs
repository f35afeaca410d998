//! A run that is stopped after every single step and continued equals the run that was never stopped, bit for bit.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asym_core::{AdaLora, AdapterConfig, Dora, Lora, Naming};
use asym_train::{
    EvalRoom, Evaluation, Existing, Loader, Objective, Opened, Outcome, Run, RunFolder, RunResult, Scores, Source,
    State, StopSignal, TrainError, TrainSettings, Tuning, fit,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

mod common;
use common::{Network, Sequences, SquaredError, Tokens, alone, values};

/// The recipe of the run folders in these tests.
type Recipe = toml::Table;

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("asym-train-resume-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// The squared error, which requests a stop whenever a loss is computed.
struct Stopping(StopSignal);

impl Objective for Stopping {
    type Model = Network;
    type Batch = Tokens;

    fn loss(&self, model: &Network, batch: &Tokens) -> Tensor<1> {
        self.0.request();
        SquaredError.loss(model, batch)
    }
}

/// The error on sequences that are not trained on.
struct Error;

impl Evaluation<Network> for Error {
    fn run(&self, model: &Network, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        if room.should_stop() {
            return Ok(None);
        }
        let device = model.devices()[0].clone();
        let batch = Sequences(40).collate(&(30..40).collect::<Vec<_>>(), 0, &device)?;
        let error: f32 = SquaredError.loss(model, &batch).into_scalar();
        Ok(Some(Scores::from([("error".to_string(), f64::from(error))])))
    }
}

fn settings() -> TrainSettings {
    TrainSettings { epochs: 3, learning_rate: 1e-2, warmup_ratio: 0.2, seed: 4, ..TrainSettings::default() }
}

#[derive(Clone)]
struct Job {
    settings: TrainSettings,
    tuning: Tuning,
    source: usize,
}

impl Job {
    fn recipe(&self) -> Recipe {
        let mut recipe = Recipe::new();
        recipe.insert("training".into(), toml::Value::try_from(&self.settings).unwrap());
        recipe
    }

    fn open(&self, path: &Path, existing: Existing) -> Result<Opened, TrainError> {
        RunFolder::open(path, &self.recipe(), "test", &Device::default(), existing)
    }

    /// The state of the run in `folder`: its initial state or the state of its last checkpoint.
    fn state(&self, folder: &RunFolder) -> Result<State<asym_train::Optimized<Network>>, TrainError> {
        let device = Device::default();
        let (model, tuning) =
            self.tuning.apply(Network::new(&device), (&Naming::BURN, &["output"]), self.settings.seed, |_| ())?;
        let (model, steps) = (model.train(), self.settings.steps(self.source));
        match folder.checkpoint()? {
            Some(saved) => State::resume(model, tuning, &Naming::BURN, &self.settings, steps, saved),
            None => State::new(model, tuning, &Naming::BURN, &self.settings, steps),
        }
    }

    /// Train in `folder` until the end, or, if `stop` is set, for one step.
    fn fit(&self, folder: &RunFolder, stop: bool) -> Result<(Outcome, Vec<f32>), TrainError> {
        let device = Device::default().autodiff();
        let mut state = self.state(folder)?;
        let train =
            Loader::new(Arc::new(Sequences(self.source)), self.settings.batch_size, self.settings.order(), &device)?;
        let signal = StopSignal::default();
        let run = Run { folder: Some(folder), stop: signal.clone(), ..Run::new("test") };
        let outcome = if stop {
            fit(&mut state, &Stopping(signal), &train, &Error, run)?
        } else {
            fit(&mut state, &SquaredError, &train, &Error, run)?
        };
        folder.finish(RunResult::new(("t".into(), "m".into(), 4), &outcome, (1, 2)))?;
        Ok((outcome, values(state.model())))
    }

    fn whole(&self, path: &Path) -> (Outcome, Vec<f32>) {
        let Opened::Run(folder) = self.open(path, Existing::Refuse).unwrap() else { panic!("new") };
        self.fit(&folder, false).unwrap()
    }
}

/// The lines of the log, without the times.
fn log(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        value.to_string()
    };
    text.lines().map(line).collect()
}

fn methods() -> Vec<(&'static str, TrainSettings, Tuning)> {
    let adapter = |config: AdapterConfig| Tuning::Adapter(config.targets(["first", "second"]));
    let lora = || adapter(AdapterConfig::lora(2));
    let adalora = AdaLora { interval: 2, warmup_steps: 2, final_steps: 3, dropout: 0.2, ..AdaLora::new(4, 2) };
    vec![
        ("lora", settings(), lora()),
        ("dropout", settings(), adapter(AdapterConfig::new(Lora::new(2).dropout(0.3)))),
        ("adalora", settings(), adapter(AdapterConfig::new(adalora))),
        ("loraplus", TrainSettings { loraplus_lr_ratio: Some(4.0), ..settings() }, lora()),
        ("lorafa", TrainSettings { projected_gradient: true, ..settings() }, adapter(AdapterConfig::b_only(2))),
        ("dora", settings(), adapter(AdapterConfig::new(Dora(Lora::b_only(2))))),
        ("full", TrainSettings { max_grad_norm: Some(0.5), ..settings() }, Tuning::Full),
        ("head", settings(), Tuning::Head),
        ("accumulated", TrainSettings { batch_size: 3, gradient_accumulation: 2, ..settings() }, lora()),
    ]
}

#[test]
fn resumed_runs_equal_uninterrupted_runs() {
    let _alone = alone();
    for (name, settings, tuning) in methods() {
        let job = Job { settings, tuning, source: 30 };
        let (once, parts) = (scratch(&format!("{name}-once")), scratch(&format!("{name}-parts")));
        let (expected, weights) = job.whole(&once);
        let mut sessions = 0;
        let (found, found_weights) = loop {
            sessions += 1;
            assert!(sessions < 40, "{name}: the run does not end");
            let Opened::Run(folder) = job.open(&parts, Existing::Resume).unwrap() else { panic!("{name}: finished") };
            let (outcome, weights) = job.fit(&folder, true).unwrap();
            if !outcome.interrupted {
                break (outcome, weights);
            }
        };
        assert!(sessions > job.settings.steps(30), "{name}: {sessions} sessions");
        let bits = |losses: &[f64]| losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.losses), bits(&expected.losses), "{name}");
        assert_eq!((&found.epochs, found_weights), (&expected.epochs, weights), "{name}");
        assert_eq!(log(&parts), log(&once), "{name}");
        // A finished run is not repeated.
        let Opened::Finished(result) = job.open(&parts, Existing::Resume).unwrap() else { panic!("{name}") };
        assert_eq!((result.steps, &result.epochs), (expected.losses.len(), &expected.epochs), "{name}");
    }
}

/// The results of a run without the values that differ from one run to the next.
fn results(path: &Path) -> serde_json::Value {
    let mut value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path.join("results.json")).unwrap()).unwrap();
    for timed in ["seconds", "peak_bytes"] {
        value.as_object_mut().unwrap().remove(timed);
    }
    for pace in ["training", "evaluation"] {
        let pace = value[pace].as_object_mut().unwrap();
        pace.retain(|key, _| key == "examples");
    }
    value
}

#[test]
fn runs_resume_from_the_last_valid_checkpoint() {
    let _alone = alone();
    let job = Job {
        settings: TrainSettings { save_every: Some(2), ..settings() },
        tuning: Tuning::Adapter(AdapterConfig::lora(2).targets(["first"])),
        source: 30,
    };
    let once = scratch("damaged-once");
    job.whole(&once);
    for damage in ["state.json", "model.bpk", "optimizer.bpk", "metrics.jsonl"] {
        let path = scratch("damaged");
        for _ in 0..7 {
            let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("finished") };
            job.fit(&folder, true).unwrap();
        }
        let checkpoints: Vec<String> = std::fs::read_dir(path.join("checkpoints"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(checkpoints.len(), 2, "{checkpoints:?}");
        let file = match damage {
            "metrics.jsonl" => path.join(damage),
            name => path.join("checkpoints/checkpoint-7").join(name),
        };
        let bytes = std::fs::read(&file).unwrap();
        let kept = if damage == "metrics.jsonl" { bytes.len() - 9 } else { bytes.len() / 2 };
        std::fs::write(&file, &bytes[..kept]).unwrap();
        let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("finished") };
        assert_eq!(job.state(&folder).unwrap().position().step, 6, "{damage}");
        job.fit(&folder, false).unwrap();
        assert_eq!((log(&path), results(&path)), (log(&once), results(&once)), "{damage}");
    }
}

/// A killed process leaves an unfinished checkpoint. A damaged checkpoint would replace a good one among the two that are kept.
#[test]
fn unreadable_checkpoints_are_removed() {
    let _alone = alone();
    let job = Job { settings: settings(), tuning: Tuning::Head, source: 30 };
    let path = scratch("stale");
    for _ in 0..3 {
        let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("not finished") };
        job.fit(&folder, true).unwrap();
    }
    let checkpoints = path.join("checkpoints");
    for stale in ["checkpoint-99", "checkpoint-50.part"] {
        std::fs::create_dir(checkpoints.join(stale)).unwrap();
        std::fs::write(checkpoints.join(stale).join("state.json"), "{").unwrap();
    }
    let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("not finished") };
    job.fit(&folder, true).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["checkpoint-3", "checkpoint-4"]);
}

#[test]
fn runs_resume_only_with_unchanged_settings() {
    let _alone = alone();
    let lora = |rank| Tuning::Adapter(AdapterConfig::lora(rank).targets(["first", "second"]));
    let job = Job { settings: settings(), tuning: lora(2), source: 30 };
    let path = scratch("changed");
    let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("new") };
    job.fit(&folder, true).unwrap();

    // The folder is claimed, and later it is not new.
    assert!(matches!(job.open(&path, Existing::Resume), Err(TrainError::Claimed { .. })));
    drop(folder);
    assert!(matches!(job.open(&path, Existing::Refuse), Err(TrainError::OutputExists { .. })));

    // Several settings differ, and all are listed. The interval of checkpoints may differ.
    let changed = TrainSettings { learning_rate: 5e-3, batch_size: 4, save_every: Some(3), ..settings() };
    let error = Job { settings: changed, ..job.clone() }.open(&path, Existing::Resume).err().unwrap();
    let TrainError::Changed { changes, .. } = &error else { panic!("{error}") };
    assert_eq!(
        changes.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(),
        ["training.batch_size", "training.learning_rate"]
    );
    assert!(error.to_string().contains("training.learning_rate was 0.01 and is 0.005"), "{error}");
    let often = TrainSettings { save_every: Some(3), ..settings() };
    assert!(Job { settings: often, ..job.clone() }.open(&path, Existing::Resume).is_ok());

    // The recipe of these tests does not include the model, so only the checkpoint can detect a different one.
    let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("not finished") };
    let refused = |job: Job| job.fit(&folder, false).err().unwrap();
    let error = refused(Job { tuning: lora(3), ..job.clone() });
    assert!(matches!(error, TrainError::OtherModel { .. }), "{error}");
    let error =
        refused(Job { tuning: Tuning::Adapter(AdapterConfig::b_only(2).targets(["first", "second"])), ..job.clone() });
    assert!(matches!(&error, TrainError::OtherModel { expected, .. } if expected.contains(".a`")), "{error}");
    let error = refused(Job { source: 29, ..job.clone() });
    assert!(matches!(error, TrainError::OtherData), "{error}");

    // A folder that is not the folder of a run, and results of another version.
    let foreign = scratch("foreign");
    std::fs::create_dir_all(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.tex"), "years of work").unwrap();
    let error = job.open(&foreign, Existing::Resume).err().unwrap();
    assert!(matches!(&error, TrainError::NotARun { found, .. } if found == "thesis.tex"), "{error}");
    drop(folder);
    std::fs::write(path.join("results.json"), r#"{"format": 1, "seed": 4}"#).unwrap();
    let error = job.open(&path, Existing::Resume).err().unwrap();
    assert!(error.to_string().contains("another version"), "{error}");
}

/// A frozen weight has another value, as if the checkpoint of the base model had been replaced.
#[test]
fn changed_base_models_are_detected() {
    let _alone = alone();
    let job = Job { settings: settings(), tuning: Tuning::Head, source: 30 };
    let path = scratch("base");
    let Opened::Run(folder) = job.open(&path, Existing::Resume).unwrap() else { panic!("new") };
    job.fit(&folder, true).unwrap();
    let (model, _) =
        Tuning::Head.apply(Network::new(&Device::default()), (&Naming::BURN, &["output"]), 4, |_| ()).unwrap();
    let model = asym_core::layout::rewrite(
        model,
        &Naming::BURN,
        |entry| entry.name == "second.weight",
        |_, values| Some(values.iter().map(|value| value + 1e-3).collect()),
    );
    let steps = job.settings.steps(30);
    let saved = folder.checkpoint().unwrap().unwrap();
    let error = State::resume(model.train(), Tuning::Head, &Naming::BURN, &job.settings, steps, saved).err().unwrap();
    assert!(matches!(&error, TrainError::OtherModel { expected, .. } if expected.contains("frozen")), "{error}");
}

#[test]
fn more_epochs_must_be_requested_as_an_extension() {
    let _alone = alone();
    let tuning = Tuning::Adapter(AdapterConfig::lora(2).targets(["first"]));
    let job = Job { settings: settings(), tuning, source: 30 };
    let longer = Job { settings: TrainSettings { epochs: 5, ..settings() }, ..job.clone() };
    let path = scratch("longer");
    let (short, _) = job.whole(&path);
    let error = longer.open(&path, Existing::Resume).err().unwrap();
    assert!(error.to_string().contains("training.epochs was 3 and is 5; add --extend"), "{error}");
    let shorter = Job { settings: TrainSettings { epochs: 2, ..settings() }, ..job.clone() };
    assert!(shorter.open(&path, Existing::Extend).is_err());

    let Opened::Run(folder) = longer.open(&path, Existing::Extend).unwrap() else { panic!("to be extended") };
    let (long, _) = longer.fit(&folder, false).unwrap();
    drop(folder);
    assert_eq!((long.epochs.len(), &long.epochs[..3]), (5, &short.epochs[..]));
    assert_eq!(long.losses[..12], short.losses);
    let rates: Vec<f64> = log(&path)
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["learning_rate"].as_f64())
        .collect();
    // An epoch has 4 steps. The schedule of 12 steps applies to the first 12 steps, the schedule of 20 steps to the others.
    let linear = |step: usize, warmup: usize, total: usize| 1e-2 * (total - step) as f64 / (total - warmup) as f64;
    for (step, rate) in rates.iter().enumerate().skip(4) {
        let expected = if step < 12 { linear(step, 3, 12) } else { linear(step, 4, 20) };
        assert!((rate - expected).abs() < 1e-12, "step {step}: {rate} is not {expected}");
    }
    let Opened::Finished(_) = longer.open(&path, Existing::Resume).unwrap() else { panic!("finished") };

    // AdaLoRA's ranks depend on the number of steps.
    let adalora = AdaLora { interval: 2, warmup_steps: 2, final_steps: 3, ..AdaLora::new(4, 2) };
    let tuning = Tuning::Adapter(AdapterConfig::new(adalora).targets(["first"]));
    let (job, longer) = (Job { tuning: tuning.clone(), ..job }, Job { tuning, ..longer });
    let path = scratch("longer-adalora");
    job.whole(&path);
    let Opened::Run(folder) = longer.open(&path, Existing::Extend).unwrap() else { panic!("to be extended") };
    let error = longer.fit(&folder, false).err().unwrap();
    assert!(error.to_string().contains("AdaLoRA's ranks"), "{error}");
}

/// The learning rate makes the weights of the last step infinite or NaN, and no loss is computed after that step.
#[test]
fn runs_that_diverge_in_the_last_step_fail_permanently() {
    let _alone = alone();
    let settings = TrainSettings { epochs: 1, learning_rate: 1e38, warmup_ratio: 0.0, ..settings() };
    let job = Job { settings, tuning: Tuning::Full, source: 8 };
    let path = scratch("diverges");
    let Opened::Run(folder) = job.open(&path, Existing::Refuse).unwrap() else { panic!("new") };
    let device = Device::default().autodiff();
    let mut settings = job.settings.clone();
    settings.weight_decay = 10.0;
    let mut state = State::new(Network::new(&device), Tuning::Full, &Naming::BURN, &settings, 1).unwrap();
    let train = Loader::new(Arc::new(Sequences(8)), 8, settings.order(), &device).unwrap();
    let run = Run { folder: Some(&folder), ..Run::new("test") };
    let error = fit(&mut state, &SquaredError, &train, &Error, run).unwrap_err();
    assert!(matches!(error, TrainError::NonFiniteWeights { step: 1 }) && error.is_divergence(), "{error}");
    // The state at the start is still the last checkpoint.
    assert_eq!(job.state(&folder).unwrap().position().step, 0);
    folder.fail(&error.to_string()).unwrap();
    drop(folder);
    let again = job.open(&path, Existing::Resume).err().unwrap();
    assert!(matches!(&again, TrainError::FailedBefore { message, .. } if *message == error.to_string()), "{again}");
}

/// A run whose folder is renamed stops at its next checkpoint. It does not go on in a folder without a recipe.
#[test]
fn moving_the_folder_ends_the_run() {
    let _alone = alone();
    let job = Job { settings: TrainSettings { save_every: Some(1), ..settings() }, tuning: Tuning::Head, source: 30 };
    let path = scratch("moved");
    let aside = scratch("moved-aside");
    let Opened::Run(folder) = job.open(&path, Existing::Refuse).unwrap() else { panic!("new") };
    job.fit(&folder, true).unwrap();
    std::fs::rename(&path, &aside).unwrap();
    let device = Device::default().autodiff();
    let mut state = State::new(Network::new(&device), Tuning::Full, &Naming::BURN, &job.settings, 12).unwrap();
    let train = Loader::new(Arc::new(Sequences(30)), 8, job.settings.order(), &device).unwrap();
    // The log is created in a new folder at the same path, so the run reaches its first save.
    std::fs::create_dir_all(&path).unwrap();
    let run = Run { folder: Some(&folder), ..Run::new("test") };
    let error = fit(&mut state, &SquaredError, &train, &Error, run).unwrap_err();
    assert!(matches!(error, TrainError::FolderGone { .. }), "{error}");
    assert!(!path.join("checkpoints").exists() && !path.join("recipe.toml").exists());
    // After the folder is moved back, the run continues.
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    job.fit(&folder, false).unwrap();
}
