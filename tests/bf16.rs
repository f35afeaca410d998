//! Frozen weights in bf16: each method is compared with the same weights in f32, forward and backward, on the machine's fastest
//! kernel.
//!
//! `ASYM_BF16_KERNEL=f32 cargo test --release --test bf16` tests another kernel; the other values are `amx` and `avx512`.
#![allow(clippy::unwrap_used, missing_docs)]
// The kernels are for the CPU.
#![cfg(feature = "flex")]

use std::collections::BTreeMap;

use asym::core::{
    AdaLora, AdapterConfig, AdapterError, Dora, Factor, Ia3, Init, Lora, Method, Targets, Vera, layout, merge,
};
use asym::kernels::Bf16Kernel;
use asym::models::{EncoderConfig, EncoderInput, Family, PretrainedModel, SequenceClassifier};
use asym::train::{Dtype, TrainError, TrainSettings, Tuning};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, FloatDType, Gradients, Int, Tensor, TensorData};

const BATCH: usize = 3;
const LENGTH: usize = 11;

/// The maximum error of the logits, relative to the largest value.
fn tolerance() -> f32 {
    match Bf16Kernel::get() {
        // x is rounded, with a relative error of at most 2⁻⁹.
        Bf16Kernel::Amx | Bf16Kernel::Avx512 => 4e-3,
        // The weights are the same in both models. Only the order of the sums in f32 differs.
        Bf16Kernel::F32 => 1e-5,
    }
}

fn base(device: &Device) -> SequenceClassifier {
    let mut config = EncoderConfig::new(Family::Roberta, 90, 64, 2);
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
    SequenceClassifier::init(&config, 3, device).unwrap()
}

fn input(device: &Device) -> EncoderInput {
    let ids: Vec<i64> = (0..BATCH * LENGTH).map(|i| 5 + (i * 7 % 80) as i64).collect();
    let input_ids: Tensor<2, Int> = Tensor::from_data(TensorData::new(ids, [BATCH, LENGTH]), device);
    EncoderInput { input_ids, attention_mask: None, token_type_ids: None }
}

/// Each kind of layer with each method that can adapt it. Where the method allows it, B is not initialized with zeros, so that
/// A has a gradient.
fn methods() -> Vec<(&'static str, AdapterConfig)> {
    let lora = || Lora::new(4).b(Factor::trained(Init::Orthonormal));
    let on = |method: Method| AdapterConfig::new(method).targets(["query", "value", "dense"]);
    vec![
        ("LoRA", on(lora().into())),
        ("B only", on(Lora::b_only(4).into())),
        ("DoRA", on(Dora(lora()).into())),
        ("AdaLoRA", on(AdaLora::new(6, 4).into())),
        ("VeRA", on(Vera::new(16).into())),
        ("(IA)³", AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS)),
        ("LoRA on an embedding", AdapterConfig::new(lora()).targets(["word_embeddings", "query"])),
        ("LoRA on all linear layers", AdapterConfig::new(lora()).targets(Targets::ALL_LINEAR)),
    ]
}

/// The model with a trained head and rounded frozen weights, which are stored in f32 first and in bf16 second.
fn pair(config: &AdapterConfig, device: &Device) -> [SequenceClassifier; 2] {
    let plain = base(device);
    let naming = plain.naming();
    let adapted = config.clone().modules_to_save(["classifier"]).attach_named(plain, 1, &naming).unwrap();
    let rounded = layout::round(adapted);
    [layout::cast(rounded.clone(), FloatDType::F32), rounded]
}

/// The dtypes of the trained parameters, and those of the frozen weights of linear layers.
fn dtypes(model: &SequenceClassifier) -> [Vec<DType>; 2] {
    struct Dtypes([Vec<DType>; 2]);
    impl ModuleVisitor for Dtypes {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (base, kind) = (param.base(), usize::from(!param.is_require_grad()));
            if kind == 0 || D == 2 && base.dims()[0] >= 64 {
                self.0[kind].push(base.dtype());
            }
        }
    }
    let mut found = Dtypes([Vec::new(), Vec::new()]);
    model.visit(&mut found);
    found.0
}

/// The gradients of the trained parameters, by the index of the parameter.
fn gradients(model: &SequenceClassifier, gradients: &Gradients) -> BTreeMap<usize, Vec<f32>> {
    struct Found<'a>(&'a Gradients, BTreeMap<usize, Vec<f32>>, usize);
    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.base().grad(self.0) {
                self.1.insert(self.2, gradient.into_data().iter::<f32>().collect());
            }
            self.2 += 1;
        }
    }
    let mut found = Found(gradients, BTreeMap::new(), 0);
    model.visit(&mut found);
    found.1
}

/// The largest difference, divided by the largest reference value.
fn error(values: &[f32], reference: &[f32]) -> f32 {
    assert_eq!(values.len(), reference.len());
    let largest = reference.iter().fold(1e-20f32, |largest, value| largest.max(value.abs()));
    values.iter().zip(reference).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / largest
}

#[test]
fn methods_with_bf16_weights_match_f32() {
    let device = Device::flex().autodiff();
    for (name, config) in methods() {
        let models = pair(&config, &device);
        let [trained, frozen] = dtypes(&models[1]);
        assert!(!trained.is_empty() && trained.iter().all(|dtype| *dtype == DType::F32), "{name}: {trained:?}");
        assert!(frozen.contains(&DType::BF16), "{name}: {frozen:?}");
        let [(plain, of_plain), (rounded, of_rounded)] = models.each_ref().map(|model| {
            let logits = model.forward(input(&device));
            assert_eq!(logits.dtype(), DType::F32);
            let backward = logits.clone().powi_scalar(2).sum().backward();
            (logits.into_data().iter::<f32>().collect::<Vec<_>>(), gradients(model, &backward))
        });
        let logits = error(&rounded, &plain);
        assert!(logits <= tolerance(), "{name}: logits are off by {logits}");
        assert_eq!(of_plain.keys().collect::<Vec<_>>(), of_rounded.keys().collect::<Vec<_>>(), "{name}");
        let errors = of_plain.iter().map(|(at, plain)| error(&of_rounded[at], plain));
        let gradient = errors.fold(0.0f32, f32::max);
        println!("{name}: logits are off by {logits:.1e} of the largest, gradients by {gradient:.1e}");
        // This includes the errors of both passes and of activations, which are kept in bf16 with every kernel.
        assert!(gradient <= 1.6e-2, "{name}: a gradient is off by {gradient}");
    }
}

#[test]
fn a_merged_weight_keeps_its_dtype() {
    let device = Device::flex().autodiff();
    for (name, config) in methods() {
        let [plain, rounded] = pair(&config, &device).map(merge);
        let [_, frozen] = dtypes(&rounded);
        assert!(frozen.contains(&DType::BF16), "{name}: {frozen:?}");
        let [plain, rounded] =
            [plain, rounded].map(|model| model.forward(input(&device)).into_data().iter::<f32>().collect::<Vec<_>>());
        // The merged weights are rounded on every machine.
        let logits = error(&rounded, &plain);
        assert!(logits <= 0.05, "{name}: logits are off by {logits}");
    }
}

/// A weight that is fully trained is in f32, regardless of the dtype in which it was loaded.
#[test]
fn trained_modules_are_converted_to_f32() {
    let device = Device::flex().autodiff();
    let mut model = layout::round(base(&device).no_grad());
    let naming = model.naming();
    model = AdapterConfig::b_only(4)
        .targets(["query"])
        .modules_to_save(["classifier", "word_embeddings"])
        .attach_named(model, 1, &naming)
        .unwrap();
    let [trained, frozen] = dtypes(&model);
    assert!(trained.iter().all(|dtype| *dtype == DType::F32), "{trained:?}");
    assert!(frozen.contains(&DType::BF16));
    let backward = model.forward(input(&device)).powi_scalar(2).sum().backward();
    assert_eq!(gradients(&model, &backward).len(), trained.len());
}

#[test]
fn bf16_is_rejected_without_frozen_weights() {
    let settings = TrainSettings { dtype: Dtype::Bf16, ..TrainSettings::default() };
    let error = settings.validate(&Tuning::Full).unwrap_err();
    assert!(matches!(&error, TrainError::Adapter(AdapterError::Conflict { field: "dtype", .. })), "{error}");
    assert!(error.to_string().contains("full fine-tuning"), "{error}");
    assert!(settings.validate(&Tuning::Head).is_ok());
    assert!(settings.validate(&Tuning::Adapter(AdapterConfig::b_only(8))).is_ok());
}

#[test]
fn a_rewritten_weight_keeps_its_dtype() {
    let device = Device::flex().autodiff();
    let model = layout::round(base(&device).no_grad());
    let before = dtypes(&model);
    assert!(before[1].contains(&DType::BF16));
    let naming = model.naming();
    let model = layout::rewrite(model, &naming, |_| true, |_, values| Some(values));
    assert_eq!(dtypes(&model), before);
}
