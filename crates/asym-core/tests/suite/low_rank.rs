//! Properties of every factor pair: initialization, gradients, freezing, merging.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use asym_core::{
    Adapt, AdaptedLinear, Adapter, AdapterConfig, AdapterError, Factor, Init, Lora, Naming, Targets, inspect, merge,
    train_only,
};
use burn::module::{Module, Param};
use burn::nn::{LinearConfig, Relu};
use burn::tensor::{Device, Tensor, Tolerance};

use crate::common::{Dense, Model, input};

/// All combinations of a trained or frozen A and B. No factor is zero, so that every factor has an effect.
fn pairs() -> Vec<AdapterConfig> {
    let factors = [
        Factor::trained(Init::Kaiming),
        Factor::frozen(Init::Orthonormal),
        Factor::trained(Init::Gaussian),
        Factor::frozen(Init::SvdV),
        Factor::trained(Init::SvdU),
    ];
    let mut pairs = Vec::new();
    for a in factors {
        for b in factors {
            pairs.push(
                AdapterConfig::new(Lora::new(5).alpha(3.0).a(a).b(b))
                    .targets(["query", "output"])
                    .modules_to_save(["classifier"]),
            );
        }
    }
    pairs
}

fn close(left: Tensor<3>, right: Tensor<3>) {
    left.into_data().assert_approx_eq::<f32>(&right.into_data(), Tolerance::absolute(1e-5));
}

fn adapter(weight: &Param<Tensor<2>>) -> &asym_core::adapter::LowRank {
    let Some(Adapter::LowRank(adapter)) = weight.reparameterization::<Adapter>() else { panic!("a factor pair") };
    adapter
}

#[test]
fn factored_dense_and_merged_outputs_agree() {
    let device = Device::default();
    for config in pairs() {
        let plain = Model::new(&device);
        let before = plain.forward(input(&device));
        let model = config.attach(plain, 3).unwrap();
        let factored = model.forward(input(&device));
        let difference: f32 = (factored.clone() - before).abs().max().into_scalar();
        assert!(difference > 1e-2, "the adapter has almost no effect, {difference}: {config:?}");

        close(Dense::from(model.clone()).forward(input(&device)), factored.clone());
        let merged = merge(model);
        assert!(merged.query.weight.reparameterization::<Adapter>().is_none());
        close(merged.forward(input(&device)), factored);
    }
}

#[test]
fn a_zero_factor_does_not_change_the_initial_output() {
    let device = Device::default();
    for config in [AdapterConfig::lora(3), AdapterConfig::b_only(3), AdapterConfig::a_only(3)] {
        let plain = Model::new(&device);
        let before = plain.forward(input(&device));
        let model = config.targets(Targets::Pattern("all-linear".into())).attach(plain, 1).unwrap();
        model.forward(input(&device)).into_data().assert_eq(&before.into_data(), true);
    }
}

/// Whether W0, bias, A, B and head have a gradient.
fn gradients(model: &Model, device: &Device) -> [bool; 5] {
    let gradients = model.forward(input(device)).powf_scalar(2.0).mean().backward();
    let pair = adapter(&model.query.weight);
    [
        model.query.weight.base().grad(&gradients).is_some(),
        model.query.bias.as_ref().unwrap().val().grad(&gradients).is_some(),
        pair.a.val().grad(&gradients).is_some(),
        pair.b.val().grad(&gradients).is_some(),
        model.classifier.weight.val().grad(&gradients).is_some(),
    ]
}

#[test]
fn only_trained_parameters_have_gradients() {
    let device = Device::default().autodiff();
    for config in pairs() {
        let (a, b) = config.factors().unwrap();
        let expected = [false, false, a.train, b.train, true];
        let model = config.attach(Model::new(&device), 3).unwrap();
        assert_eq!(gradients(&model, &device), expected, "{config:?}");

        assert_eq!(gradients(&model.valid().train(), &device), expected, "valid, train");
        assert_eq!(gradients(&model.clone().fork(&device), &device), expected, "fork");
        let other = config.attach(Model::new(&device), 4).unwrap();
        let loaded = other.load_record(model.clone().into_record());
        assert_eq!(gradients(&loaded, &device), expected, "record");

        // The adapter is attached on a device without autodiff.
        let plain = config.attach(Model::new(&Device::default()), 3).unwrap();
        assert!(!adapter(&plain.query.weight).b.is_require_grad());
        assert_eq!(gradients(&plain.train(), &device), expected, "plain, train");

        let merged = merge(model);
        let gradients = merged.forward(input(&device)).mean().backward();
        assert!(merged.query.weight.val().grad(&gradients).is_none(), "merged");
        assert!(merged.classifier.weight.val().grad(&gradients).is_some(), "merged head");
    }
}

/// Names can be in any collection, and `adapt` is the same as `attach`.
#[test]
fn settings_accept_any_iterator_of_names() {
    let device = Device::default();
    let expected = AdapterConfig::lora(2).targets(["query", "output"]).modules_to_save(["classifier"]);
    let names = vec!["query".to_string(), "output".to_string()];
    let heads: Vec<&str> = vec!["classifier"];
    for targets in [Targets::from(names.clone()), Targets::from(names.as_slice()), names.iter().cloned().collect()] {
        assert_eq!(AdapterConfig::lora(2).targets(targets).modules_to_save(heads.clone()), expected);
    }
    assert_eq!(AdapterConfig::lora(2).layers(1..3), AdapterConfig::lora(2).layers([1, 2]));
    let plain = Model::new(&device);
    let attached = expected.attach(plain.clone(), 3).unwrap().forward(input(&device));
    close(plain.adapt(&expected, 3).unwrap().forward(input(&device)), attached);
}

#[test]
fn inspect_matches_hand_counts() {
    let config = AdapterConfig::b_only(5).targets(["query", "output"]).modules_to_save(["classifier"]);
    let bases = 13 * 29 + 29 + 29 * 17;
    let (a, b, head) = (5 * 13 + 5 * 29, 5 * 29 + 5 * 17, 17 * 3 + 3);
    for device in [Device::default(), Device::default().autodiff()] {
        let model = config.attach(Model::new(&device), 3).unwrap();
        for model in [model.clone(), model.valid()] {
            let table = inspect(&model, &Naming::BURN);
            assert_eq!(table.total(), bases + a + b + head);
            assert_eq!(table.trained(), b + head);
        }
    }
    let device = Device::default().autodiff();
    let head_only = train_only(Model::new(&device), &Naming::BURN, &["classifier".into()]).unwrap();
    assert_eq!(inspect(&head_only, &Naming::BURN).trained(), head);
}

#[test]
fn factors_depend_only_on_seed_and_name() {
    let device = Device::default();
    let config = AdapterConfig::b_only(5);
    let draw = |seed, targets: Targets| {
        let model = config.clone().targets(targets).attach(Model::new(&device), seed).unwrap();
        adapter(&model.query.weight).a.val().into_data()
    };
    let first = draw(1, ["query"].into());
    first.assert_eq(&draw(1, ["query", "output"].into()), true);
    assert_ne!(first, draw(2, ["query"].into()));
}

#[test]
fn dropout_is_active_only_in_training() {
    let device = Device::default().autodiff();
    let lora = Lora::new(5).b(Factor::trained(Init::Kaiming));
    let config = AdapterConfig::new(lora.clone().dropout(0.5)).targets(["query"]);
    let model = config.attach(Model::new(&device), 3).unwrap();
    let twice = [0, 1].map(|_| model.forward(input(&device)).into_data());
    assert_ne!(twice[0], twice[1]);
    let plain = Device::default();
    let valid = model.valid();
    let undropped = AdapterConfig::new(lora).targets(["query"]).attach(merge_free(&model), 3).unwrap().valid();
    close(valid.forward(input(&plain)), undropped.forward(input(&plain)));
}

/// The model without its adapter, which is not merged.
fn merge_free(model: &Model) -> Model {
    let layer = |layer: &AdaptedLinear| AdaptedLinear::new(Param::from_tensor(layer.weight.base()), layer.bias.clone());
    Model {
        query: layer(&model.query),
        output: layer(&model.output),
        activation: Relu::new(),
        classifier: layer(&model.classifier),
    }
}

#[test]
fn user_modules_support_adapters_without_changes() {
    let device = Device::default().autodiff();
    let model = Dense::from(Model::new(&device));
    let before = model.forward(input(&device));
    let model = AdapterConfig::b_only(4).targets(["query"]).attach(model, 1).unwrap();
    close(model.forward(input(&device)), before);
    let gradients = model.forward(input(&device)).mean().backward();
    assert!(adapter(&model.query.weight).b.val().grad(&gradients).is_some());
    assert!(adapter(&model.query.weight).a.val().grad(&gradients).is_none());
}

#[test]
fn reparameterizations_of_burn_keep_their_effect() {
    use burn::module::Lora;
    let device = Device::default();
    let layer = AdaptedLinear::from(LinearConfig::new(6, 5).init(&device)).apply_lora(Lora::new(2, 4.0));
    let Some(lora) = layer.weight.adapter() else { panic!("Burn's own adapter") };
    let moved = Param::from_tensor(Tensor::<2>::ones([2, 5], &device));
    let delta = lora.a.val().matmul(moved.val()).mul_scalar(lora.scale);
    let expected = layer.weight.base() + delta;
    struct Ones;
    impl burn::module::ModuleMapper for Ones {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match param.dims()[..] {
                [2, 5] => param.map(|tensor| tensor.ones_like()),
                _ => param,
            }
        }
    }
    let layer = layer.map(&mut Ones);
    let eye = Tensor::<2>::eye(6, &device);
    let bias = layer.bias.as_ref().unwrap().val().unsqueeze::<2>();
    (layer.forward(eye) - bias).into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
}

#[test]
fn bad_settings_are_refused() {
    let device = Device::default();
    let attach = |config: AdapterConfig| config.attach(Model::new(&device), 0).unwrap_err();
    let on_query = |rank| AdapterConfig::lora(rank).targets(["query"]);
    let lora = |lora: Lora| AdapterConfig::new(lora).targets(["query"]);

    assert!(matches!(attach(on_query(0)), AdapterError::Setting { field: "rank", .. }));
    assert!(matches!(attach(on_query(14)), AdapterError::Rank { rank: 14, d_input: 13, d_output: 29, .. }));
    assert!(matches!(attach(lora(Lora::new(2).alpha(0.0))), AdapterError::Setting { field: "alpha", .. }));
    assert!(matches!(attach(lora(Lora::new(2).alpha(f64::NAN))), AdapterError::Setting { field: "alpha", .. }));
    assert!(matches!(attach(lora(Lora::new(2).dropout(1.0))), AdapterError::Setting { field: "dropout", .. }));
    assert!(matches!(attach(on_query(2).targets("que(")), AdapterError::Pattern { .. }));

    let missing = attach(on_query(2).targets(["query", "key"]));
    assert_eq!(missing.to_string(), "targets `key` matches nothing; available names: query, output, classifier");
    // A pattern must match the whole name.
    assert!(matches!(attach(on_query(2).targets("quer")), AdapterError::NoMatch { .. }));
    assert!(AdapterConfig::lora(2).targets("quer.*").attach(Model::new(&device), 0).is_ok());
    let head = attach(on_query(2).modules_to_save(["score"]));
    assert!(matches!(head, AdapterError::NoMatch { field: "modules_to_save", .. }));

    let model = on_query(2).attach(Model::new(&device), 0).unwrap();
    assert!(matches!(on_query(2).attach(model, 0), Err(AdapterError::AlreadyAdapted { .. })));
    let dense = Dense::from(Model::new(&device));
    let dropped = lora(Lora::new(2).dropout(0.1)).attach(dense, 0);
    assert!(matches!(dropped, Err(AdapterError::DropoutOnDense { .. })));

    let mut broken = Model::new(&device);
    broken.query.weight = Param::from_tensor(broken.query.weight.val().mul_scalar(f32::NAN));
    let svd = lora(Lora::new(2).a(Factor::frozen(Init::SvdV))).attach(broken, 0);
    assert!(matches!(svd, Err(AdapterError::NoSvd { .. })));
}

#[test]
fn all_linear_skips_modules_to_save() {
    let device = Device::default();
    let model = AdapterConfig::lora(2)
        .targets(Targets::ALL_LINEAR)
        .modules_to_save(["classifier"])
        .attach(Model::new(&device), 0)
        .unwrap();
    assert!(model.output.weight.reparameterization::<Adapter>().is_some());
    assert!(model.classifier.weight.reparameterization::<Adapter>().is_none());
}
