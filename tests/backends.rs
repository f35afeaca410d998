//! Results that must be the same on every backend. The compiled-in backend is compared with the CPU in f32.
//!
//! ```text
//! cargo test --no-default-features --features flex,wgpu --test backends
//! ```
//!
//! needs a Vulkan driver. Without a GPU, Mesa's lavapipe can be used. With the default features, the CPU is compared with itself.
//! The tests of dropout, merging, files, GELU and half precision against f64 are meaningful there too.
#![allow(clippy::unwrap_used, missing_docs)]

use asym::core::{
    AdaLora, AdaptedLinear, AdapterConfig, Dora, Ia3, Init, Lora, Method, Naming, SaveOptions, Vera, load_adapter,
    merge, observe_inputs, save_adapter,
};
use asym::models::Family as EncoderFamily;
use asym::models::bart::Stack;
use asym::models::generation::GenerationConfig;
use asym::models::{
    BartConfig, BartInput, BartLanguageModel, Checkpoint, EncoderConfig, EncoderInput, GenerativeModel, LlamaConfig,
    LlamaInput, LlamaLanguageModel, PretrainedModel, SequenceClassifier, VitClassifier, VitConfig, VitInput,
    generate_batch,
};
use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{DropoutConfig, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

mod common;
use common::{difference, scratch};

/// The device under test. It is printed, so that the output shows where the suite ran.
fn device() -> Device {
    let device = asym::device::default_device().unwrap();
    println!("device: {device:?}");
    device.autodiff()
}

fn cpu() -> Device {
    Device::flex().autodiff()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Numbers of both signs without a pattern.
fn wave(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|i| (0.7 * i as f32 + phase + (i * i % 17) as f32).sin()).collect()
}

fn tensor<const D: usize>(shape: [usize; D], phase: f32, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(wave(shape.iter().product(), phase), shape), device)
}

/// Assert that the largest error is below `limit` times the largest reference value.
fn agree(name: &str, ours: &[f32], reference: &[f32], limit: f32) {
    let largest = reference.iter().fold(1e-20f32, |largest, value| largest.max(value.abs()));
    let error = difference(ours, reference) / largest;
    assert!(ours.len() == reference.len() && error < limit, "{name}: {error:e}");
}

#[derive(Module, Debug)]
struct Layer {
    layer: AdaptedLinear,
}

const SHAPE: [usize; 3] = [3, 11, 20];
const OUTPUTS: usize = 14;

impl Layer {
    fn new(device: &Device) -> Self {
        let mut layer = AdaptedLinear::from(LinearConfig::new(SHAPE[2], OUTPUTS).init(device));
        layer.weight = Param::from_tensor(tensor([SHAPE[2], OUTPUTS], 0.3, device));
        layer.bias = Some(Param::from_tensor(tensor([OUTPUTS], 0.9, device)));
        Self { layer }
    }

    /// The layer with an adapter whose values are changed, so that B is not zero and A has an effect.
    fn adapted(method: &Method, device: &Device) -> Self {
        let config = AdapterConfig::new(method.clone()).targets(["layer"]);
        let model = config.attach(Self::new(device), 3).unwrap();
        asym::core::layout::rewrite(
            model,
            &Naming::BURN,
            |entry| entry.kind == asym::core::layout::Kind::Adapter,
            |_, values| {
                Some(values.iter().zip(wave(values.len(), 0.2)).map(|(value, wave)| value + 0.2 * wave).collect())
            },
        )
    }
}

fn methods() -> Vec<(&'static str, Method)> {
    vec![
        ("lora", Lora::new(4).into()),
        ("b-only", Lora::b_only(4).into()),
        ("a-only", Lora::a_only(4).into()),
        ("dora", Dora(Lora::new(4)).into()),
        ("adalora", AdaLora::new(4, 2).into()),
        ("vera", Vera::new(6).into()),
        ("ia3", Ia3::new([]).into()),
    ]
}

/// The output, the gradient of the input, and the gradients of all trained parameters.
fn pass(model: &Layer, device: &Device) -> Vec<Vec<f32>> {
    let input = tensor(SHAPE, 0.5, device).require_grad();
    let output = model.layer.forward(input.clone());
    let gradients = (output.clone() * tensor(output.dims(), 1.7, device)).sum().backward();
    let mut all = vec![floats(output), floats(input.grad(&gradients).unwrap())];
    struct Visitor<'a>(&'a burn::tensor::Gradients, &'a mut Vec<Vec<f32>>);
    impl burn::module::ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.base().grad(self.0) {
                self.1.push(floats(gradient));
            }
        }
    }
    model.visit(&mut Visitor(&gradients, &mut all));
    all
}

#[test]
fn adapted_layers_and_gradients_match_the_cpu() {
    for (name, method) in methods() {
        let ours = pass(&Layer::adapted(&method, &device()), &device());
        let reference = pass(&Layer::adapted(&method, &cpu()), &cpu());
        assert_eq!(ours.len(), reference.len(), "{name}");
        assert!(ours.len() > 2, "{name}: no parameter is trained");
        for (index, (ours, reference)) in ours.iter().zip(&reference).enumerate() {
            agree(&format!("{name}, {index}"), ours, reference, 1e-5);
        }
    }
}

#[test]
fn merging_does_not_change_the_output() {
    for (name, method) in methods() {
        let device = device();
        let model = Layer::adapted(&method, &device);
        let input = tensor(SHAPE, 0.5, &device);
        let factored = floats(model.layer.forward(input.clone()));
        agree(name, &floats(merge(model).layer.forward(input)), &factored, 1e-5);
    }
}

#[test]
fn adapter_files_match_the_cpu_and_load() {
    for (name, method) in methods() {
        let config = AdapterConfig::new(method.clone()).targets(["layer"]);
        let written = |device: &Device, side: &str| {
            let folder = scratch(&format!("backends-{name}-{side}"));
            let model = Layer::adapted(&method, device);
            save_adapter(&model, &config, &folder, &SaveOptions::default()).unwrap();
            folder
        };
        let (ours, reference) = (written(&device(), "device"), written(&cpu(), "cpu"));
        let read = |folder: &std::path::Path| common::read(&folder.join("adapter_model.safetensors"));
        for (key, stored) in read(&reference) {
            agree(&format!("{name}, {key}"), &read(&ours)[&key].f32(), &stored.f32(), 1e-6);
        }
        // The CPU's file is loaded on the device.
        let (loaded, _) = load_adapter(Layer::new(&device()), &reference, &Naming::BURN).unwrap();
        let output = floats(loaded.layer.forward(tensor(SHAPE, 0.5, &device())));
        let expected = floats(Layer::adapted(&method, &cpu()).layer.forward(tensor(SHAPE, 0.5, &cpu())));
        agree(name, &output, &expected, 1e-5);
    }
}

#[test]
fn initial_factors_match_the_cpu() {
    for init in [Init::Zero, Init::Orthonormal, Init::Kaiming, Init::Gaussian, Init::SvdV, Init::SvdU] {
        let factors = |device: &Device| {
            let config = AdapterConfig::new(Lora::new(4).a(asym::core::Factor::frozen(init))).targets(["layer"]);
            let model = config.attach(Layer::new(device), 3).unwrap();
            let adapters = |entry: &asym::core::layout::Entry| entry.kind == asym::core::layout::Kind::Adapter;
            asym::core::layout::collect(&model, &Naming::BURN, adapters)
                .into_iter()
                .filter_map(|(_, values)| values)
                .collect::<Vec<_>>()
        };
        assert_eq!(factors(&device()), factors(&cpu()), "{init:?}: drawn on the host");
    }
}

#[test]
fn observed_inputs_match_the_cpu() {
    let moment = |device: &Device| {
        let found = observe_inputs(
            &Layer::new(device),
            &Naming::BURN,
            |_| true,
            |model: &Layer| {
                for phase in [0.5, 1.1] {
                    model.layer.forward(tensor(SHAPE, phase, device));
                }
            },
        );
        let found = &found["layer"];
        assert_eq!(found.rows, 2 * SHAPE[0] * SHAPE[1]);
        let (moment, size) = (found.moment(), SHAPE[2]);
        (0..size).flat_map(|i| moment.row(i)).map(|value| value as f32).collect::<Vec<_>>()
    };
    agree("E[xxᵀ]", &moment(&device()), &moment(&cpu()), 1e-5);
}

#[test]
fn dropout_drops_its_share_in_both_passes() {
    let device = device();
    device.seed(5);
    let dropout = DropoutConfig::new(0.3).init();
    let ones = Tensor::<2>::ones([64, 512], &device).require_grad();
    let output = asym::kernels::dropout(&dropout, ones.clone());
    let gradients = output.clone().sum().backward();
    let (output, gradient) = (floats(output), floats(ones.grad(&gradients).unwrap()));
    assert_eq!(output, gradient, "the mask of the backward pass is that of the forward pass");
    let count = output.len() as f64;
    let kept = output.iter().filter(|value| **value > 0.0).count() as f64 / count;
    // Four standard deviations of a binomial fraction, since the random number generators differ between Burn's backends.
    assert!((kept - 0.7).abs() < 4.0 * (0.21 / count).sqrt(), "{kept}");
    assert!(output.iter().all(|value| *value == 0.0 || (value - 1.0 / 0.7).abs() < 1e-5));
    // Dropout has no effect outside of training.
    let plain = asym::kernels::dropout(&dropout, Tensor::<2>::ones([4, 4], &device.clone().inner()));
    assert_eq!(floats(plain), [1.0; 16]);
}

#[test]
fn the_gradient_of_gelu_is_exact() {
    let points: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.0125).collect();
    let input = Tensor::<1>::from_floats(points.as_slice(), &device()).require_grad();
    let output = asym::kernels::gelu(input.clone(), asym::kernels::Kept::Exact);
    let gradients = output.clone().sum().backward();
    let (output, gradient) = (floats(output), floats(input.grad(&gradients).unwrap()));
    // Φ(x) by Simpson's rule over its density, in f64.
    let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let cdf = |x: f64| {
        let step = x / 1000.0;
        let weight = |i: usize| if i == 0 || i == 1000 { 1.0 } else { [2.0, 4.0][i % 2] };
        0.5 + (0..=1000).map(|i| weight(i) * density(i as f64 * step)).sum::<f64>() * step / 3.0
    };
    for ((point, output), gradient) in points.iter().zip(output).zip(gradient) {
        let x = f64::from(*point);
        assert!((f64::from(output) - x * cdf(x)).abs() < 2e-6, "gelu({x}) = {output}");
        // The derivative of the tanh approximation has an error of up to 1e-3.
        assert!((f64::from(gradient) - cdf(x) - x * density(x)).abs() < 2e-6, "gelu'({x}) = {gradient}");
    }
}

/// A RoBERTa or BERT with two small blocks.
fn encoder(family: EncoderFamily, device: &Device) -> SequenceClassifier {
    let mut config = EncoderConfig::new(family, 60, 24, 2);
    (config.num_attention_heads, config.intermediate_size) = (3, 40);
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
    SequenceClassifier::init(&config, 4, device).unwrap()
}

/// The logits, the loss, and the logits after one step of AdamW. A row of the batch is padded.
fn one_step(family: EncoderFamily, method: Option<&Method>, device: &Device) -> [Vec<f32>; 3] {
    let plain = encoder(family, device);
    let naming = plain.naming();
    let mut model = match method {
        Some(method) => {
            let config = AdapterConfig::new(method.clone()).targets(["query", "value"]).modules_to_save(["classifier"]);
            config.attach_named(plain, 4, &naming).unwrap()
        }
        None => plain,
    };
    let ids: Vec<i64> = (0..18).map(|i| 3 + i * 7 % 50).collect();
    let mask: Vec<i64> = (0..18).map(|i| i64::from(i < 14)).collect();
    let input = || EncoderInput {
        input_ids: Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [2, 9]), device),
        attention_mask: Some(Tensor::from_data(TensorData::new(mask.clone(), [2, 9]), device)),
        token_type_ids: None,
    };
    let labels = Tensor::<1, Int>::from_data([0i64, 1].as_slice(), device);
    let logits = model.forward(input());
    let loss = CrossEntropyLossConfig::new().init(device).forward(logits.clone(), labels);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    model = AdamWConfig::new().with_epsilon(1e-3).init().step(1e-2, model, gradients);
    [floats(logits), floats(loss), floats(model.forward(input()))]
}

#[test]
fn one_training_step_of_encoders_matches_the_cpu() {
    for family in [EncoderFamily::Roberta, EncoderFamily::Bert] {
        for method in [None, Some(Lora::b_only(4).into()), Some(Lora::new(4).into())] {
            let ours = one_step(family, method.as_ref(), &device());
            let reference = one_step(family, method.as_ref(), &cpu());
            for (name, (ours, reference)) in ["logits", "loss", "after"].iter().zip(ours.iter().zip(&reference)) {
                agree(&format!("{family:?}, {method:?}: {name}"), ours, reference, 1e-4);
            }
            assert!(difference(&reference[0], &reference[2]) > 1e-4, "the step did not change the model");
        }
    }
}

/// A model with two small blocks, a batch for it, and its logits with one row per label.
trait Family: PretrainedModel {
    fn small() -> Self::Config;
    fn batch(device: &Device) -> Self::Input;
    fn rows(&self, input: Self::Input) -> Tensor<2>;
}

/// Two rows of nine tokens.
fn ids(device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i64> = (0..18).map(|i| 3 + i * 7 % 50).collect();
    Tensor::from_data(TensorData::new(ids, [2, 9]), device)
}

/// The second row begins with padding.
fn left_padded(device: &Device) -> Tensor<2, Int> {
    let mask: Vec<i64> = (0..18).map(|i| i64::from(!(9..12).contains(&i))).collect();
    Tensor::from_data(TensorData::new(mask, [2, 9]), device)
}

impl Family for VitClassifier {
    fn small() -> VitConfig {
        VitConfig {
            hidden_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 3,
            intermediate_size: 40,
            image_size: [16; 2],
            patch_size: [4; 2],
            ..VitConfig::default()
        }
    }
    fn batch(device: &Device) -> VitInput {
        // The image has another size than the configuration, so positions are interpolated.
        VitInput { pixel_values: tensor([2, 3, 20, 12], 0.4, device) }
    }
    fn rows(&self, input: VitInput) -> Tensor<2> {
        self.forward(input)
    }
}

impl Family for LlamaLanguageModel {
    fn small() -> LlamaConfig {
        let config = LlamaConfig::new(60, 24, 2, 6);
        // Two query heads share one head of keys and values.
        LlamaConfig { num_key_value_heads: 3, intermediate_size: 40, max_position_embeddings: 32, ..config }
    }
    fn batch(device: &Device) -> LlamaInput {
        LlamaInput { input_ids: ids(device), attention_mask: Some(left_padded(device)) }
    }
    fn rows(&self, input: LlamaInput) -> Tensor<2> {
        self.forward(input).flatten(0, 1)
    }
}

impl Family for BartLanguageModel {
    fn small() -> BartConfig {
        let stack = Stack { layers: 2, heads: 3, ffn_dim: 40 };
        let config = BartConfig::new(60, 24, 2);
        BartConfig { encoder: stack, decoder: stack, dropout: 0.0, scale_embedding: true, ..config }
    }
    fn batch(device: &Device) -> BartInput {
        BartInput {
            input_ids: ids(device),
            attention_mask: Some(left_padded(device)),
            decoder_input_ids: Some(ids(device)),
            decoder_attention_mask: None,
        }
    }
    fn rows(&self, input: BartInput) -> Tensor<2> {
        self.forward(input).flatten(0, 1)
    }
}

/// Like [`one_step`].
fn family_step<M: Family>(device: &Device) -> [Vec<f32>; 3] {
    let plain = M::init(&M::small(), 4, device).unwrap();
    let naming = plain.naming();
    let config = AdapterConfig::new(Lora::b_only(4)).targets(["q_proj", "v_proj"]);
    let mut model = config.attach_named(plain, 4, &naming).unwrap();
    let logits = model.rows(M::batch(device));
    let [rows, classes] = logits.dims();
    let labels: Vec<i64> = (0..rows).map(|row| (row * 7 % classes) as i64).collect();
    let labels = Tensor::<1, Int>::from_data(labels.as_slice(), device);
    let loss = CrossEntropyLossConfig::new().init(device).forward(logits.clone(), labels);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    model = AdamWConfig::new().with_epsilon(1e-3).init().step(1e-1, model, gradients);
    [floats(logits), floats(loss), floats(model.rows(M::batch(device)))]
}

fn family<M: Family>(name: &str) {
    let (ours, reference) = (family_step::<M>(&device()), family_step::<M>(&cpu()));
    for (what, (ours, reference)) in ["logits", "loss", "after"].iter().zip(ours.iter().zip(&reference)) {
        agree(&format!("{name}: {what}"), ours, reference, 1e-4);
    }
    assert!(difference(&reference[0], &reference[2]) > 1e-4, "{name}: the step did not change the model");
}

#[test]
fn one_training_step_of_vit_llama_and_bart_matches_the_cpu() {
    family::<VitClassifier>("ViT");
    family::<LlamaLanguageModel>("Llama");
    family::<BartLanguageModel>("BART");
}

fn continued<M: Family + GenerativeModel>(settings: &str, device: &Device) -> Vec<i64> {
    // The weights are large, so that the logits of tokens differ by more than rounding errors.
    let plain = M::init(&M::small(), 4, device).unwrap();
    let naming = plain.naming();
    let model = asym::core::layout::rewrite(
        plain,
        &naming,
        |entry| entry.shape.len() == 2,
        |_, values| Some(values.iter().map(|value| value * 12.0).collect()),
    );
    let config = GenerationConfig::strict(settings).unwrap();
    let sequences = generate_batch(&model.valid(), &M::batch(&device.clone().inner()), &config, 0, |_, _| ());
    sequences.unwrap().to_data().iter::<i64>().collect()
}

#[test]
fn generated_tokens_match_the_cpu() {
    for settings in [
        r#"{"max_new_tokens": 6, "eos_token_id": 2, "pad_token_id": 1}"#,
        r#"{"max_new_tokens": 6, "num_beams": 3, "eos_token_id": 2, "pad_token_id": 1}"#,
    ] {
        let llama = |device: &Device| continued::<LlamaLanguageModel>(settings, device);
        assert_eq!(llama(&device()), llama(&cpu()), "Llama {settings}");
        let bart = |device: &Device| continued::<BartLanguageModel>(settings, device);
        assert_eq!(bart(&device()), bart(&cpu()), "BART {settings}");
    }
}

/// A model runs in half precision if the device supports it. Otherwise, the error says what to use.
#[test]
fn models_run_in_half_precision_if_supported() {
    let folder = common::fixture("llama");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let device = device().inner();
    let exact = checkpoint.load::<LlamaLanguageModel>(None, 0, &device).unwrap().model;
    let input: LlamaInput = asym::models::read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let exact: Vec<f32> = exact.logits(input.clone()).iter::<f32>().collect();
    for (dtype, float, limit) in [(DType::F16, FloatDType::F16, 0.02), (DType::BF16, FloatDType::BF16, 0.15)] {
        match checkpoint.load_as::<LlamaLanguageModel>(None, 0, float, &device) {
            Ok(loaded) => {
                let logits = loaded.model.logits(input.clone());
                // With weights in bf16, the activations and the head are in f32.
                assert_eq!(logits.dtype(), if dtype == DType::BF16 { DType::F32 } else { dtype });
                agree(&format!("{dtype:?}"), &logits.iter::<f32>().collect::<Vec<_>>(), &exact, limit);
            }
            Err(error) => {
                assert!(!device.supports_dtype(dtype), "{error}");
                assert!(error.to_string().contains("use f32"), "{error}");
                println!("{error}");
            }
        }
    }
}

/// The error against f64 on the CPU is as small as the rounding of 16-bit numbers allows.
#[test]
fn half_precision_is_accurate_if_supported() {
    for (dtype, cast, unit) in
        [(DType::F16, FloatDType::F16, 1.0 / 1024.0), (DType::BF16, FloatDType::BF16, 1.0 / 128.0)]
    {
        let device = device();
        if !device.supports_dtype(dtype) {
            eprintln!("SKIPPED: {device:?} has no {dtype:?}");
            continue;
        }
        let forward = |cast: FloatDType, device: &Device| {
            let model = Layer::adapted(&Lora::b_only(4).into(), device);
            let weight = model.layer.weight.val().cast(FloatDType::F32);
            let input = tensor(SHAPE, 0.5, device).cast(cast);
            let output = asym::kernels::linear(input, weight.cast(cast), None);
            floats(asym::kernels::gelu(output, asym::kernels::Kept::Exact).cast(FloatDType::F32))
        };
        let (ours, exact) = (forward(cast, &device), forward(FloatDType::F64, &cpu()));
        // Inputs, weights, results and the sums of 20 products are rounded.
        agree(&format!("{dtype:?}"), &ours, &exact, 4.0 * unit);
        let largest = exact.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        println!("{dtype:?}: error {:e} of the largest value", difference(&ours, &exact) / largest);
    }
}
