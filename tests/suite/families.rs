//! Adapters on ViT, Llama and BART: only trained parameters change, files are compatible with PEFT, and text is generated.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym::core::layout::{self, Entry, Kind};
use asym::core::{AdapterConfig, Lora, SaveOptions, Targets, load_adapter, merge, save_adapter};
use asym::models::generation::GenerationConfig;
use asym::models::{
    BartClassifier, BartInput, BartLanguageModel, Checkpoint, GenerativeModel, LlamaInput, LlamaLanguageModel,
    PretrainedModel, VitClassifier, VitInput, generate_batch, read_inputs,
};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::common::{copy, difference, edit_json, fixture, scratch};

/// A model in a fixture, with logits for a loss.
trait Family: PretrainedModel {
    const FIXTURE: &'static str;
    /// The target names for queries and values.
    const QUERY_VALUE: [&'static str; 2];
    /// The number of linear layers that `all-linear` selects.
    const LINEAR: usize;

    fn rows(&self, input: Self::Input) -> Tensor<2>;
}

impl Family for VitClassifier {
    const FIXTURE: &'static str = "vit";
    const QUERY_VALUE: [&'static str; 2] = ["q_proj", "v_proj"];
    const LINEAR: usize = 2 * 6;

    fn rows(&self, input: VitInput) -> Tensor<2> {
        self.forward(input)
    }
}

impl Family for LlamaLanguageModel {
    const FIXTURE: &'static str = "llama";
    const QUERY_VALUE: [&'static str; 2] = ["q_proj", "v_proj"];
    const LINEAR: usize = 2 * 7;

    fn rows(&self, input: LlamaInput) -> Tensor<2> {
        self.forward(input).flatten(0, 1)
    }
}

impl Family for BartLanguageModel {
    const FIXTURE: &'static str = "bart";
    const QUERY_VALUE: [&'static str; 2] = ["q_proj", "v_proj"];
    const LINEAR: usize = 2 * 6 + 10;

    fn rows(&self, input: BartInput) -> Tensor<2> {
        self.forward(input).flatten(0, 1)
    }
}

impl Family for BartClassifier {
    const FIXTURE: &'static str = "bart-classifier";
    const QUERY_VALUE: [&'static str; 2] = ["q_proj", "v_proj"];
    const LINEAR: usize = 6 + 10;

    fn rows(&self, input: BartInput) -> Tensor<2> {
        self.forward(input)
    }
}

fn load<M: Family>(device: &Device) -> (M, M::Input) {
    load_from(&fixture(M::FIXTURE), device)
}

fn load_from<M: Family>(folder: &Path, device: &Device) -> (M, M::Input) {
    let loaded = Checkpoint::open(folder).unwrap().load::<M>(None, 0, device).unwrap();
    assert!(loaded.initialized.is_empty(), "{:?}", loaded.initialized);
    (loaded.model, read_inputs(folder.join("inputs.safetensors"), device).unwrap())
}

/// All parameters of a model, with their values.
fn values<M: PretrainedModel>(model: &M) -> Vec<(Entry, Vec<f32>)> {
    let all = layout::collect(model, &model.naming(), |_| true);
    all.into_iter().map(|(entry, values)| (entry, values.unwrap())).collect()
}

fn adapters<M: PretrainedModel>(model: &M) -> usize {
    let entries = layout::entries(model, &model.naming());
    entries.iter().filter(|entry| entry.field() == "lora_A.weight").count()
}

/// The configuration that also trains and saves the task head, if the model has one.
fn saving(mut config: AdapterConfig, head: &[&str]) -> AdapterConfig {
    config.modules_to_save = head.iter().map(ToString::to_string).collect();
    config
}

/// Train B and the head for some steps. The loss falls, and only these parameters change.
fn trains<M: Family>() {
    let device = Device::default().autodiff();
    // Without dropout, the loss falls reliably in few steps.
    let folder = copy(&fixture(M::FIXTURE), &format!("families-{}", M::FIXTURE));
    edit_json(&folder.join("config.json"), |config| {
        config.iter_mut().filter(|(key, _)| key.contains("dropout")).for_each(|(_, value)| *value = 0.0.into());
    });
    let (plain, input): (M, M::Input) = load_from(&folder, &device);
    let naming = plain.naming();
    let head = M::keys(plain.config()).task_head;
    let all_linear = || AdapterConfig::new(Lora::b_only(3)).targets(Targets::ALL_LINEAR);
    let query_value = || AdapterConfig::new(Lora::b_only(3)).targets(M::QUERY_VALUE);
    for (name, config) in [("q/v", query_value()), ("all-linear", all_linear())] {
        let what = format!("{} {name}", M::FIXTURE);
        let mut model = saving(config, head).attach_named(plain.clone(), 5, &naming).unwrap();
        if name == "all-linear" {
            assert_eq!(adapters(&model), M::LINEAR, "{what}");
        }
        let before = values(&model);
        let mut optimizer = AdamWConfig::new().init();
        let loss = |logits: Tensor<2>| {
            let ([rows, classes], device) = (logits.dims(), logits.device());
            let labels: Vec<i64> = (0..rows).map(|row| (row * 7 % classes) as i64).collect();
            let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &device);
            CrossEntropyLossConfig::new().init(&device).forward(logits, labels)
        };
        let measured = |model: &M| loss(model.valid().rows(input.clone())).into_scalar::<f32>();
        let start = measured(&model);
        for _ in 0..20 {
            let gradients = GradientsParams::from_grads(loss(model.rows(input.clone())).backward(), &model);
            model = optimizer.step(3e-3, model, gradients);
        }
        let end = measured(&model);
        assert!(end < start - 0.02, "{what}: {start} and then {end}");
        for ((entry, before), (_, after)) in before.iter().zip(values(&model)) {
            let trained =
                entry.field() == "lora_B.weight" || head.iter().any(|head| entry.name.starts_with(&format!("{head}.")));
            assert_eq!(difference(before, &after) > 0.0, trained, "{what}: {}", entry.name);
        }
        // The merged model computes the same logits, on the device without autodiff.
        let logits = model.valid().logits(input.clone());
        let merged = merge(model).valid().logits(input.clone());
        let largest = difference(&floats(&merged), &floats(&logits));
        assert!(largest < 1e-4, "{what}: merged differs by {largest}");
    }
}

fn floats(data: &TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}

#[test]
fn only_b_and_the_head_are_trained() {
    trains::<VitClassifier>();
    trains::<LlamaLanguageModel>();
    trains::<BartLanguageModel>();
    trains::<BartClassifier>();
}

/// A saved adapter loads with the same logits. If `ASYM_EXPORT` is set, the adapters are saved there for
/// `tests/python/check_peft.py`.
fn round_trip<M: Family>(task_type: &str) {
    let export = std::env::var_os("ASYM_EXPORT").map_or_else(|| scratch("families-export"), PathBuf::from);
    let device = Device::default();
    let (plain, input) = load::<M>(&device);
    let naming = plain.naming();
    let base = fixture(M::FIXTURE);
    let head = M::keys(plain.config()).task_head;
    for (name, targets) in [("qv", Targets::from(M::QUERY_VALUE)), ("all", Targets::from(Targets::ALL_LINEAR))] {
        let what = format!("{}-{name}", M::FIXTURE);
        let config = saving(AdapterConfig::new(Lora::b_only(3).alpha(5.0)).targets(targets), head);
        let model = config.attach_named(plain.clone(), 11, &naming).unwrap();
        let model = layout::rewrite(
            model,
            &naming,
            |entry| entry.kind == Kind::Adapter,
            |entry, values| {
                let moved = |(i, value): (usize, &f32)| value + 0.2 * (i as f32 * 0.7 + entry.name.len() as f32).sin();
                Some(values.iter().enumerate().map(moved).collect())
            },
        );
        let logits = floats(&model.logits(input.clone()));
        assert!(difference(&logits, &floats(&plain.logits(input.clone()))) > 0.02, "{what}: the adapter has no effect");
        let folder = export.join(&what);
        let options = SaveOptions { naming, base_model: base.to_str(), task_type: Some(task_type), seed: Some(11) };
        save_adapter(&model, &config, &folder, &options).unwrap();
        let (again, _) = load_adapter(plain.clone(), &folder, &naming).unwrap();
        let largest = difference(&floats(&again.logits(input.clone())), &logits);
        assert!(largest < 1e-6, "{what}: loaded differs by {largest}");
    }
}

#[test]
fn saved_adapters_load_unchanged() {
    round_trip::<VitClassifier>("SEQ_CLS");
    round_trip::<LlamaLanguageModel>("CAUSAL_LM");
    round_trip::<BartLanguageModel>("SEQ_2_SEQ_LM");
}

/// Settings that change the order or the number of rows: rows that end early, beam search, and several sequences per row.
const SETTINGS: &[&str] = &[
    r#"{"max_new_tokens": 8}"#,
    r#"{"max_new_tokens": 8, "num_beams": 3, "no_repeat_ngram_size": 2}"#,
    r#"{"max_new_tokens": 8, "num_beams": 4, "num_return_sequences": 3, "early_stopping": true, "length_penalty": 0.3}"#,
    r#"{"max_new_tokens": 8, "do_sample": true, "num_return_sequences": 2, "temperature": 0.7, "seed": 4}"#,
];

/// Access to single rows of a batch.
trait Rows: GenerativeModel {
    fn row(input: &Self::Input, row: usize) -> Self::Input;

    /// The input without the decoder inputs, which the fixture has for its logits.
    fn beginning(input: Self::Input) -> Self::Input {
        input
    }
}

fn row(tensor: &Tensor<2, Int>, row: usize) -> Tensor<2, Int> {
    tensor.clone().narrow(0, row, 1)
}

impl Rows for LlamaLanguageModel {
    fn row(input: &LlamaInput, at: usize) -> LlamaInput {
        // The row without its padding, which is on the left.
        let mask = row(input.attention_mask.as_ref().unwrap(), at);
        let [_, length] = mask.dims();
        let count = mask.sum().into_scalar::<i64>() as usize;
        LlamaInput { input_ids: row(&input.input_ids, at).slice([0..1, length - count..length]), attention_mask: None }
    }
}

impl Rows for BartLanguageModel {
    fn beginning(input: BartInput) -> BartInput {
        BartInput { decoder_input_ids: None, ..input }
    }

    fn row(input: &BartInput, at: usize) -> BartInput {
        // The row without its padding, which is on the right.
        let count = row(input.attention_mask.as_ref().unwrap(), at).sum().into_scalar::<i64>() as usize;
        let input_ids = row(&input.input_ids, at).slice([0..1, 0..count]);
        BartInput { input_ids, attention_mask: None, decoder_input_ids: None, decoder_attention_mask: None }
    }
}

fn generates<M: Rows + Family>() {
    let device = Device::default();
    let (model, input) = load::<M>(&device);
    let input = M::beginning(input);
    let file = Checkpoint::open(fixture(M::FIXTURE)).unwrap().generation_config().unwrap();
    for text in SETTINGS {
        let config = file.overlaid_with(&GenerationConfig::strict(text).unwrap());
        let generated = |input: &M::Input, config: &GenerationConfig, first: u64| {
            let sequences = generate_batch(&model, input, config, first, |_, _| ()).unwrap();
            sequences.rows.into_iter().map(|row| row.continuation().to_vec()).collect::<Vec<_>>()
        };
        let batched = generated(&input, &config, 0);
        assert!(batched.iter().any(|row| row != &batched[0]), "{text}: all rows are equal");

        let uncached = config.overlaid_with(&GenerationConfig::strict(r#"{"use_cache": false}"#).unwrap());
        assert_eq!(generated(&input, &uncached, 0), batched, "{} {text}: without the cache", M::FIXTURE);

        let each = batched.len() / 3;
        for at in 0..3 {
            let alone = generated(&M::row(&input, at), &config, at as u64);
            assert_eq!(alone, batched[at * each..(at + 1) * each], "{} {text}: row {at} alone", M::FIXTURE);
        }
    }
    let beams = |count: usize| {
        let text = format!(r#"{{"max_new_tokens": 8, "num_beams": {count}}}"#);
        let config = file.overlaid_with(&GenerationConfig::strict(&text).unwrap());
        generate_batch(&model, &input, &config, 0, |_, _| ()).unwrap().to_data()
    };
    let greedy = file.overlaid_with(&GenerationConfig::strict(r#"{"max_new_tokens": 8}"#).unwrap());
    let greedy = generate_batch(&model, &input, &greedy, 0, |_, _| ()).unwrap().to_data();
    beams(1).assert_eq(&greedy, true);
}

#[test]
fn batching_and_caching_do_not_change_the_answers() {
    generates::<LlamaLanguageModel>();
    generates::<BartLanguageModel>();
}
