//! A small model that is defined outside asym, on sequences with different numbers of tokens.
#![allow(dead_code, reason = "each test file is a separate program")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use asym_core::{AdaptedLinear, AdaptedLinearConfig};
use asym_train::{Batch, Objective, Source, TrainError};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

/// The CPU backend has one random number generator, so concurrent runs would not be reproducible.
pub fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub const WIDTH: usize = 6;

#[derive(Module, Debug)]
pub struct Network {
    pub first: AdaptedLinear,
    pub second: AdaptedLinear,
    pub output: Linear,
}

impl Network {
    pub fn new(device: &Device) -> Self {
        device.seed(3);
        Self {
            first: AdaptedLinearConfig::new(WIDTH, 16).init(device),
            second: AdaptedLinearConfig::new(16, 16).init(device),
            output: LinearConfig::new(16, 1).init(device),
        }
    }

    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.second.forward(self.first.forward(input).tanh()).tanh())
    }
}

/// Sequences of one to five tokens, each a vector and a target.
pub struct Sequences(pub usize);

/// The tokens of some sequences, `[tokens, WIDTH]` and `[tokens, 1]`.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub input: Tensor<2>,
    pub target: Tensor<2>,
    pub sequences: usize,
}

impl Batch for Tokens {
    fn examples(&self) -> usize {
        self.sequences
    }

    fn weight(&self) -> f64 {
        self.input.dims()[0] as f64
    }
}

impl Source for Sequences {
    type Batch = Tokens;

    fn len(&self) -> usize {
        self.0
    }

    fn length(&self, index: usize) -> usize {
        1 + index * 7 % 5
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<Tokens, TrainError> {
        let (mut input, mut target) = (Vec::new(), Vec::new());
        for index in indices {
            for token in 0..self.length(*index) {
                // Knuth's multiplicative hash, so that neighboring values are unrelated.
                let value = |j: usize| {
                    let bits = ((index * 64 + token * 8 + j + 1) as u32).wrapping_mul(2_654_435_761);
                    (bits >> 16) as f32 / 32_768.0 - 1.0
                };
                let row: Vec<f32> = (0..WIDTH).map(value).collect();
                target.push((2.0 * row[0]).sin() * row[1] + 0.5 * row[2]);
                input.extend(row);
            }
        }
        let tokens = target.len();
        Ok(Tokens {
            input: Tensor::from_data(TensorData::new(input, [tokens, WIDTH]), device),
            target: Tensor::from_data(TensorData::new(target, [tokens, 1]), device),
            sequences: indices.len(),
        })
    }
}

/// The mean squared error over tokens.
pub struct SquaredError;

impl Objective for SquaredError {
    type Model = Network;
    type Batch = Tokens;

    fn loss(&self, model: &Network, batch: &Tokens) -> Tensor<1> {
        (model.forward(batch.input.clone()) - batch.target.clone()).powi_scalar(2).mean()
    }
}

/// The values of all parameters, in the order of the model.
pub fn values<M: Module>(model: &M) -> Vec<f32> {
    let naming = asym_core::Naming::BURN;
    asym_core::layout::collect(model, &naming, |_| true).into_iter().flat_map(|(_, values)| values.unwrap()).collect()
}
