//! Lesson 1: adapt your own model.
//!
//! A small network learns one function, and then a related function with an adapter. `first` and `second` are asym's
//! layers, which replace `nn::Linear`. `output` is Burn's own layer and is fully trained, like a new task head.
//!
//! ```text
//! cargo run --release --example adapt_your_model
//! ```

use asym::core::{AdaptedLinear, AdaptedLinearConfig, AdapterConfig, Factor, Init, Lora, Naming, inspect};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};

#[derive(Module, Debug)]
struct Network {
    first: AdaptedLinear,
    second: AdaptedLinear,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            first: AdaptedLinearConfig::new(2, 64).init(device),
            second: AdaptedLinearConfig::new(64, 64).init(device),
            output: LinearConfig::new(64, 1).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.first.forward(input).tanh();
        self.output.forward(self.second.forward(hidden).tanh())
    }
}

/// An ordinary Burn training loop. asym requires no changes to it.
fn train(mut model: Network, frequency: f64, steps: usize, device: &Device) -> (Network, f32) {
    let mut optimizer = AdamWConfig::new().init();
    let mut last = f32::NAN;
    for step in 0..steps {
        let input = Tensor::<2>::random([256, 2], Distribution::Uniform(-1.0, 1.0), device);
        let target = (input.clone().narrow(1, 0, 1) * frequency).sin() * input.clone().narrow(1, 1, 1);
        let loss = (model.forward(input) - target).powi_scalar(2).mean();
        last = loss.clone().into_scalar();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let rate = 3e-3 * (1.0 - step as f64 / steps as f64);
        model = optimizer.step(rate, model, gradients);
    }
    (model, last)
}

fn main() -> Result<(), asym::core::AdapterError> {
    let device = Device::default().autodiff();
    device.seed(1);
    let (pretrained, loss) = train(Network::new(&device), 2.0, 1500, &device);
    println!("pre-trained: loss {loss:.1e}");
    let (_, before) = train(pretrained.clone(), 4.0, 1, &device);
    println!("on the new task: loss {before:.1e}");

    // A is random, orthonormal and frozen. B starts at zero, so the adapter has no effect at first. α is 2r.
    let lora = Lora::new(8).a(Factor::frozen(Init::Orthonormal)).b(Factor::trained(Init::Zero));
    let adapter = AdapterConfig::new(lora).targets(["second"]).modules_to_save(["output"]);
    let adapted = adapter.attach(pretrained, 42)?;
    println!("\n{}\n", inspect(&adapted, &Naming::BURN));

    let (_, after) = train(adapted, 4.0, 1500, &device);
    println!("adapted: loss {after:.1e}");
    assert!(after < 0.2 * before, "the adapter of rank 8 did not learn the new task");
    Ok(())
}
