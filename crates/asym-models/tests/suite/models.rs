//! ViT, Llama and BART have the same outputs as in transformers, on the fixtures of `tests/fixtures/make_models.py` and, if
//! `ASYM_SHARED` is set, on the shared reference.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym_models::generation::GenerationConfig;
use asym_models::{
    BartClassifier, BartInput, BartLanguageModel, Checkpoint, FileDtype, GenerativeModel, LlamaLanguageModel,
    ModelError, PretrainedModel, VitClassifier, VitConfig, VitInput, VitModel, adapter_outputs, check_input,
    generate_batch, load_adapter, read_inputs, save,
};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor};

use crate::common::{difference, fixture, golden, integers, scratch};

const TOLERANCE: f32 = 1e-4;

/// The mask `name` in a folder's inputs. It is 1 where logits are compared.
fn mask(folder: &Path, name: &str, device: &Device) -> Option<Tensor<2, Int>> {
    let (shape, values) = integers(&folder.join("inputs.safetensors")).remove(name)?;
    let shape: [usize; 2] = shape.try_into().unwrap();
    Some(Tensor::from_data(burn::tensor::TensorData::new(values, shape), device))
}

/// Load the model in a folder and compare its logits with the expected ones. Then save and load it again, and compare the
/// logits.
fn check<M: PretrainedModel>(folder: &Path, counts: Option<&str>) {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let device = Device::default();
    let loaded = Checkpoint::open(folder).unwrap().load::<M>(None, 0, &device).unwrap();
    assert!(loaded.initialized.is_empty(), "{name}: {:?}", loaded.initialized);
    let input: M::Input = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    check_input(&input, loaded.model.config()).unwrap();
    let logits = loaded.model.logits(input.clone());
    let expected = &golden(&folder.join("expected.safetensors"))["logits"];
    let mask = counts.and_then(|name| mask(folder, name, &device));
    let difference = difference(&logits, expected, mask.as_ref());
    println!("{name}: logits differ by {difference:.1e}");
    assert!(difference < TOLERANCE, "{name}: logits differ by {difference}");

    let copy = scratch(&format!("models-{name}"));
    save(&loaded.model, &copy, FileDtype::F32).unwrap();
    let again = Checkpoint::open(&copy).unwrap().load::<M>(None, 1, &device).unwrap();
    assert!(again.initialized.is_empty(), "{name}: {:?}", again.initialized);
    assert_eq!(again.model.config(), loaded.model.config(), "{name}");
    again.model.logits(input).assert_eq(&logits, true);
}

#[test]
fn fixture_logits_match_transformers() {
    check::<VitClassifier>(&fixture("vit"), None);
    check::<VitClassifier>(&fixture("vit-odd"), None);
    for name in ["llama", "llama-tied", "llama-old", "llama-bias"] {
        check::<LlamaLanguageModel>(&fixture(name), Some("attention_mask"));
    }
    check::<BartLanguageModel>(&fixture("bart"), None);
    check::<BartLanguageModel>(&fixture("bart-untied"), None);
    check::<BartClassifier>(&fixture("bart-classifier"), None);
}

#[test]
fn shared_reference_logits_and_ids_match_transformers() {
    let Some(shared) = std::env::var_os("ASYM_SHARED") else {
        eprintln!("SKIPPED: set ASYM_SHARED to the shared folder to compare with its reference");
        return;
    };
    let reference = PathBuf::from(shared).join("reference");
    check::<VitClassifier>(&reference.join("vit-image-classification"), None);
    let llama = reference.join("llama-causal-lm");
    check::<LlamaLanguageModel>(&llama, Some("attention_mask"));
    let bart = reference.join("bart-conditional-generation");
    check::<BartLanguageModel>(&bart, None);

    generates::<LlamaLanguageModel>(&llama, "generate_greedy", r#"{"max_new_tokens": 10}"#);
    generates::<BartLanguageModel>(&bart, "generate_greedy", r#"{"max_new_tokens": 14}"#);
    let beam4 = r#"{"max_new_tokens": 14, "num_beams": 4, "early_stopping": true, "length_penalty": 2.0,
        "no_repeat_ngram_size": 3, "min_length": 5}"#;
    generates::<BartLanguageModel>(&bart, "generate_beam4", beam4);
    let beam8 = r#"{"max_new_tokens": 14, "num_beams": 8, "early_stopping": true, "length_penalty": 1.0}"#;
    generates::<BartLanguageModel>(&bart, "generate_beam8", beam8);
}

#[test]
fn hidden_states_of_bare_models_match_transformers() {
    let device = Device::default();
    // The keys of this file lack the prefix `vit.`.
    let folder = fixture("vit-pooler");
    let loaded = Checkpoint::open(&folder).unwrap().load::<VitModel>(None, 0, &device).unwrap();
    assert!(loaded.initialized.is_empty(), "{:?}", loaded.initialized);
    let input: VitInput = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let expected = golden(&folder.join("expected.safetensors"));
    let last = loaded.model.forward(input.clone()).into_data();
    assert!(difference(&last, &expected["hidden_last"], None) < TOLERANCE);
    assert!(difference(&loaded.model.pooled(input.clone()).into_data(), &expected["pooler"], None) < TOLERANCE);
    // A classifier and a pooler that the checkpoint lacks are randomly initialized.
    let classifier = Checkpoint::open(&folder).unwrap().load::<VitClassifier>(Some(7), 0, &device).unwrap();
    assert_eq!(classifier.initialized, ["classifier.weight", "classifier.bias"]);
    assert_eq!(classifier.model.forward(input).dims(), [2, 7]);
    let drawn = Checkpoint::open(fixture("vit")).unwrap().load::<VitModel>(None, 0, &device).unwrap();
    assert_eq!(drawn.initialized, ["vit.pooler.dense.weight", "vit.pooler.dense.bias"]);

    for name in ["vit", "vit-odd"] {
        let folder = fixture(name);
        let model = Checkpoint::open(&folder).unwrap().load::<VitClassifier>(None, 0, &device).unwrap().model;
        let input: VitInput = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
        let expected = golden(&folder.join("expected.safetensors"));
        let last = model.backbone().forward(input.clone()).into_data();
        assert!(difference(&last, &expected["hidden_last"], None) < TOLERANCE, "{name}");
        let states = model.backbone().hidden_states(input);
        assert!(states.len() > 1);
        // Some versions of transformers return the last state after the norm, so it is not compared.
        for (index, state) in states.into_iter().enumerate().take(2) {
            let largest = difference(&state.into_data(), &expected[&format!("hidden_{index}")], None);
            assert!(largest < TOLERANCE, "{name}: hidden_{index} differs by {largest}");
        }
    }
    for name in ["bart", "bart-untied"] {
        let folder = fixture(name);
        let model = Checkpoint::open(&folder).unwrap().load::<BartLanguageModel>(None, 0, &device).unwrap().model;
        let input: BartInput = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
        let encoded = model.backbone().encode(input.input_ids, input.attention_mask.clone()).into_data();
        let expected = &golden(&folder.join("expected.safetensors"))["encoder"];
        assert!(difference(&encoded, expected, input.attention_mask.as_ref()) < TOLERANCE, "{name}");
    }
}

#[test]
fn in_memory_names_of_transformers_5_are_accepted() {
    let device = Device::default();
    let folder = crate::common::rewritten("vit", "vit-in-memory", |tensors| {
        let renames = [
            ("encoder.layer.", "layers."),
            ("attention.attention.query", "attention.q_proj"),
            ("attention.attention.key", "attention.k_proj"),
            ("attention.attention.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        ];
        let renamed = |name: &String| renames.iter().fold(name.clone(), |name, (from, to)| name.replace(from, to));
        *tensors = tensors.iter().map(|(name, tensor)| (renamed(name), tensor.clone())).collect();
        assert!(tensors.contains_key("vit.layers.1.mlp.fc2.weight"));
    });
    let model = Checkpoint::open(&folder).unwrap().load::<VitClassifier>(None, 0, &device).unwrap().model;
    let input: VitInput = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let expected = &golden(&folder.join("expected.safetensors"))["logits"];
    assert!(difference(&model.logits(input), expected, None) < TOLERANCE);
}

#[test]
fn positions_are_interpolated_for_another_resolution() {
    let device = Device::default();
    let folder = fixture("vit");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let own = checkpoint.config_of::<VitConfig>().unwrap().clone();
    let checkpoint = checkpoint.with_interpolated_positions();
    let model = checkpoint.load::<VitClassifier>(None, 0, &device).unwrap().model;
    for size in ["24x24", "48x40"] {
        let input: VitInput = read_inputs(folder.join(format!("inputs-{size}.safetensors")), &device).unwrap();
        // As in transformers, other resolutions must be enabled.
        let error = check_input(&input, &own).unwrap_err().to_string();
        let found = size.replace('x', " by ");
        assert!(error.contains("interpolate_pos_encoding") && error.contains("32 by 32"), "{error}");
        assert!(error.ends_with(&format!("found {found}")), "{error}");
        check_input(&input, model.config()).unwrap();
        let expected = golden(&folder.join(format!("expected-{size}.safetensors")));
        let logits = difference(&model.forward(input.clone()).into_data(), &expected["logits"], None);
        let hidden = difference(&model.backbone().forward(input).into_data(), &expected["hidden_last"], None);
        assert!(logits < TOLERANCE && hidden < TOLERANCE, "{size}: {logits} {hidden}");
    }
}

/// Check that the generated ids are those of `key` in a folder's expected outputs.
fn generates<M: GenerativeModel>(folder: &Path, key: &str, settings: &str)
where
    M::Input: WithoutDecoderIds,
{
    let device = Device::default();
    let checkpoint = Checkpoint::open(folder).unwrap();
    let model = checkpoint.load::<M>(None, 0, &device).unwrap().model;
    let input: M::Input = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let file = checkpoint.generation_config().unwrap();
    let config = file.overlaid_with(&GenerationConfig::strict(settings).unwrap());
    let sequences = generate_batch(&model, &input.without_decoder_ids(), &config, 0, |_, _| ()).unwrap();
    let (shape, expected) = &integers(&folder.join("expected.safetensors"))[key];
    let data = sequences.to_data();
    let found: Vec<i64> = data.iter::<i64>().collect();
    assert_eq!((&data.shape().to_vec(), &found), (shape, expected), "{} {key}", folder.display());
    let scores = golden(&folder.join("expected.safetensors")).remove(&format!("{key}_scores"));
    for (row, score) in sequences.rows.iter().zip(scores.unwrap_or_default()) {
        assert!((row.score.unwrap() - score).abs() < TOLERANCE, "{key}: score {:?} and not {score}", row.score);
    }
}

/// An input without the decoder's ids, so that generation begins with the start token.
trait WithoutDecoderIds {
    fn without_decoder_ids(self) -> Self;
}

impl WithoutDecoderIds for BartInput {
    fn without_decoder_ids(self) -> Self {
        Self { decoder_input_ids: None, ..self }
    }
}

impl WithoutDecoderIds for asym_models::LlamaInput {
    fn without_decoder_ids(self) -> Self {
        self
    }
}

#[test]
fn generated_ids_match_transformers() {
    let (llama, bart) = (fixture("llama"), fixture("bart"));
    generates::<LlamaLanguageModel>(&llama, "generate_greedy", r#"{"max_new_tokens": 8}"#);
    let beam3 = r#"{"max_new_tokens": 8, "num_beams": 3, "early_stopping": true, "length_penalty": 0.8,
        "no_repeat_ngram_size": 2}"#;
    generates::<LlamaLanguageModel>(&llama, "generate_beam3", beam3);
    generates::<BartLanguageModel>(&bart, "generate_greedy", r#"{"max_new_tokens": 10}"#);
    let minimum = r#"{"max_new_tokens": 10, "min_length": 9}"#;
    generates::<BartLanguageModel>(&bart, "generate_greedy_min", minimum);
    let beam4 = r#"{"max_new_tokens": 10, "num_beams": 4, "early_stopping": true, "length_penalty": 2.0,
        "no_repeat_ngram_size": 3, "min_length": 5}"#;
    generates::<BartLanguageModel>(&bart, "generate_beam4", beam4);
    let never = r#"{"max_new_tokens": 10, "num_beams": 2, "early_stopping": "never", "length_penalty": 0.5}"#;
    generates::<BartLanguageModel>(&bart, "generate_beam2_never", never);
}

/// Check the error of the logits in half precision, compared with those of transformers in f32. It must be at most 1.5
/// times the error of transformers in the same dtype. The error is the root mean square, which does not depend on a
/// single value.
fn half<M: PretrainedModel>(name: &str, counts: Option<&str>) {
    let (device, folder) = (Device::default(), fixture(name));
    let own = golden(&folder.join("half.safetensors"));
    for (dtype, key) in [(FloatDType::F16, "f16.error"), (FloatDType::BF16, "bf16.error")] {
        let checkpoint = Checkpoint::open(&folder).unwrap();
        if !device.supports_dtype(DType::from(dtype)) {
            let error = checkpoint.load_as::<M>(None, 0, dtype, &device).unwrap_err();
            assert!(matches!(error, ModelError::NoDtype { .. }), "{error}");
            continue;
        }
        let model = checkpoint.load_as::<M>(None, 0, dtype, &device).unwrap().model;
        let input: M::Input = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
        let logits = model.logits(input);
        // With weights in bf16, the activations and the head are in f32.
        let computed = if dtype == FloatDType::BF16 { FloatDType::F32 } else { dtype };
        assert_eq!(logits.dtype(), DType::from(computed), "{name}");
        let expected = &golden(&folder.join("expected.safetensors"))["logits"];
        let mask = counts.and_then(|name| mask(&folder, name, &device));
        let counts: Vec<bool> = match mask {
            Some(mask) => mask.into_data().iter::<i64>().map(|value| value == 1).collect(),
            None => vec![true],
        };
        let width = expected.len() / counts.len();
        let rows = logits.iter::<f32>().zip(expected).enumerate().filter(|(at, _)| counts[at / width]);
        let squares: Vec<f64> = rows.map(|(_, (ours, exact))| f64::from(ours - exact).powi(2)).collect();
        let error = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt() as f32;
        println!("{name} {key}: {error:.2e}, {:.2} of transformers'", error / own[key][0]);
        assert!(error <= 1.5 * own[key][0], "{name} {key}: {error}, transformers {}", own[key][0]);
    }
}

#[test]
fn half_precision_is_as_accurate_as_in_transformers() {
    half::<VitClassifier>("vit", None);
    half::<LlamaLanguageModel>("llama", Some("attention_mask"));
    half::<BartLanguageModel>("bart", None);
}

/// Check the logits of an adapter of PEFT on `base`, unmerged and merged.
fn adapted<M: PretrainedModel>(base: &str, adapter: &str, counts: Option<&str>) {
    let (device, folder) = (Device::default(), fixture(adapter));
    let model = Checkpoint::open(fixture(base)).unwrap().load::<M>(None, 0, &device).unwrap().model;
    let (model, _) = load_adapter(model, &folder).unwrap();
    let input: M::Input = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    let expected = golden(&folder.join("expected.safetensors"));
    let mask = counts.and_then(|name| mask(&folder, name, &device));
    let merged = asym_core::merge(model.clone()).logits(input.clone());
    for (key, logits) in [("logits", model.logits(input)), ("merged", merged)] {
        let largest = difference(&logits, &expected[key], mask.as_ref());
        assert!(largest < TOLERANCE, "{adapter}: {key} differ by {largest}");
    }
}

/// RoBERTa's head has two layers, BERT's head has one, and some adapters do not save a head. A damaged file is an error.
#[test]
fn the_head_of_an_adapter_determines_the_number_of_labels() {
    let outputs = |name: &str| adapter_outputs(&fixture(name)).unwrap();
    assert_eq!(["peft-lora", "peft-bert-lora", "peft-llama-qv"].map(outputs), [Some(3), Some(3), None]);
    assert_eq!(adapter_outputs(&fixture("roberta-classifier")).unwrap(), None, "no adapter");
    let folder = std::env::temp_dir().join(format!("asym-models-outputs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("adapter_model.safetensors"), [1; 5]).unwrap();
    let error = adapter_outputs(&folder).unwrap_err();
    assert!(matches!(error, ModelError::Safetensors { .. }), "{error}");
}

#[test]
fn adapter_logits_match_peft() {
    for adapter in ["peft-vit-qv", "peft-vit-all", "peft-vit-old"] {
        adapted::<VitClassifier>("vit", adapter, None);
    }
    for name in ["qv", "all"] {
        adapted::<LlamaLanguageModel>("llama", &format!("peft-llama-{name}"), Some("attention_mask"));
        adapted::<BartLanguageModel>("bart", &format!("peft-bart-{name}"), None);
    }
}

#[test]
fn invalid_checkpoints_and_inputs_are_rejected() {
    let device = Device::default();
    // If the configuration unties the decoder, a missing decoder is not copied from the embedding.
    let folder = crate::common::rewritten("bert-mlm", "mlm-untied", |_| ());
    let path = folder.join("config.json");
    let mut value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    value["tie_word_embeddings"] = false.into();
    std::fs::write(&path, value.to_string()).unwrap();
    let untied = Checkpoint::open(&folder).unwrap();
    let untied = untied.load::<asym_models::MaskedLanguageModel>(None, 0, &device).unwrap_err();
    let missing = |keys: &[String]| keys == ["cls.predictions.decoder.weight"];
    assert!(matches!(&untied, ModelError::MissingKeys { keys, .. } if missing(keys)), "{untied}");
    let family = Checkpoint::open(fixture("vit")).unwrap().load::<LlamaLanguageModel>(None, 0, &device).unwrap_err();
    assert!(family.to_string().contains("expected a checkpoint of Llama, found one of ViT"), "{family}");

    let classifier = Checkpoint::open(fixture("bart-classifier")).unwrap();
    let model = classifier.load::<BartClassifier>(None, 0, &device).unwrap().model;
    let of = |ids: [[i64; 4]; 2]| BartInput {
        input_ids: Tensor::from_ints(ids, &device),
        attention_mask: None,
        decoder_input_ids: None,
        decoder_attention_mask: None,
    };
    BartClassifier::check_input(&of([[0, 5, 6, 2], [0, 5, 2, 1]]), model.config()).unwrap();
    for ids in [[[0, 5, 6, 2], [0, 5, 6, 7]], [[0, 5, 6, 2], [0, 2, 6, 2]]] {
        let error = BartClassifier::check_input(&of(ids), model.config()).unwrap_err();
        assert!(matches!(error, ModelError::Input { key: "input_ids", .. }), "{error}");
    }
    let large = crate::common::rewritten("bart", "too-large", |tensors| {
        tensors.get_mut("model.decoder.layers.0.fc1.bias").unwrap().2[..4].copy_from_slice(&1e5f32.to_le_bytes());
    });
    let error = Checkpoint::open(&large).unwrap();
    let error = error.load_as::<BartLanguageModel>(None, 0, FloatDType::F16, &device).unwrap_err();
    assert!(matches!(&error, ModelError::TooLarge { key, .. } if key.contains("fc1.bias")), "{error}");
}

/// Files of other versions and tasks contain a tied tensor under several names, or only under the name of a copy.
#[test]
fn tied_embeddings_load_under_any_of_their_names() {
    let device = Device::default();
    let input: BartInput = read_inputs(fixture("bart").join("inputs.safetensors"), &device).unwrap();
    let expected = &golden(&fixture("bart").join("expected.safetensors"))["logits"];
    let copies = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"];
    let logits = |folder: &Path| {
        let loaded = Checkpoint::open(folder)?.load::<BartLanguageModel>(None, 0, &device)?;
        Ok::<_, ModelError>(loaded.model.logits(input.clone()))
    };
    let all = crate::common::rewritten("bart", "tied-all", |tensors| {
        let shared = tensors["model.shared.weight"].clone();
        tensors.extend(copies.map(|copy| (copy.to_string(), shared.clone())));
    });
    assert!(difference(&logits(&all).unwrap(), expected, None) < TOLERANCE);
    for copy in copies {
        let one = crate::common::rewritten("bart", "tied-one", |tensors| {
            let shared = tensors.remove("model.shared.weight").unwrap();
            tensors.insert(copy.to_string(), shared);
        });
        assert!(difference(&logits(&one).unwrap(), expected, None) < TOLERANCE, "{copy}");
    }
    let none = crate::common::rewritten("bart", "tied-none", |tensors| drop(tensors.remove("model.shared.weight")));
    let error = logits(&none).unwrap_err();
    assert!(matches!(&error, ModelError::MissingKeys { keys, .. } if keys == &["model.shared.weight"]), "{error}");

    // The bare model stores the tensors without the prefix `model.`.
    let bare = crate::common::rewritten("bart", "tied-bare", |tensors| {
        *tensors = std::mem::take(tensors)
            .into_iter()
            .map(|(name, tensor)| (name.trim_start_matches("model.").replace("shared", "encoder.embed_tokens"), tensor))
            .collect();
    });
    assert!(difference(&logits(&bare).unwrap(), expected, None) < TOLERANCE);

    // If a copy has different values, the model keeps both tensors, as in transformers 5.
    let other = crate::common::rewritten("bart", "tied-other", |tensors| {
        let mut shared = tensors["model.shared.weight"].clone();
        shared.2[2] ^= 1;
        tensors.insert("lm_head.weight".into(), shared);
    });
    let loaded = Checkpoint::open(&other).unwrap().load::<BartLanguageModel>(None, 0, &device).unwrap();
    assert!(!loaded.model.config().tie_word_embeddings && loaded.initialized.is_empty());
    assert!(difference(&loaded.model.logits(input.clone()), expected, None) > 0.0);

    // transformers 4 unties only the head, so the encoder and the decoder read the shared table.
    let head = crate::common::rewritten("bart-untied", "untied-head", |tensors| {
        for side in ["encoder", "decoder"] {
            let own = tensors.remove(&format!("model.{side}.embed_tokens.weight")).unwrap();
            tensors.insert("model.shared.weight".into(), own);
        }
    });
    let loaded = Checkpoint::open(&head).unwrap().load::<BartLanguageModel>(None, 0, &device).unwrap();
    assert!(loaded.initialized.is_empty());
    // transformers reports the shared table as missing if it is absent, although it does not use it.
    let saved = scratch("untied-saved");
    save(&loaded.model, &saved, FileDtype::F32).unwrap();
    let stored = golden(&saved.join("model.safetensors"));
    assert_eq!(stored["model.shared.weight"], stored["model.encoder.embed_tokens.weight"]);

    // A missing untied head is initialized, and not copied from the embedding.
    let untied = crate::common::rewritten("llama", "untied-none", |tensors| drop(tensors.remove("lm_head.weight")));
    let loaded = Checkpoint::open(&untied).unwrap().load::<LlamaLanguageModel>(None, 0, &device).unwrap();
    assert_eq!(loaded.initialized, ["lm_head.weight"]);
}
