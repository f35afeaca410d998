//! Lesson 3: use burn-train. AdaLoRA and LoRA+ run in your own `SupervisedTraining`, with its metrics, loggers and interrupter.
//!
//! ```text
//! cargo run --release --example burn_train
//! ```

use asym::core::{AdaLora, AdapterConfig, Naming};
use asym::train::{Batch, FineTuning, TrainSettings, Tuning};
use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, loss::MseLoss, loss::Reduction};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::metric::LossMetric;
use burn::train::{
    InferenceStep, Learner, RegressionOutput, SupervisedTraining, TrainOutput, TrainStep, TrainingStrategy,
};

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    second: Linear,
    output: Linear,
}

#[derive(Clone, Debug)]
struct Points(Tensor<2>); // [batch, 2]

impl Batch for Points {
    fn examples(&self) -> usize {
        self.0.dims()[0]
    }
}

struct Batches;
impl Batcher<[f32; 2], Points> for Batches {
    fn batch(&self, points: Vec<[f32; 2]>, device: &Device) -> Points {
        Points(Tensor::from_data(TensorData::new(points.concat(), [points.len(), 2]), device))
    }
}

impl InferenceStep for Network {
    type Input = Points;
    type Output = RegressionOutput;
    fn step(&self, Points(points): Points) -> RegressionOutput {
        let target = (points.clone().narrow(1, 0, 1) * 3).sin() * points.clone().narrow(1, 1, 1);
        let output = self.output.forward(self.second.forward(self.first.forward(points).tanh()).tanh());
        let loss = MseLoss::new().forward(output.clone(), target.clone(), Reduction::Mean);
        RegressionOutput::new(loss, output, target)
    }
}

impl TrainStep for Network {
    type Input = Points;
    type Output = RegressionOutput;
    fn step(&self, points: Points) -> TrainOutput<RegressionOutput> {
        let output = InferenceStep::step(self, points);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

fn main() -> anyhow::Result<()> {
    let device = Device::default().autodiff();
    let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).init(&device);
    let model = Network { first: linear(2, 64), second: linear(64, 64), output: linear(64, 1) };
    let points = |n: usize| (0..n).map(|i| [i % 41, i % 37].map(|k| k as f32 / 18.5 - 1.0)).collect();
    let loader = |n| DataLoaderBuilder::new(Batches).batch_size(8).shuffle(1).build(InMemDataset::new(points(n)));

    // Ranks fall from 8 to 4. B has four times the learning rate of A. The first and the last layer are fully trained.
    let tuning = Tuning::Adapter(AdapterConfig::new(AdaLora::new(8, 4)).targets(["second"]));
    let (model, tuning) = tuning.apply(model, (&Naming::BURN, &["first", "output"]), 1, |_| ())?;
    let settings = TrainSettings { epochs: 5, learning_rate: 2e-3, loraplus_lr_ratio: Some(4.0), ..Default::default() };
    let (optimizer, steps) = (settings.optimizer(&model, &Naming::BURN), settings.steps(2000));
    let learner = Learner::new(model.clone(), optimizer, settings.schedule(&model, steps));
    let strategy = TrainingStrategy::Custom(std::sync::Arc::new(FineTuning::new(settings, tuning, Naming::BURN)?));
    let training = SupervisedTraining::new("runs/burn-train", loader(2000), loader(200)).num_epochs(5).summary();
    let result = training.metrics((LossMetric::new(),)).with_training_strategy(strategy).launch(learner);
    result.error.map_or(Ok(()), |error| Err(error.into()))
}
