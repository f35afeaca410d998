//! The loop within burn-train: `SupervisedTraining` makes the same steps as `fit`, bit for bit.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use asym_core::{AdaLora, AdapterConfig, Factor, Init, Lora, Naming};
use asym_train::{FineTuning, Loader, Order, Run, State, TrainSettings, Tuning, fit};
use burn::optim::GradientsParams;
use burn::tensor::{Device, ExecutionError, Tensor};
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::{
    InferenceStep, ItemLazy, Learner, LearningResult, MetricEarlyStoppingStrategy, StoppingCondition,
    SupervisedTraining, TrainOutput, TrainStep, TrainingStrategy,
};

mod common;
use common::{Network, Sequences, Tokens, alone, values};

/// The output of a step: its loss.
pub struct Loss(Tensor<1>);

impl ItemLazy for Loss {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<LossInput> for Loss {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.0.clone())
    }
}

fn loss(model: &Network, batch: &Tokens) -> Tensor<1> {
    (model.forward(batch.input.clone()) - batch.target.clone()).powi_scalar(2).mean()
}

impl TrainStep for Network {
    type Input = Tokens;
    type Output = Loss;

    fn step(&self, batch: Tokens) -> TrainOutput<Loss> {
        let loss = loss(self, &batch);
        let grads = GradientsParams::from_grads(loss.backward(), self);
        TrainOutput { grads, item: Loss(loss.detach().inner()) }
    }
}

impl InferenceStep for Network {
    type Input = Tokens;
    type Output = Loss;

    fn step(&self, batch: Tokens) -> Loss {
        Loss(loss(self, &batch))
    }
}

fn settings() -> TrainSettings {
    TrainSettings { epochs: 3, batch_size: 4, learning_rate: 1e-2, seed: 7, ..TrainSettings::default() }
}

fn adapted(config: AdapterConfig) -> (Network, Tuning) {
    let device = Device::default().autodiff();
    let tuning = Tuning::Adapter(config.targets(["first", "second"]));
    tuning.apply(Network::new(&device), (&Naming::BURN, &["output"]), 1, |_| ()).unwrap()
}

fn loader(examples: usize, order: Order) -> Loader<Sequences> {
    Loader::new(Arc::new(Sequences(examples)), settings().batch_size, order, &Device::default().autodiff()).unwrap()
}

fn launch(settings: &TrainSettings, config: AdapterConfig) -> LearningResult<Network> {
    let (model, tuning) = adapted(config);
    let (optimizer, schedule) =
        (settings.optimizer(&model, &Naming::BURN), settings.schedule(&model, settings.steps(24)));
    let strategy = FineTuning::new(settings.clone(), tuning, Naming::BURN).unwrap();
    let folder = std::env::temp_dir().join(format!("asym-strategy-{}", std::process::id()));
    let (train, valid) = (Arc::new(loader(24, settings.order())), Arc::new(loader(8, Order::ByLength)));
    let result = SupervisedTraining::new(&folder, train, valid)
        .with_application_logger(None)
        .metrics((LossMetric::new(),))
        .num_epochs(settings.epochs)
        .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
        .launch(Learner::new(model, optimizer, schedule));
    let _ = std::fs::remove_dir_all(folder);
    result
}

fn check(settings: &TrainSettings, config: AdapterConfig) {
    let _alone = alone();
    let result = launch(settings, config.clone());
    assert!(result.error.is_none() && result.interrupted.is_none());

    let (model, tuning) = adapted(config);
    let start = values(&model);
    let train = loader(24, settings.order());
    let mut state = State::new(model, tuning, &Naming::BURN, settings, settings.steps(24)).unwrap();
    fit(&mut state, &common::SquaredError, &train, &(), Run::new("test")).unwrap();
    assert_eq!(values(&result.model), values(state.model()));
    assert_ne!(start, values(state.model()));
}

#[test]
fn adalora_matches_fit() {
    // The ranks decrease from the second step on.
    check(&settings(), AdapterConfig::new(AdaLora::new(4, 2)));
}

#[test]
fn loraplus_with_clipping_matches_fit() {
    let settings = TrainSettings { loraplus_lr_ratio: Some(4.0), max_grad_norm: Some(0.1), ..settings() };
    check(&settings, AdapterConfig::lora(2));
}

#[test]
fn lora_fa_matches_fit() {
    // An A with Kaiming initialization is not orthonormal, so the projection changes the gradient's direction.
    let lora = Lora::new(2).a(Factor::frozen(Init::Kaiming)).b(Factor::trained(Init::Zero));
    check(&TrainSettings { projected_gradient: true, ..settings() }, AdapterConfig::new(lora));
}

/// Here, the gradients of a batch are scaled after the backward pass, so the results agree only up to rounding.
#[test]
fn gradient_accumulation_matches_fit() {
    let _alone = alone();
    let settings = TrainSettings { gradient_accumulation: 3, ..settings() };
    let result = launch(&settings, AdapterConfig::lora(2));
    let (model, tuning) = adapted(AdapterConfig::lora(2));
    let mut state = State::new(model, tuning, &Naming::BURN, &settings, settings.steps(24)).unwrap();
    fit(&mut state, &common::SquaredError, &loader(24, settings.order()), &(), Run::new("test")).unwrap();
    let (left, right) = (values(&result.model), values(state.model()));
    let largest = left.iter().zip(&right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-5, "{largest}");
}

#[test]
fn errors_are_returned_in_the_result() {
    let _alone = alone();
    let settings = TrainSettings { learning_rate: 1e30, ..settings() };
    let error = launch(&settings, AdapterConfig::lora(2)).error.unwrap().to_string();
    assert!(error.contains("gradient's norm") && error.contains("at step"), "{error}");

    // The schedule and the ranks would not end at the last step of the training.
    let settings = TrainSettings { batch_size: 5, learning_rate: 1e-2, ..settings };
    let error = launch(&settings, AdapterConfig::lora(2)).error.unwrap().to_string();
    assert!(error.contains("an epoch had 6 steps instead of 5"), "{error}");

    let all = FineTuning::new(TrainSettings { projected_gradient: true, ..settings }, Tuning::Full, Naming::BURN);
    assert!(all.err().unwrap().to_string().contains("projected_gradient"));
}

/// burn-train's checkpointers and early stopping work with the strategy.
#[test]
fn checkpoints_and_early_stopping_work() {
    let _alone = alone();
    let settings = settings();
    let (model, tuning) = adapted(AdapterConfig::lora(2));
    let (optimizer, schedule) =
        (settings.optimizer(&model, &Naming::BURN), settings.schedule(&model, settings.steps(24)));
    let strategy = FineTuning::new(settings.clone(), tuning, Naming::BURN).unwrap();
    let folder = std::env::temp_dir().join(format!("asym-strategy-checkpoints-{}", std::process::id()));
    // No epoch has a higher loss than the first one, so the second epoch is the last.
    let stopping = MetricEarlyStoppingStrategy::new(
        &LossMetric::new(),
        Aggregate::Mean,
        Direction::Highest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 1 },
    );
    let result =
        SupervisedTraining::new(&folder, Arc::new(loader(24, settings.order())), Arc::new(loader(8, Order::ByLength)))
            .with_application_logger(None)
            .metrics((LossMetric::new(),))
            .with_default_checkpointers()
            .early_stopping(stopping)
            .num_epochs(3)
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
            .launch(Learner::new(model, optimizer, schedule));
    assert!(result.error.is_none());
    let written: Vec<String> = std::fs::read_dir(folder.join("checkpoint"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(written.iter().any(|name| name.starts_with("optim-2")), "{written:?}");
    assert!(!written.iter().any(|name| name.contains("-3")), "{written:?}");
    let _ = std::fs::remove_dir_all(folder);
}
