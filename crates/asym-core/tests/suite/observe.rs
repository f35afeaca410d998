//! The observation of the inputs of layers, and factors that are initialized from them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::cell::Cell;

use asym_core::linalg::{Matrix, gaussian, orthonormal};
use asym_core::random::stream;
use asym_core::{
    AdaptedLinear, AdaptedLinearConfig, Adapter, AdapterConfig, AdapterError, Dora, Factor, Init, Lora, Naming,
    SaveOptions, inspect, load_adapter, observe_inputs, save_adapter,
};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, Tolerance};
use faer::Mat;

const WIDTH: usize = 40;

#[derive(Module, Debug)]
struct Model {
    first: AdaptedLinear,
    second: AdaptedLinear,
    plain: Linear,
    idle: AdaptedLinear,
}

impl Model {
    fn new(device: &Device) -> Self {
        let layer = || AdaptedLinearConfig::new(WIDTH, WIDTH).init(device);
        Self { first: layer(), second: layer(), plain: LinearConfig::new(WIDTH, WIDTH).init(device), idle: layer() }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        self.plain.forward(self.second.forward(self.first.forward(input).tanh()))
    }
}

fn mat(matrix: &Matrix) -> Mat<f64> {
    Mat::from_fn(matrix.rows(), matrix.columns(), |i, j| matrix[(i, j)])
}

/// Rows with most of their energy in three directions, which are returned as columns.
fn inputs(rows: usize, device: &Device) -> (Tensor<3>, Mat<f64>) {
    let mut rng = stream(1, "inputs");
    let directions = mat(&orthonormal(WIDTH, 3, &mut rng));
    let strong = mat(&gaussian(rows, 3, &mut rng)) * directions.transpose();
    let noise = gaussian(rows, WIDTH, &mut rng);
    let value = |i: usize, j: usize| (5.0 * strong[(i, j)] + 0.05 * noise[(i, j)]) as f32;
    let values: Vec<f32> = (0..rows).flat_map(|i| (0..WIDTH).map(move |j| value(i, j))).collect();
    (Tensor::from_data(TensorData::new(values, [rows / 10, 10, WIDTH]), device), directions)
}

fn b_only(init: Init, targets: &str) -> AdapterConfig {
    AdapterConfig::new(Lora::b_only(3).a(Factor::frozen(init))).targets(targets)
}

#[test]
fn the_moment_covers_all_rows_of_all_batches() {
    let device = Device::default();
    let model = Model::new(&device);
    let (input, _) = inputs(200, &device);
    let halves = [input.clone().narrow(0, 0, 5), input.clone().narrow(0, 5, 15)];
    let moments = observe_inputs(
        &model,
        &Naming::BURN,
        |module| module != "second",
        |model| {
            for half in halves {
                model.forward(half);
            }
        },
    );
    // The second layer is not wanted, the input of the plain layer cannot be observed, and the idle layer received no input.
    assert_eq!(moments.keys().collect::<Vec<_>>(), ["first"]);
    let found = &moments["first"];
    assert_eq!(found.rows, 200);
    let values: Vec<f64> = input.into_data().iter::<f64>().collect();
    let rows = Mat::from_fn(200, WIDTH, |i, j| values[i * WIDTH + j]);
    let (moment, expected) = (found.moment(), rows.transpose() * &rows);
    for i in 0..WIDTH {
        for j in 0..WIDTH {
            let (found, expected) = (moment[(i, j)], expected[(i, j)] / 200.0);
            assert!((found - expected).abs() < 1e-4, "[{i}, {j}]: {found} is not {expected}");
        }
    }
}

/// A layer with an adapter is not observed and keeps its adapter. Burn attaches an observer to such a layer's weight, but then
/// replaces the observer with the adapter.
#[test]
fn adapted_layers_are_not_observed_and_keep_their_adapter() {
    let device = Device::default();
    let (input, _) = inputs(100, &device);
    let lora = Lora::new(3).b(Factor::trained(Init::Gaussian));
    let model = AdapterConfig::new(lora).targets("first").attach(Model::new(&device), 1).unwrap();
    let expected = model.first.forward(input.clone()).into_data();
    let moments = observe_inputs(
        &model,
        &Naming::BURN,
        |_| true,
        |model| {
            model.first.forward(input.clone()).into_data().assert_eq(&expected, true);
            model.second.forward(input.clone());
        },
    );
    assert_eq!(moments.keys().collect::<Vec<_>>(), ["second"]);
}

#[test]
fn input_svd_initializes_a_with_the_top_input_directions() {
    let device = Device::default().autodiff();
    let (input, directions) = inputs(400, &device);
    let called = Cell::new(0);
    let pass = |model: &Model| {
        called.set(called.get() + 1);
        model.forward(input.clone());
    };
    let config = b_only(Init::InputSvd, "first|second");
    assert!(config.reads_inputs() && !b_only(Init::Orthonormal, "first").reads_inputs());
    let model = config.attach_observed(Model::new(&device), 7, &Naming::BURN, pass).unwrap();
    assert_eq!(called.get(), 1);
    let Some(Adapter::LowRank(pair)) = model.first.weight.reparameterization::<Adapter>() else { panic!("a pair") };
    assert!(!pair.a.is_require_grad() && pair.b.is_require_grad());
    let a: Vec<f64> = pair.a.val().into_data().iter::<f64>().collect(); // [d_input, r]
    let a = Mat::from_fn(WIDTH, 3, |i, j| a[i * 3 + j]);
    // A is orthonormal and has the same subspace: all three canonical correlations are 1, except for the noise.
    for (name, product, tolerance) in
        [("AAᵀ", a.transpose() * &a, 1e-5), ("overlap", directions.transpose() * &a, 0.02)]
    {
        let size = product.squared_norm_l2();
        assert!((size - 3.0).abs() < tolerance, "{name}: {size}");
    }
    // A does not depend on the random seed.
    let again = config.attach_observed(Model::new(&device), 8, &Naming::BURN, pass).unwrap();
    let Some(Adapter::LowRank(other)) = again.first.weight.reparameterization::<Adapter>() else { panic!("a pair") };
    other.a.val().into_data().assert_approx_eq::<f32>(&pair.a.val().into_data(), Tolerance::absolute(1e-4));

    // If no factor needs the inputs, no batch is run.
    called.set(0);
    b_only(Init::Orthonormal, "first").attach_observed(Model::new(&device), 7, &Naming::BURN, pass).unwrap();
    assert_eq!(called.get(), 0);
}

#[test]
fn layers_without_observed_inputs_are_rejected() {
    let device = Device::default();
    let (input, _) = inputs(20, &device);
    let refused = |config: AdapterConfig| {
        let pass = |model: &Model| drop(model.forward(input.clone()));
        config.attach_observed(Model::new(&device), 1, &Naming::BURN, pass).unwrap_err()
    };
    for layer in ["idle", "plain"] {
        let error = refused(b_only(Init::InputSvd, layer));
        assert!(matches!(&error, AdapterError::Unobserved { module } if module == layer), "{error}");
    }
    let error = b_only(Init::InputSvd, "first").attach(Model::new(&device), 1).unwrap_err();
    assert!(error.to_string().contains("attach_observed"), "{error}");
    let b = AdapterConfig::new(Lora::new(3).b(Factor::trained(Init::InputSvd))).targets("first");
    assert!(matches!(refused(b), AdapterError::Conflict { field: "b", .. }));
    let dora = Dora(Lora::new(3).b(Factor::trained(Init::InputSvd)));
    assert!(matches!(refused(AdapterConfig::new(dora).targets("first")), AdapterError::Conflict { field: "b", .. }));

    let few = input.clone().slice([0..1, 0..2]);
    let pass = |model: &Model| drop(model.forward(few.clone()));
    let error =
        b_only(Init::InputSvd, "first").attach_observed(Model::new(&device), 1, &Naming::BURN, pass).unwrap_err();
    assert!(matches!(&error, AdapterError::FewRows { rows: 2, rank: 3, .. }), "{error}");
    let nan = input.clone() * f32::NAN;
    let pass = |model: &Model| drop(model.forward(nan.clone()));
    let error = b_only(Init::InputSvd, "first").attach_observed(Model::new(&device), 1, &Naming::BURN, pass);
    assert!(matches!(error.unwrap_err(), AdapterError::NoSvd { module } if module == "first"));
}

/// Loading an adapter needs no inputs. An adapter whose A was initialized from inputs can therefore be loaded into Burn's layers.
#[test]
fn adapters_from_observed_inputs_load_without_inputs() {
    #[derive(Module, Debug)]
    struct Plain {
        first: Linear,
    }
    let device = Device::default();
    let (input, _) = inputs(100, &device);
    let pass = |model: &Model| drop(model.forward(input.clone()));
    let config = b_only(Init::InputSvd, "first");
    let model = config.attach_observed(Model::new(&device), 1, &Naming::BURN, pass).unwrap();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("observe-saved");
    save_adapter(&model, &config, &folder, &SaveOptions::default()).unwrap();
    let plain = Plain { first: LinearConfig::new(WIDTH, WIDTH).init(&device) };
    let (loaded, read) = load_adapter(plain, &folder, &Naming::BURN).unwrap();
    assert_eq!(read.factors(), config.factors());
    let a = |weight: &Param<Tensor<2>>| match weight.reparameterization::<Adapter>() {
        Some(Adapter::LowRank(pair)) => pair.a.val().into_data(),
        other => panic!("{other:?}"),
    };
    a(&loaded.first.weight).assert_eq(&a(&model.first.weight), true);
}

/// Counting parameters needs no values, so neither attaching nor inspecting initializes a lazy weight.
#[test]
fn attaching_and_inspecting_do_not_initialize_weights() {
    let device = Device::default();
    let model =
        b_only(Init::Orthonormal, "first|second").modules_to_save(["idle"]).attach(Model::new(&device), 1).unwrap();
    let table = inspect(&model, &Naming::BURN);
    for layer in [&model.first, &model.second, &model.idle] {
        assert!(!layer.weight.is_initialized());
    }
    let bias = WIDTH;
    assert_eq!(table.trained(), 2 * 3 * WIDTH + WIDTH * WIDTH + bias);
    assert_eq!(table.total(), 4 * (WIDTH * WIDTH + bias) + 2 * 2 * 3 * WIDTH);
    let dora = AdapterConfig::new(Dora(Lora::new(3))).targets("first|second");
    let model = dora.attach_blank(Model::new(&device), &Naming::BURN).unwrap();
    assert!(!model.first.weight.is_initialized());
    // The table is the same if the weights are initialized.
    let made = Model::new(&device);
    for weight in [&made.first.weight, &made.second.weight, &made.idle.weight, &made.plain.weight] {
        weight.val();
    }
    let made = b_only(Init::Orthonormal, "first|second").modules_to_save(["idle"]).attach(made, 1).unwrap();
    assert_eq!(inspect(&made, &Naming::BURN), table);
    assert!(!inspect(&made.train(), &Naming::BURN).rows[0].trained);
}
