//! BERT and RoBERTa have the same outputs as in transformers, on the fixtures of `tests/fixtures/make.py` and, if
//! `ASYM_SHARED` is set, on the shared reference.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym_models::{
    Checkpoint, EncoderConfig, EncoderInput, Family, FileDtype, MaskedLanguageModel, PretrainedModel,
    SequenceClassifier, check_input, read_inputs, save, write_tensor,
};
use burn::tensor::{Device, Int, Tensor};

use crate::common::{difference, fixture, golden, scratch};

const TOLERANCE: f32 = 1e-4;

/// Load the model in a folder and compare its outputs with the expected ones. Then save and load it again, and compare
/// the logits.
fn check(folder: &Path, masked_lm: bool) {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let device = Device::default();
    let checkpoint = Checkpoint::open(folder).unwrap();
    let input: EncoderInput = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    check_input(&input, checkpoint.encoder().unwrap()).unwrap();
    let expected = golden(&folder.join("expected.safetensors"));
    let mask = input.attention_mask.clone();
    let copy = scratch(&format!("parity-{name}"));

    let (logits, states) = if masked_lm {
        let loaded = checkpoint.masked_language_model(0, &device).unwrap();
        assert!(loaded.initialized.is_empty(), "{:?}", loaded.initialized);
        save(&loaded.model, &copy, FileDtype::F32).unwrap();
        let again = Checkpoint::open(&copy).unwrap().masked_language_model(0, &device).unwrap().model;
        assert_eq!(again.config(), loaded.model.config());
        let logits = loaded.model.forward(input.clone());
        again.forward(input.clone()).into_data().assert_eq(&logits.to_data(), true);
        // `forward_at` computes the same logits for positions 1 and 12 of the flattened batch.
        let [batch, length, vocabulary] = logits.dims();
        let positions = Tensor::<1, Int>::from_ints([1, 12], &device);
        let chosen = loaded.model.forward_at(input.clone(), positions.clone());
        let all = logits.clone().reshape([batch * length, vocabulary]).select(0, positions);
        assert!((chosen - all).abs().max().into_scalar::<f32>() < 1e-5);
        (difference(&logits.into_data(), &expected["logits"], mask.as_ref()), loaded.model.hidden_states(input))
    } else {
        let loaded = checkpoint.sequence_classifier(None, 0, &device).unwrap();
        save(&loaded.model, &copy, FileDtype::F32).unwrap();
        let again = Checkpoint::open(&copy).unwrap().sequence_classifier(None, 1, &device).unwrap();
        assert!(again.initialized.is_empty(), "{:?}", again.initialized);
        assert_eq!(again.model.config(), loaded.model.config());
        let logits = loaded.model.forward(input.clone());
        again.model.forward(input.clone()).into_data().assert_eq(&logits.to_data(), true);
        let difference = match expected.get("logits") {
            Some(expected) => {
                assert!(loaded.initialized.is_empty(), "{:?}", loaded.initialized);
                difference(&logits.into_data(), expected, None)
            }
            None => 0.0,
        };
        (difference, loaded.model.hidden_states(input))
    };
    let states: Vec<f32> = states
        .into_iter()
        .enumerate()
        .filter_map(|(i, state)| {
            Some(difference(&state.into_data(), expected.get(&format!("hidden_{i}"))?, mask.as_ref()))
        })
        .collect();
    let largest = states.iter().copied().fold(0.0, f32::max);
    println!("{name}: logits differ by {logits:.1e}, {} hidden states by {largest:.1e}", states.len());
    assert!(logits < TOLERANCE, "{name}: logits differ by {logits}");
    assert!(states.iter().all(|state| *state < TOLERANCE), "{name}: hidden states differ by {states:?}");
}

#[test]
fn fixture_logits_match_transformers() {
    let classifiers =
        ["roberta-classifier", "bert-classifier", "bert-sharded", "roberta-f16", "roberta-bf16", "bert-bare-old"];
    for name in classifiers {
        check(&fixture(name), false);
    }
    for name in ["roberta-mlm", "bert-mlm", "bert-gelu-new"] {
        check(&fixture(name), true);
    }
}

#[test]
fn shared_reference_logits_match_transformers() {
    let Some(shared) = std::env::var_os("ASYM_SHARED") else {
        eprintln!("SKIPPED: set ASYM_SHARED to the shared folder to compare with its reference");
        return;
    };
    let reference = PathBuf::from(shared).join("reference");
    check(&reference.join("roberta-sequence-classification"), false);
    check(&reference.join("bert-sequence-classification"), false);
    check(&reference.join("roberta-masked-lm"), true);
}

#[test]
fn missing_heads_are_initialized_and_reported() {
    let device = Device::default();
    let bare = Checkpoint::open(fixture("bert-bare-old")).unwrap();
    let loaded = bare.sequence_classifier(Some(5), 7, &device).unwrap();
    assert_eq!(loaded.initialized, ["classifier.weight", "classifier.bias"]);
    assert_eq!(loaded.model.config().num_labels(), 5);

    // A masked language model lacks BERT's pooler too. RoBERTa's head has two layers.
    let loaded = Checkpoint::open(fixture("bert-mlm")).unwrap().sequence_classifier(None, 7, &device).unwrap();
    assert_eq!(
        loaded.initialized,
        ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"]
    );
    let loaded = Checkpoint::open(fixture("roberta-mlm")).unwrap().sequence_classifier(None, 7, &device).unwrap();
    assert_eq!(loaded.initialized.len(), 4);
    let loaded = Checkpoint::open(fixture("roberta-classifier")).unwrap().masked_language_model(7, &device).unwrap();
    assert_eq!(loaded.initialized.len(), 5);

    // The initial values depend on the seed and not on the device, and they have the right standard deviation.
    let draw = |seed: u64, device: &Device| {
        let checkpoint = Checkpoint::open(fixture("bert-bare-old")).unwrap();
        let model = checkpoint.sequence_classifier(Some(40), seed, device).unwrap().model;
        let naming = model.naming();
        asym_core::layout::collect(&model, &naming, |entry| entry.name == "classifier.weight")
            .into_iter()
            .find_map(|(_, values)| values)
            .unwrap()
    };
    let values = draw(1, &device);
    assert_eq!(values, draw(1, &device.clone().autodiff()));
    assert_ne!(values, draw(2, &device));
    let deviation = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
    assert!((deviation - 0.02).abs() < 0.002, "{deviation}");
}

#[test]
fn new_models_are_initialized_as_in_transformers() {
    let device = Device::default();
    let mut config = EncoderConfig::new(Family::Roberta, 50, 16, 1);
    config.max_position_embeddings = 12;
    let model = MaskedLanguageModel::init(&config, 3, &device).unwrap();
    let naming = model.naming();
    for (entry, values) in asym_core::layout::collect(&model, &naming, |_| true) {
        let values = values.unwrap();
        let expected_norm = entry.name.ends_with("LayerNorm.weight") || entry.name.ends_with("layer_norm.weight");
        match entry.shape.len() {
            1 => assert!(values.iter().all(|v| *v == f32::from(u8::from(expected_norm))), "{}", entry.name),
            _ => assert!(values.iter().any(|v| *v != 0.0), "{}", entry.name),
        }
        if entry.name.ends_with("word_embeddings.weight") || entry.name.ends_with("position_embeddings.weight") {
            assert!(values[16..32].iter().all(|v| *v == 0.0), "{}: the row of padding", entry.name);
        }
    }
    let input = EncoderInput {
        input_ids: Tensor::from_ints([[0, 7, 8, 2]], &device),
        attention_mask: None,
        token_type_ids: None,
    };
    assert_eq!(model.forward(input).dims(), [1, 4, 50]);
}

#[test]
fn embedded_f16_checkpoints_equal_the_saved_checkpoint() {
    let device = Device::default();
    let folder = scratch("embedded");
    let model: SequenceClassifier =
        Checkpoint::open(fixture("roberta-classifier")).unwrap().sequence_classifier(None, 0, &device).unwrap().model;
    save(&model, &folder, FileDtype::F16).unwrap();
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");

    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    let embedded = Checkpoint::from_bytes("embedded", &config, weights).unwrap();
    assert_eq!(embedded.encoder().unwrap(), model.config());
    let input: EncoderInput = read_inputs(fixture("roberta-classifier").join("inputs.safetensors"), &device).unwrap();
    let logits = embedded.sequence_classifier(None, 0, &device).unwrap().model.forward(input);
    let expected = golden(&fixture("roberta-classifier").join("expected.safetensors"));
    let rounded = difference(&logits.to_data(), &expected["logits"], None);
    assert!(rounded < 2e-2, "{rounded}");

    let path = folder.join("logits.safetensors");
    write_tensor(&path, "logits", logits.to_data()).unwrap();
    assert_eq!(golden(&path)["logits"], logits.into_data().try_to_vec::<f32>().unwrap());
}

/// The gradients of a padded batch are finite and reach every parameter.
#[test]
fn every_parameter_has_a_gradient() {
    let device = Device::default().autodiff();
    let folder = fixture("bert-classifier");
    let model = Checkpoint::open(&folder).unwrap().sequence_classifier(None, 0, &device).unwrap().model;
    let input: EncoderInput = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let gradients = model.forward(input).powi_scalar(2).sum().backward();

    struct Visitor<'a>(&'a burn::tensor::Gradients, usize);
    impl burn::module::ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            let gradient = param.val().grad(self.0).unwrap();
            assert!(gradient.abs().max().into_scalar::<f32>().is_finite());
            self.1 += 1;
        }
    }
    let mut visitor = Visitor(&gradients, 0);
    burn::module::Module::visit(&model, &mut visitor);
    assert_eq!(visitor.1, 5 + 2 * 16 + 4);
}
