//! A small model with asym's layers, and the same model with Burn's layers, which compose the dense weight.

use asym_core::{AdaptedLinear, AdaptedLinearConfig};
use burn::module::{Module, Param};
use burn::nn::{Linear, Relu};
use burn::tensor::{Device, Tensor, TensorData};

/// Two layers with odd sizes, which get adapters, and a head.
#[derive(Module, Debug)]
pub struct Model {
    pub query: AdaptedLinear,
    pub output: AdaptedLinear,
    pub activation: Relu,
    pub classifier: AdaptedLinear,
}

impl Model {
    pub fn new(device: &Device) -> Self {
        // Burn would initialize each model differently. With these weights, all models are equal.
        let layer = |d_input: usize, d_output: usize, bias: bool| {
            let wave = |count: usize, phase: f32| -> Vec<f32> {
                (0..count).map(|i| 0.4 * ((i * i) as f32 * 0.37 + phase + i as f32).sin()).collect()
            };
            let mut layer = AdaptedLinearConfig::new(d_input, d_output).with_bias(bias).init(device);
            let weight = TensorData::new(wave(d_input * d_output, 0.1), [d_input, d_output]);
            layer.weight = Param::from_tensor(Tensor::from_data(weight, device));
            layer.bias = bias.then(|| Param::from_tensor(Tensor::from_data(wave(d_output, 0.9).as_slice(), device)));
            layer
        };
        Self {
            query: layer(13, 29, true),
            output: layer(29, 17, false),
            activation: Relu::new(),
            classifier: layer(17, 3, true),
        }
    }

    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let hidden = self.activation.forward(self.query.forward(input));
        self.classifier.forward(self.output.forward(hidden))
    }
}

#[derive(Module, Debug)]
pub struct Dense {
    pub query: Linear,
    pub output: Linear,
    pub activation: Relu,
    pub classifier: Linear,
}

impl From<Model> for Dense {
    fn from(model: Model) -> Self {
        let linear = |layer: AdaptedLinear| Linear { weight: layer.weight, bias: layer.bias };
        Self {
            query: linear(model.query),
            output: linear(model.output),
            activation: Relu::new(),
            classifier: linear(model.classifier),
        }
    }
}

impl Dense {
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let hidden = self.activation.forward(self.query.forward(input));
        self.classifier.forward(self.output.forward(hidden))
    }
}

/// Two sequences of seven tokens.
pub fn input(device: &Device) -> Tensor<3> {
    let values: Vec<f32> = (0..2 * 7 * 13).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::from_data(TensorData::new(values, [2, 7, 13]), device)
}
