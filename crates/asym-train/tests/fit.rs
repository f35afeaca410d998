//! The loop on a model, batches and a loss that are defined outside asym.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use asym_core::{AdapterConfig, Naming};
use asym_train::{
    DatasetSource, EvalRoom, Evaluation, Loader, Order, Outcome, Run, Scores, Source, State, StopSignal, TrainError,
    TrainSettings, Tuning, fit,
};
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::tensor::Device;

mod common;
use common::{Network, Sequences, SquaredError, Tokens, WIDTH, alone, values};

fn settings() -> TrainSettings {
    TrainSettings { epochs: 2, learning_rate: 1e-2, max_grad_norm: Some(0.5), seed: 4, ..TrainSettings::default() }
}

/// Train everything on the sequences in their order.
fn train(settings: &TrainSettings, order: Order) -> (Outcome, Vec<f32>) {
    let device = Device::default().autodiff();
    let train = Loader::new(Arc::new(Sequences(30)), settings.batch_size, order, &device).unwrap();
    let steps = settings.steps(train.len());
    let model = Network::new(&device);
    let mut state = State::new(model, Tuning::Full, &Naming::BURN, settings, steps).unwrap();
    let outcome = fit(&mut state, &SquaredError, &train, &(), Run::new("test")).unwrap();
    assert_eq!((state.position().epoch, state.position().step), (settings.epochs, steps));
    (outcome, values(state.model()))
}

fn difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

/// Sequences have one to five tokens, so the mean of the batches' means would be a different loss. The last group of an epoch has
/// fewer batches.
#[test]
fn gradient_accumulation_weights_batches_by_tokens() {
    let _alone = alone();
    let (whole, once) = train(&TrainSettings { batch_size: 8, ..settings() }, Order::Sequential);
    let parts = TrainSettings { batch_size: 2, gradient_accumulation: 4, ..settings() };
    let (parts, accumulated) = train(&parts, Order::Sequential);
    assert_eq!((whole.losses.len(), parts.losses.len()), (8, 8));
    for (whole, part) in whole.losses.iter().zip(&parts.losses) {
        assert!((whole - part).abs() < 1e-6, "{whole} and {part}");
    }
    assert!(difference(&once, &accumulated) < 1e-5, "{}", difference(&once, &accumulated));
    // The model is trained, since the loss falls. The throughput counts sequences.
    assert!(whole.losses.last() < whole.losses.first());
    assert_eq!(whole.training.examples, 60);
}

#[test]
fn runs_are_reproducible_and_depend_on_the_seed() {
    let _alone = alone();
    let grouped = |seed| train(&TrainSettings { seed, ..settings() }, Order::Grouped { seed });
    let (first, second, other) = (grouped(1), grouped(1), grouped(2));
    assert_eq!((&first.0.losses, &first.1), (&second.0.losses, &second.1));
    assert_ne!(first.0.losses, other.0.losses);
}

/// A Burn `Dataset` with its `Batcher` results in the same steps as the source with the same examples.
#[test]
fn burn_datasets_can_be_used_as_sources() {
    let _alone = alone();
    struct Collate;
    impl Batcher<usize, Tokens> for Collate {
        fn batch(&self, items: Vec<usize>, device: &Device) -> Tokens {
            Sequences(30).collate(&items, 0, device).unwrap()
        }
    }
    let (device, settings) = (Device::default().autodiff(), settings());
    let source = DatasetSource::new(InMemDataset::new((0..30).collect()), Collate);
    let train = Loader::new(Arc::new(source), settings.batch_size, Order::Shuffled { seed: 4 }, &device).unwrap();
    let steps = settings.steps(30);
    let mut state = State::new(Network::new(&device), Tuning::Full, &Naming::BURN, &settings, steps).unwrap();
    let outcome = fit(&mut state, &SquaredError, &train, &(), Run::new("test")).unwrap();
    let (expected, weights) = self::train(&settings, Order::Shuffled { seed: 4 });
    assert_eq!((outcome.losses, values(state.model())), (expected.losses, weights));
}

/// A batch whose loss is a mean over zero terms is skipped.
#[test]
fn batches_without_weight_are_skipped() {
    let _alone = alone();
    /// Every second batch has no token.
    struct Holes;
    impl Source for Holes {
        type Batch = Tokens;
        fn len(&self) -> usize {
            8
        }
        fn collate(&self, indices: &[usize], epoch: usize, device: &Device) -> Result<Tokens, TrainError> {
            let tokens = Sequences(8).collate(&[indices[0] / 2], epoch, device)?;
            let keep = if indices[0].is_multiple_of(2) { tokens.input.dims()[0] } else { 0 };
            let (input, target) = (tokens.input.slice([0..keep, 0..WIDTH]), tokens.target.slice([0..keep, 0..1]));
            Ok(Tokens { input, target, sequences: 1 })
        }
    }
    let device = Device::default().autodiff();
    let losses = |source: Arc<Holes>, accumulation: usize| {
        let settings = TrainSettings { batch_size: 1, gradient_accumulation: accumulation, epochs: 1, ..settings() };
        let train = Loader::new(source, 1, Order::Sequential, &device).unwrap();
        let mut state = State::new(Network::new(&device), Tuning::Full, &Naming::BURN, &settings, 4).unwrap();
        fit(&mut state, &SquaredError, &train, &(), Run::new("test")).unwrap().losses
    };
    let found = losses(Arc::new(Holes), 2);
    assert!(found.len() == 4 && found.iter().all(|loss| loss.is_finite()), "{found:?}");
}

/// Adam's first step does not depend on the scale of the gradient, so the test compares the weights after all steps.
#[test]
fn gradient_clipping_changes_the_weights() {
    let _alone = alone();
    let (_, free) = train(&TrainSettings { max_grad_norm: None, ..settings() }, Order::Sequential);
    let (_, clipped) = train(&settings(), Order::Sequential);
    assert!(difference(&free, &clipped) > 1e-4);
}

struct Counting;

impl Evaluation<Network> for Counting {
    fn run(&self, model: &Network, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        assert!(!model.devices()[0].is_autodiff(), "the model is evaluated outside the graph");
        room.passed(5, std::time::Duration::ZERO);
        Ok(Some(Scores::from([("five".to_string(), 5.0)])))
    }
}

#[test]
fn each_epoch_is_evaluated_and_saved() {
    let _alone = alone();
    let device = Device::default().autodiff();
    let settings = settings();
    let train = Loader::new(Arc::new(Sequences(16)), 8, settings.order(), &device).unwrap();
    let tuning = Tuning::Adapter(AdapterConfig::b_only(2).targets(["second"]));
    let model = Network::new(&device);
    let (model, tuning) = tuning.apply(model, (&Naming::BURN, &["output"]), 1, |_| ()).unwrap();
    let mut state = State::new(model, tuning, &Naming::BURN, &settings, 4).unwrap();
    let mut kept = Vec::new();
    let keep = |model: &Network, tuning: &Tuning| {
        assert!(matches!(tuning, Tuning::Adapter(config) if config.modules_to_save == ["output"]));
        kept.push(values(model));
        Ok(())
    };
    let run = Run { keep: Box::new(keep), ..Run::new("test") };
    let outcome = fit(&mut state, &SquaredError, &train, &Counting, run).unwrap();
    assert_eq!(outcome.epochs.len(), 2);
    assert_eq!((outcome.epochs[1].epoch, outcome.epochs[1].dev["five"]), (2, 5.0));
    assert!(outcome.epochs[0].train["loss"] > 0.0);
    assert_eq!((outcome.evaluation.examples, outcome.interrupted), (10, false));
    // The model is saved before the first step and after each epoch. The last saved model is the final one.
    assert_eq!(kept.len(), 3);
    assert!(kept[0] != kept[1] && kept[2] == values(state.model()));
}

#[test]
fn a_stop_signal_ends_the_run_after_the_current_step() {
    let _alone = alone();
    let device = Device::default().autodiff();
    let settings = settings();
    let train = Loader::new(Arc::new(Sequences(16)), 8, settings.order(), &device).unwrap();
    let mut state = State::new(Network::new(&device), Tuning::Full, &Naming::BURN, &settings, 4).unwrap();
    let stop = StopSignal::default();
    let (mut kept, asked) = (0, stop.clone());
    // The first call comes before the first step, the second after the first epoch.
    let keep = |_: &Network, _: &Tuning| {
        kept += 1;
        if kept == 2 {
            asked.request();
        }
        Ok(())
    };
    let run = Run { stop, keep: Box::new(keep), ..Run::new("test") };
    let outcome = fit(&mut state, &SquaredError, &train, &Counting, run).unwrap();
    assert!(outcome.interrupted);
    assert_eq!((outcome.losses.len(), outcome.epochs.len(), kept), (2, 1, 3));
    assert_eq!(state.position().step, 2);
}

#[test]
fn invalid_runs_are_rejected() {
    let _alone = alone();
    let device = Device::default().autodiff();
    let refused = |settings: TrainSettings, tuning: Tuning| {
        State::new(Network::new(&device), tuning, &Naming::BURN, &settings, 4).err().unwrap().to_string()
    };
    let message = refused(TrainSettings { max_grad_norm: Some(0.0), ..settings() }, Tuning::Full);
    assert!(message.contains("`max_grad_norm` is 0"), "{message}");
    let message = refused(TrainSettings { warmup_ratio: 1.5, ..settings() }, Tuning::Full);
    assert!(message.contains("`warmup_ratio` is 1.5"), "{message}");
    let message = refused(TrainSettings { projected_gradient: true, ..settings() }, Tuning::Full);
    assert!(message.contains("projected_gradient"), "{message}");

    // The list of the head's modules is empty, so the whole model is frozen.
    let (frozen, tuning) = Tuning::Head.apply(Network::new(&device), (&Naming::BURN, &[]), 1, |_| ()).unwrap();
    let error = State::new(frozen, tuning, &Naming::BURN, &settings(), 4).err().unwrap();
    assert!(matches!(error, TrainError::NothingTrained), "{error}");

    let settings = settings();
    let nothing = Loader::new(Arc::new(Sequences(0)), 8, settings.order(), &device).unwrap();
    let mut state = State::new(Network::new(&device), Tuning::Full, &Naming::BURN, &settings, 4).unwrap();
    let error = fit(&mut state, &SquaredError, &nothing, &(), Run::new("test")).unwrap_err();
    assert!(matches!(error, TrainError::NoExamples), "{error}");
}
