//! Properties that are tested for every method. A new method is one row of [`rows`].
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use asym_core::layout::{self, Kind};
use asym_core::{
    AdaLora, AdaptedLinear, Adapter, AdapterConfig, AdapterError, Bias, Dora, Factor, Ia3, Init, Lora, Method, Naming,
    SaveOptions, Targets, Vera, inspect, load_adapter, merge, save_adapter,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData, Tolerance};

use crate::common::{Dense, Model, input};

struct Row {
    name: &'static str,
    config: AdapterConfig,
    /// The names in files of the trained parameters of `query`. Those of `output` have the same names.
    trained: &'static [&'static str],
    /// The number of trained values without the 17·3 + 3 of the head. `query` is 13 → 29, and `output` is 29 → 17.
    count: usize,
    /// Whether layers that compose their weight can have this adapter.
    dense: bool,
}

fn rows() -> Vec<Row> {
    const A: &str = "lora_A.weight";
    const B: &str = "lora_B.weight";
    let row = |name, method: Method, trained, count| {
        let config = AdapterConfig::new(method).targets(["query", "output"]).modules_to_save(["classifier"]);
        Row { name, config, trained, count, dense: true }
    };
    let a = 5 * 13 + 5 * 29;
    let b = 5 * 29 + 5 * 17;
    let lora = || Lora::new(5).alpha(3.0);
    vec![
        row("lora", lora().into(), &[A, B], a + b),
        row("lora, A frozen", lora().a(Factor::frozen(Init::Orthonormal)).into(), &[B], b),
        row("lora, B frozen", Lora::a_only(5).alpha(3.0).into(), &[A], a),
        row("rslora", lora().rank_stabilized().into(), &[A, B], a + b),
        row("lora, patterns", lora().rank_of("output", 2).alpha_of("query", 9.0).into(), &[A, B], 5 * 42 + 2 * 46),
        row("dora", Dora(lora()).into(), &[A, B, "lora_magnitude_vector"], a + b + 29 + 17),
        row("dora, A frozen", Dora(Lora::b_only(5).alpha(3.0)).into(), &[B, "lora_magnitude_vector"], b + 29 + 17),
        row("adalora", AdaLora::new(5, 2).alpha(3.0).into(), &["lora_A", "lora_E", "lora_B"], a + b + 5 + 5),
        row("vera", Vera::new(7).into(), &["vera_lambda_d", "vera_lambda_b"], 7 + 7 + 29 + 17),
        Row { dense: false, ..row("ia3, outputs", Ia3::new([]).into(), &["ia3_l"], 29 + 17) },
        row("ia3, inputs", Ia3::new(["query", "output"]).into(), &["ia3_l"], 13 + 29),
    ]
}

fn logits(model: &Model) -> Vec<f32> {
    let device = model.query.weight.base().device();
    model.forward(input(&device)).into_data().iter::<f32>().collect()
}

fn close(name: &str, left: &[f32], right: &[f32]) {
    let largest = left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max);
    assert!(left.len() == right.len() && largest < 1e-5, "{name}: differs by {largest}");
}

/// The model with every trained value changed, as after training, so that no effect is hidden by a zero.
fn moved(model: Model) -> Model {
    let rows = inspect(&model, &Naming::BURN).rows;
    let trained: BTreeSet<String> = rows.into_iter().filter(|row| row.trained).map(|row| row.entry.path).collect();
    layout::rewrite(
        model,
        &Naming::BURN,
        |entry| trained.contains(&entry.path),
        |entry, values| {
            let phase = entry.name.len() as f32;
            Some(values.iter().enumerate().map(|(i, v)| v + 0.3 * (1.0 + i as f32 * 0.7 + phase).sin()).collect())
        },
    )
}

/// The names of the parameters with a gradient that is not zero.
fn gradients(model: &Model) -> BTreeSet<String> {
    struct Visitor<'a> {
        gradients: &'a Gradients,
        found: Vec<bool>,
    }
    impl ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.base().grad(self.gradients);
            self.found.push(gradient.is_some_and(|gradient| gradient.abs().max().into_scalar::<f32>() > 0.0));
        }
    }
    let device = model.query.weight.base().device();
    let gradients = model.forward(input(&device)).powi_scalar(2).mean().backward();
    let mut visitor = Visitor { gradients: &gradients, found: Vec::new() };
    model.visit(&mut visitor);
    let entries = layout::entries(model, &Naming::BURN);
    assert_eq!(entries.len(), visitor.found.len());
    entries.into_iter().zip(visitor.found).filter(|(_, found)| *found).map(|(entry, _)| entry.name).collect()
}

fn expected(row: &Row) -> BTreeSet<String> {
    let of = |module: &str| row.trained.iter().map(|field| format!("{module}.{field}")).collect::<Vec<_>>();
    let head = ["classifier.weight".to_string(), "classifier.bias".to_string()];
    of("query").into_iter().chain(of("output")).chain(head).collect()
}

#[test]
fn new_adapters_do_not_change_the_output() {
    for device in [Device::default(), Device::default().autodiff()] {
        let before = logits(&Model::new(&device));
        for row in rows() {
            close(row.name, &logits(&row.config.attach(Model::new(&device), 3).unwrap()), &before);
        }
    }
}

#[test]
fn only_trained_parameters_have_gradients() {
    let (plain, device) = (Device::default(), Device::default().autodiff());
    for row in rows() {
        let (name, expected) = (row.name, expected(&row));
        let model = moved(row.config.attach(Model::new(&device), 3).unwrap());
        assert_eq!(gradients(&model), expected, "{name}");
        let effect =
            logits(&model).iter().zip(logits(&Model::new(&plain))).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(effect > 1e-2, "{name}: no effect");

        let back = model.valid().train();
        assert_eq!(gradients(&back), expected, "{name}: valid, train");
        close(name, &logits(&back), &logits(&model));
        assert_eq!(gradients(&model.clone().fork(&device)), expected, "{name}: fork");
        let other = row.config.attach(Model::new(&device), 4).unwrap();
        let loaded = other.load_record(model.clone().into_record());
        assert_eq!(gradients(&loaded), expected, "{name}: record");
        close(name, &logits(&loaded), &logits(&model));

        // The adapter is attached on a device without autodiff, or the trained model is moved to such a device.
        let attached = moved(row.config.attach(Model::new(&plain), 3).unwrap());
        assert_eq!(gradients(&attached.clone().train()), expected, "{name}: plain, train");
        close(name, &logits(&attached), &logits(&model));
        close(name, &logits(&model.valid()), &logits(&model));
    }
}

#[test]
fn dense_merged_and_unmerged_outputs_agree() {
    for device in [Device::default(), Device::default().autodiff()] {
        for row in rows() {
            let model = moved(row.config.attach(Model::new(&device), 3).unwrap());
            let before = logits(&model);
            if row.dense {
                let dense = Dense::from(model.clone()).forward(input(&device)).into_data();
                close(row.name, &dense.iter::<f32>().collect::<Vec<_>>(), &before);
            }
            let merged = merge(model);
            assert!(merged.query.weight.reparameterization::<Adapter>().is_none());
            close(row.name, &logits(&merged), &before);
            if device.is_autodiff() {
                let head = BTreeSet::from(["classifier.weight".to_string(), "classifier.bias".to_string()]);
                assert_eq!(gradients(&merged), head, "{}: merged", row.name);
            }
        }
    }
}

/// The gradients of the factored forward pass are those of the composed weight, which is an independent computation.
#[test]
fn factored_and_dense_gradients_agree() {
    let device = Device::default().autodiff();
    for row in rows().into_iter().filter(|row| row.dense) {
        let model = moved(row.config.attach(Model::new(&device), 3).unwrap());
        let dense = Dense::from(model.clone());
        struct Values<'a>(&'a Gradients, Vec<TensorData>);
        impl ModuleVisitor for Values<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.1.extend(param.base().grad(self.0).map(Tensor::into_data));
            }
        }
        let factored = model.forward(input(&device)).powi_scalar(2).mean().backward();
        let composed = dense.forward(input(&device)).powi_scalar(2).mean().backward();
        let (mut left, mut right) = (Values(&factored, Vec::new()), Values(&composed, Vec::new()));
        model.visit(&mut left);
        dense.visit(&mut right);
        assert_eq!(left.1.len(), expected(&row).len(), "{}", row.name);
        for (left, right) in left.1.iter().zip(&right.1) {
            left.assert_approx_eq::<f32>(right, Tolerance::absolute(1e-5));
        }
    }
}

#[test]
fn saved_adapters_load_unchanged() {
    let (plain, device) = (Device::default(), Device::default().autodiff());
    for row in rows() {
        let path = std::env::temp_dir().join(format!("asym-methods-{}-{}", row.count, std::process::id()));
        let model = moved(row.config.attach(Model::new(&device), 3).unwrap());
        save_adapter(&model, &row.config, &path, &SaveOptions { seed: Some(3), ..SaveOptions::default() }).unwrap();
        for target in [&plain, &device] {
            let (loaded, _) = load_adapter(Model::new(target), &path, &Naming::BURN).unwrap();
            close(row.name, &logits(&loaded), &logits(&model));
            assert_eq!(gradients(&loaded.train()), expected(&row), "{}", row.name);
        }
        std::fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn inspect_matches_hand_counts() {
    for device in [Device::default(), Device::default().autodiff()] {
        for row in rows() {
            let model = row.config.attach(Model::new(&device), 3).unwrap();
            for model in [model.clone(), model.valid()] {
                assert_eq!(inspect(&model, &Naming::BURN).trained(), row.count + 17 * 3 + 3, "{}", row.name);
            }
        }
    }
}

#[test]
fn configs_survive_a_round_trip_and_reject_unknown_fields() {
    for row in rows() {
        let json = serde_json::to_string(&row.config).unwrap();
        assert_eq!(serde_json::from_str::<AdapterConfig>(&json).unwrap(), row.config, "{json}");
    }
    let json = r#"{"method": "lora", "rank": 8, "targets": "all-linear", "bias": "adapted"}"#;
    let config: AdapterConfig = serde_json::from_str(json).unwrap();
    assert_eq!(config, AdapterConfig::lora(8).targets(Targets::ALL_LINEAR).bias(Bias::Adapted));
    for unknown in [
        r#"{"method": "lora", "rank": 8, "targets": ["query"], "rnak": 3}"#,
        r#"{"method": "vera", "rank": 8, "targets": ["query"], "alpha": 3}"#,
        r#"{"method": "boft", "rank": 8, "targets": ["query"]}"#,
        r#"{"rank": 8, "targets": ["query"]}"#,
    ] {
        assert!(serde_json::from_str::<AdapterConfig>(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn vera_shares_one_pair_among_all_layers() {
    let device = Device::default();
    let config = AdapterConfig::new(Vera::new(7)).targets(["query", "output"]);
    let model = config.attach(Model::new(&device), 3).unwrap();
    let table = inspect(&model, &Naming::BURN);
    // A is 7 × 29 for the largest input, and B is 29 × 7 for the largest output.
    let own = 13 * 29 + 29 + 29 * 17 + 17 * 3 + 3;
    assert_eq!(table.total(), own + 2 * 7 * 29 + 7 + 7 + 29 + 17);
    let of = |layer: &AdaptedLinear| match layer.weight.reparameterization::<Adapter>() {
        Some(Adapter::VeraScales(scales)) => (scales.a.val().into_data(), scales.b.val().into_data()),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(&model.query), of(&model.output));
}

#[test]
fn dora_applies_dropout_only_to_the_update() {
    let device = Device::default().autodiff();
    let lora = Lora::new(5).b(Factor::trained(Init::Kaiming));
    let config = |dropout| AdapterConfig::new(Dora(lora.clone().dropout(dropout))).targets(["query"]);
    let model = config(0.5).attach(Model::new(&device), 3).unwrap();
    let still = config(0.0).attach(Model::new(&device), 3).unwrap();
    let once = logits(&model);
    assert_ne!(once, logits(&model), "each pass has another mask");
    close("valid", &logits(&model.valid()), &logits(&still));
    // If B is 0, DoRA adds nothing, so dropout has no effect.
    let zero = AdapterConfig::new(Dora(Lora::new(5).dropout(0.5))).targets(["query"]);
    close("start", &logits(&zero.attach(Model::new(&device), 3).unwrap()), &logits(&Model::new(&device)));
    // The mean over many masks is the output without dropout.
    let weight = |model: &Model| model.query.forward(input(&device)).inner();
    let mean = (0..4000).map(|_| weight(&model)).reduce(|sum, next| sum + next).unwrap() / 4000.0;
    let largest: f32 = (mean - weight(&still)).abs().max().into_scalar();
    assert!(largest < 0.05, "{largest}");
}

#[test]
fn the_bias_setting_selects_the_trained_biases() {
    let device = Device::default().autodiff();
    let trained = |bias| {
        let config = AdapterConfig::b_only(3).targets(["query", "output"]).bias(bias);
        gradients(&moved(config.attach(Model::new(&device), 3).unwrap()))
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let factors = ["query.lora_B.weight", "output.lora_B.weight"];
    assert_eq!(trained(Bias::None), names(&factors));
    assert_eq!(trained(Bias::Adapted), names(&[&factors[..], &["query.bias"]].concat()));
    assert_eq!(trained(Bias::All), names(&[&factors[..], &["query.bias", "classifier.bias"]].concat()));
}

#[test]
fn unsupported_settings_are_rejected() {
    let device = Device::default();
    let attach = |config: AdapterConfig| config.targets(["query"]).attach(Model::new(&device), 0).unwrap_err();
    let setting = |config, name| {
        let error = attach(config);
        assert!(matches!(error, AdapterError::Setting { field, .. } if field == name), "{error}");
    };
    setting(AdapterConfig::new(AdaLora::new(0, 1)), "initial_rank");
    setting(AdapterConfig::new(AdaLora::new(4, 5)), "target_rank");
    setting(AdapterConfig::new(AdaLora::new(4, 2).schedule(3, 0, 3)), "interval");
    setting(AdapterConfig::new(AdaLora::new(4, 2).schedule(3, 1, 7).total_steps(10)), "total_steps");
    setting(AdapterConfig::new(Vera::new(0)), "rank");
    setting(AdapterConfig::new(Vera::new(4).dropout(1.0)), "dropout");
    setting(AdapterConfig::new(Vera::new(1 << 17)), "rank");
    for (config, name) in [
        (AdapterConfig::new(Lora::new(2).rank_of("quary", 3)), "rank_pattern"),
        (AdapterConfig::new(Dora(Lora::new(2).alpha_of("output", 3.0))), "alpha_pattern"),
        (AdapterConfig::new(Ia3::new(["outputt"])), "feedforward"),
        (AdapterConfig::new(Ia3::new(Targets::ALL_LINEAR)), "feedforward"),
    ] {
        let error = attach(config);
        assert!(matches!(error, AdapterError::NoMatch { field, .. } if field == name), "{error}");
    }
    assert!(matches!(attach(AdapterConfig::new(AdaLora::new(14, 2))), AdapterError::Rank { rank: 14, .. }));
    assert!(matches!(attach(AdapterConfig::new(Lora::new(2).rank_of("que(", 3))), AdapterError::Pattern { .. }));
    assert!(matches!(attach(AdapterConfig::new(Ia3::new("(")).bias(Bias::None)), AdapterError::Pattern { .. }));
    let biased = attach(AdapterConfig::new(Ia3::new([])).bias(Bias::All));
    assert!(matches!(biased, AdapterError::Conflict { field: "bias", .. }), "{biased}");

    // In layers that compose their weight, the adapter has no access to the input and the bias.
    let dense = Dense::from(Model::new(&device));
    let error = AdapterConfig::new(Ia3::new([])).targets(["query"]).attach(dense.clone(), 0).unwrap_err();
    assert!(matches!(error, AdapterError::BiasOnDense { .. }), "{error}");
    let dropped = AdapterConfig::new(Vera::new(4).dropout(0.1)).targets(["query"]).attach(dense, 0).unwrap_err();
    assert!(matches!(dropped, AdapterError::DropoutOnDense { .. }), "{dropped}");

    let all = || AdapterConfig::lora(2).targets(Targets::ALL_LINEAR);
    let nothing = all().exclude([".*"]).exclude(".*").attach(Model::new(&device), 0).unwrap_err();
    assert!(matches!(nothing, AdapterError::NothingLeft { field: "exclude", targets: 3, .. }), "{nothing}");
    let nothing = all().layers([0]).attach(Model::new(&device), 0).unwrap_err();
    assert!(matches!(nothing, AdapterError::NothingLeft { field: "layers", .. }), "{nothing}");
    let conflict = AdapterConfig::lora(2).targets("quer.*").layers([0]).attach(Model::new(&device), 0).unwrap_err();
    assert!(matches!(conflict, AdapterError::Conflict { field: "layers", .. }), "{conflict}");
}

#[test]
fn exclusions_and_layers_filter_the_targets() {
    #[derive(Module, Debug)]
    struct Deep {
        encoder: Stack,
    }
    #[derive(Module, Debug)]
    struct Stack {
        layer: Vec<Model>,
    }
    let device = Device::default();
    let deep = || Deep { encoder: Stack { layer: (0..3).map(|_| Model::new(&device)).collect() } };
    let adapted = |config: AdapterConfig| -> Vec<String> {
        let model = config.attach(deep(), 0).unwrap();
        let entries = layout::entries(&model, &Naming::BURN).into_iter();
        let b = entries.filter(|entry| entry.kind == Kind::Adapter && entry.name.ends_with("lora_B.weight"));
        b.map(|entry| entry.module().trim_start_matches("encoder.layer.").to_string()).collect()
    };
    let lora = || AdapterConfig::lora(2).targets(["query", "output"]);
    assert_eq!(adapted(lora().layers([0, 2])), ["0.query", "0.output", "2.query", "2.output"]);
    assert_eq!(adapted(lora().exclude(["0.query", "output"])), ["1.query", "2.query"]);
    assert_eq!(adapted(lora().exclude(r"encoder\.layer\.[02]\..*")), ["1.query", "1.output"]);
    let mut by_list = lora().layers([1]);
    by_list.layers.as_mut().unwrap().lists = vec!["layer".into()];
    assert_eq!(adapted(by_list.clone()), ["1.query", "1.output"]);
    by_list.layers.as_mut().unwrap().lists = vec!["block".into()];
    assert!(matches!(by_list.attach(deep(), 0), Err(AdapterError::NothingLeft { field: "layers", .. })));
}
