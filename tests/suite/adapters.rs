//! Compares parts of adapters with PEFT, without a whole model. `tests/fixtures/make.py` creates the fixtures.
#![allow(clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;

use asym::core::layout::{self, Entry, Kind};
use asym::core::optim::ProjectedGradient;
use asym::core::{
    AdaLora, AdaptedConv2d, AdaptedEmbedding, AdaptedLinear, AdaptedLinearConfig, AdapterConfig, Factor, Init, Lora,
    Naming, RankAllocator, SaveOptions, load_adapter, merge, save_adapter,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{EmbeddingConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::common::{Stored, Tensors, difference, fixture, read, scratch};

fn tensor<const D: usize>(stored: &Stored, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(stored.f32(), stored.shape.clone()), device)
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[derive(Module, Debug)]
struct Three {
    first: AdaptedLinear,
    second: AdaptedLinear,
    third: AdaptedLinear,
}

const MODULES: [&str; 3] = ["first", "second", "third"];

/// The gradients of one step, in the order of the model's parameters.
fn gradients(model: &Three, stored: &Tensors, step: usize) -> GradientsParams {
    struct Registrar<'a> {
        entries: std::vec::IntoIter<Entry>,
        stored: &'a Tensors,
        step: usize,
        gradients: GradientsParams,
    }
    impl ModuleVisitor for Registrar<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let entry = self.entries.next().unwrap();
            if entry.kind != Kind::Adapter {
                return;
            }
            let values = at_step(&self.stored[&format!("gradients.{}", entry.name)], self.step);
            // Burn stores the transpose of the matrix in the file.
            let gradient =
                Tensor::<2>::from_data(TensorData::new(values, [entry.shape[0], entry.shape[1]]), &Device::default());
            self.gradients.register::<D>(param.id, gradient.transpose().reshape(param.shape()));
        }
    }
    let entries = layout::entries(model, &Naming::BURN).into_iter();
    let mut registrar = Registrar { entries, stored, step, gradients: GradientsParams::new() };
    model.visit(&mut registrar);
    registrar.gradients
}

/// The part of a tensor `[steps, …]` that belongs to `step`.
fn at_step(stored: &Stored, step: usize) -> Vec<f32> {
    let values = stored.f32();
    let size = values.len() / stored.shape[0];
    values[step * size..(step + 1) * size].to_vec()
}

#[test]
fn adalora_ranks_match_peft_at_every_step() {
    let stored = read(&fixture("adalora-schedule").join("schedule.safetensors"));
    let device = Device::default();
    let linear = |d_input, d_output| AdaptedLinearConfig::new(d_input, d_output).with_bias(false).init(&device);
    let settings = AdaLora::new(4, 2).alpha(6.0).schedule(4, 3, 8).total_steps(40);
    let config = AdapterConfig::new(settings.clone()).targets(MODULES);
    let model = Three { first: linear(9, 7), second: linear(7, 11), third: linear(11, 5) };
    let model = config.attach(model, 0).unwrap();
    let is_adapter = |entry: &Entry| entry.kind == Kind::Adapter;
    let mut model = layout::replace(model, &Naming::BURN, |entry| {
        Ok::<_, Infallible>(is_adapter(entry).then(|| stored[&format!("initial.{}", entry.name)].f32()))
    })
    .unwrap();

    let mut allocator = RankAllocator::new(&settings, &model, &Naming::BURN).unwrap();
    let budgets = stored["budget"].i64();
    let mut ranks = Vec::new();
    for (step, budget) in budgets.iter().enumerate() {
        assert_eq!(allocator.budget(step) as i64, *budget, "budget of step {step}");
        allocator.observe(&model, &gradients(&model, &stored, step));
        model = layout::rewrite(model, &Naming::BURN, is_adapter, |entry, values| {
            let gradient = at_step(&stored[&format!("gradients.{}", entry.name)], step);
            Some(values.iter().zip(gradient).map(|(value, gradient)| value - 0.1 * gradient).collect())
        });
        model = allocator.allocate(model, step);
        let mut rank = 0;
        for (entry, values) in layout::collect(&model, &Naming::BURN, |entry| entry.field() == "lora_E") {
            let Some(values) = values else { continue };
            let expected = at_step(&stored[&format!("e.{}", entry.module())], step);
            let zeros = |values: &[f32]| values.iter().map(|value| *value == 0.0).collect::<Vec<_>>();
            assert_eq!(zeros(&values), zeros(&expected), "{} at step {step}", entry.name);
            assert!(difference(&values, &expected) < 1e-6, "{} at step {step}", entry.name);
            rank += values.iter().filter(|value| **value != 0.0).count();
        }
        ranks.push(rank);
    }
    println!("ranks: {ranks:?}");
    assert_eq!((ranks[0], *ranks.last().unwrap()), (12, 6));
    assert!(ranks.windows(2).any(|pair| pair[1] > pair[0]), "no triplet was restored: {ranks:?}");
}

/// An adapted embedding, convolution and linear layer.
#[derive(Module, Debug)]
struct Mixed {
    embedding: AdaptedEmbedding,
    conv: AdaptedConv2d,
    linear: AdaptedLinear,
}

impl Mixed {
    fn new(device: &Device) -> Self {
        let conv = Conv2dConfig::new([3, 8], [3, 2]).with_stride([2, 1]);
        Self {
            embedding: AdaptedEmbedding::new(&EmbeddingConfig::new(17, 6), device),
            conv: AdaptedConv2d::new(&conv.with_padding(PaddingConfig2d::Explicit(1, 0, 1, 0)), device),
            linear: AdaptedLinearConfig::new(10, 7).init(device),
        }
    }

    /// The three outputs for the inputs of the fixture.
    fn outputs(&self, inputs: &Tensors, device: &Device) -> [Vec<f32>; 3] {
        let ids = TensorData::new(inputs["ids"].i64(), inputs["ids"].shape.clone());
        [
            floats(self.embedding.forward(Tensor::<2, Int>::from_data(ids, device))),
            floats(self.conv.forward(tensor(&inputs["image"], device))),
            floats(self.linear.forward(tensor::<2>(&inputs["features"], device))),
        ]
    }
}

#[test]
fn adapted_embeddings_and_convolutions_match_peft() {
    let folder = fixture("peft-conv");
    let (base, inputs) = (read(&folder.join("base.safetensors")), read(&folder.join("inputs.safetensors")));
    let expected = read(&folder.join("expected.safetensors"));
    for device in [Device::default(), Device::default().autodiff()] {
        let plain = layout::replace(Mixed::new(&device), &Naming::BURN, |entry| {
            Ok::<_, Infallible>(Some(base[&entry.name].f32()))
        })
        .unwrap();
        let (model, config) = load_adapter(plain.clone(), &folder, &Naming::BURN).unwrap();
        let before = plain.outputs(&inputs, &device);
        for model in [model.clone(), merge(model.clone())] {
            let outputs = model.outputs(&inputs, &device);
            for ((name, output), before) in ["embedding", "conv", "linear"].iter().zip(&outputs).zip(&before) {
                let largest = difference(output, &expected[*name].f32());
                assert!(largest < 1e-5, "{name} differs by {largest}");
                assert!(difference(output, before) > 0.05, "{name}: the adapter must have an effect");
            }
        }
        // The written file equals the file that was read.
        let again = scratch("adapters-conv");
        save_adapter(&model, &config, &again, &SaveOptions::default()).unwrap();
        let tensors = |folder: &std::path::Path| read(&folder.join("adapter_model.safetensors"));
        assert_eq!(tensors(&again), tensors(&folder));
    }
}

#[test]
fn gradient_projection_matches_peft() {
    let stored = read(&fixture("lora-fa").join("projection.safetensors"));
    let device = Device::default().autodiff();
    #[derive(Module, Debug)]
    struct One {
        query: AdaptedLinear,
    }
    let lora = Lora::new(4).alpha(6.0).a(Factor::frozen(Init::Gaussian));
    let config = AdapterConfig::new(lora).targets(["query"]);
    let model = One { query: AdaptedLinearConfig::new(9, 7).init(&device) };
    let model = config.attach(model, 1).unwrap();
    let model = layout::replace(model, &Naming::BURN, |entry| {
        Ok::<_, Infallible>((entry.field() == "lora_A.weight").then(|| stored["a"].f32()))
    })
    .unwrap();
    struct B(Option<burn::module::ParamId>);
    impl ModuleVisitor for B {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.dims()[..] == [4, 7] {
                self.0 = Some(param.id);
            }
        }
    }
    let mut b = B(None);
    model.visit(&mut b);
    let id = b.0.unwrap();
    let mut gradients = GradientsParams::new();
    gradients.register(id, tensor::<2>(&stored["gradient"], &Device::default()).transpose());
    let projection = ProjectedGradient::new(&config, &model, &Naming::BURN).unwrap();
    let projected = projection.apply(gradients).get::<2>(id).unwrap().transpose();
    let expected = stored["projected"].f32();
    let scale = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    assert!(difference(&floats(projected), &expected) < 1e-5 * scale);

    let lora = AdapterConfig::lora(4).targets(["query"]);
    assert!(ProjectedGradient::new(&lora, &model, &Naming::BURN).is_err(), "a trained A was accepted");
}
