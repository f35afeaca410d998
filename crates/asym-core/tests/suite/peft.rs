//! PEFT's format: writing, reading, and the folders that are refused.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym_core::{
    AdaptedLinear, AdaptedLinearConfig, AdapterConfig, AdapterError, Dora, Factor, Init, Lora, Naming, SaveOptions,
    inspect, load_adapter, read_factors, save_adapter,
};
use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

#[derive(Module, Debug)]
struct Model {
    backbone: Vec<AdaptedLinear>,
    classifier: Head,
}

#[derive(Module, Debug)]
struct Head {
    norm: LayerNorm,
    dense: AdaptedLinear,
}

const NAMING: Naming = Naming(&[("backbone", "encoder.layer")]);

impl Model {
    fn new(device: &Device) -> Self {
        Self {
            backbone: (0..2).map(|_| AdaptedLinearConfig::new(11, 11).init(device)).collect(),
            classifier: Head {
                norm: LayerNormConfig::new(11).init(device),
                dense: AdaptedLinearConfig::new(11, 3).init(device),
            },
        }
    }

    fn forward(&self, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = (0..5 * 11).map(|i| (i as f32 * 0.7).cos()).collect();
        let input = Tensor::from_data(TensorData::new(values, [5, 11]), device);
        let hidden = self.backbone.iter().fold(input, |hidden, layer| layer.forward(hidden).tanh());
        self.classifier.dense.forward(self.classifier.norm.forward(hidden))
    }
}

/// A path for the folder of one test. The folder does not exist.
fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("asym-peft-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn config() -> AdapterConfig {
    let lora = Lora::b_only(4).alpha(6.0).b(Factor::trained(Init::Gaussian));
    AdapterConfig::new(lora).targets("encoder.layer.*").modules_to_save(["classifier"])
}

fn options() -> SaveOptions<'static> {
    SaveOptions { naming: NAMING, base_model: Some("base"), task_type: Some("SEQ_CLS"), seed: Some(9) }
}

/// An adapted model and its folder.
fn saved(name: &str, device: &Device) -> (Model, Model, PathBuf) {
    let plain = Model::new(device);
    let model = config().attach_named(plain.clone(), 9, &NAMING).unwrap();
    let path = folder(name);
    save_adapter(&model, &config(), &path, &options()).unwrap();
    (plain, model, path)
}

#[test]
fn saved_adapters_load_unchanged() {
    let device = Device::default();
    let (plain, model, path) = saved("round", &device);
    // The head differs from the saved head.
    let other = Model { classifier: Model::new(&device).classifier, ..plain };
    let (loaded, read) = load_adapter(other, &path, &NAMING).unwrap();
    loaded.forward(&device).into_data().assert_eq(&model.forward(&device).into_data(), true);
    assert_eq!(read.method, config().method);
    assert_eq!(inspect(&loaded, &NAMING).trained(), inspect(&model, &NAMING).trained());
}

#[test]
fn files_have_the_format_of_peft() {
    let (.., path) = saved("format", &Device::default());
    let data = std::fs::read(path.join("adapter_model.safetensors")).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&data).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
    let file = safetensors::SafeTensors::deserialize(&data).unwrap();
    let mut shapes: Vec<(&str, &[usize])> = Vec::new();
    let tensors = file.tensors();
    for (name, view) in &tensors {
        shapes.push((name, view.shape()));
    }
    shapes.sort();
    let expected: [(&str, &[usize]); 8] = [
        ("base_model.model.classifier.dense.bias", &[3]),
        ("base_model.model.classifier.dense.weight", &[3, 11]),
        ("base_model.model.classifier.norm.bias", &[11]),
        ("base_model.model.classifier.norm.weight", &[11]),
        ("base_model.model.encoder.layer.0.lora_A.weight", &[4, 11]),
        ("base_model.model.encoder.layer.0.lora_B.weight", &[11, 4]),
        ("base_model.model.encoder.layer.1.lora_A.weight", &[4, 11]),
        ("base_model.model.encoder.layer.1.lora_B.weight", &[11, 4]),
    ];
    assert_eq!(shapes, expected);
    let text = std::fs::read_to_string(path.join("adapter_config.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["target_modules"], serde_json::json!(["encoder.layer.0", "encoder.layer.1"]));
    assert_eq!(json["lora_alpha"], 6.0);
}

/// The error of loading the folder after `change` has modified its configuration.
fn after(change: impl Fn(&mut serde_json::Value), name: &str) -> AdapterError {
    let device = Device::default();
    let (plain, _, path) = saved(name, &device);
    let file = path.join("adapter_config.json");
    let mut json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(file, json.to_string()).unwrap();
    load_adapter(plain, path, &NAMING).unwrap_err()
}

#[test]
fn unsupported_settings_are_named() {
    for (index, (field, value)) in [
        ("peft_type", serde_json::json!("BOFT")),
        ("init_lora_weights", serde_json::json!("pissa_niter_many")),
        ("init_lora_weights", serde_json::json!("corda")),
        ("init_lora_weights", serde_json::json!("loftq")),
        ("init_lora_weights", serde_json::json!("of_tomorrow")),
        ("bias", serde_json::json!("boft_only")),
        ("layer_replication", serde_json::json!([[0, 1]])),
        ("target_parameters", serde_json::json!(["weight"])),
        ("alora_invocation_tokens", serde_json::json!([1, 2])),
        ("use_qalora", serde_json::json!(true)),
        ("some_field_of_tomorrow", serde_json::json!(3)),
    ]
    .into_iter()
    .enumerate()
    {
        let error = after(|json| json[field] = value.clone(), &format!("field{index}"));
        assert!(matches!(&error, AdapterError::UnsupportedField { field: found, .. } if found == field), "{error}");
    }
    let error = after(|json| json["trainable_token_indices"] = serde_json::json!({"words": [3]}), "rows");
    assert!(matches!(&error, AdapterError::MissingKeys { keys, .. } if keys[0].contains("words")), "{error}");
    let error = after(|json| drop(json.as_object_mut().unwrap().remove("peft_type")), "kind");
    assert!(matches!(error, AdapterError::Json { .. }) && error.to_string().contains("peft_type"), "{error}");
    let error = after(|json| json["r"] = serde_json::json!(3), "rank");
    assert!(matches!(error, AdapterError::Shape { .. }), "{error}");
    let error = after(|json| json["target_modules"] = serde_json::json!(["query"]), "target");
    assert!(matches!(error, AdapterError::NoMatch { .. }), "{error}");
    let error = after(|json| json["target_modules"] = serde_json::json!(["layer.0"]), "fewer");
    assert!(matches!(error, AdapterError::UnexpectedKeys { .. }), "{error}");
}

/// PEFT ignores `fan_in_fan_out` for linear layers, and some of its versions save DoRA's magnitude as the weight of a module.
#[test]
fn files_of_other_peft_versions_load() {
    let device = Device::default();
    let config = AdapterConfig::new(Dora(Lora::new(4))).targets("encoder.layer.*");
    let plain = Model::new(&device);
    let model = config.attach_named(plain.clone(), 3, &NAMING).unwrap();
    let outputs = |model: &Model| model.forward(&device).into_data().iter::<f32>().collect::<Vec<_>>();
    let path = folder("spellings");
    save_adapter(&model, &config, &path, &options()).unwrap();
    let file = path.join("adapter_config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"fan_in_fan_out\": false"));
    std::fs::write(file, text.replace("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true")).unwrap();
    let file = path.join("adapter_model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let renamed: Vec<(String, TensorView<'_>)> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| if name.ends_with("magnitude_vector") { (name + ".weight", view) } else { (name, view) })
        .collect();
    assert_eq!(renamed.iter().filter(|(name, _)| name.ends_with("magnitude_vector.weight")).count(), 2);
    std::fs::write(&file, safetensors::serialize(renamed, None).unwrap()).unwrap();
    let (loaded, _) = load_adapter(plain, &path, &NAMING).unwrap();
    assert_eq!(outputs(&loaded), outputs(&model));
}

fn damage(path: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) -> AdapterError {
    let file = path.join("adapter_model.safetensors");
    let data = std::fs::read(&file).unwrap();
    std::fs::write(&file, change(data)).unwrap();
    load_adapter(Model::new(&Device::default()), path, &NAMING).unwrap_err()
}

#[test]
fn damaged_files_are_refused() {
    let device = Device::default();
    let (.., path) = saved("truncated", &device);
    let error = damage(&path, |data| data[..data.len() - 9].to_vec());
    assert!(matches!(error, AdapterError::Safetensors { .. }), "{error}");
    let (.., path) = saved("nan", &device);
    let error = damage(&path, |mut data| {
        let end = data.len();
        data[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        data
    });
    assert!(matches!(error, AdapterError::NotFinite { .. }), "{error}");

    let nowhere = load_adapter(Model::new(&device), folder("nowhere"), &NAMING).unwrap_err();
    assert!(matches!(nowhere, AdapterError::NoAdapter { missing: "adapter_config.json", .. }), "{nowhere}");
    let (.., path) = saved("pickle", &device);
    std::fs::rename(path.join("adapter_model.safetensors"), path.join("adapter_model.bin")).unwrap();
    let error = load_adapter(Model::new(&device), &path, &NAMING).unwrap_err();
    assert!(error.to_string().contains("safe_serialization"), "{error}");

    // The head is missing in the file.
    let model = config().attach_named(Model::new(&device), 9, &NAMING).unwrap();
    let path = folder("headless");
    let headless = AdapterConfig { modules_to_save: Vec::new(), ..config() };
    save_adapter(&model, &headless, &path, &options()).unwrap();
    let file = path.join("adapter_config.json");
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("\"modules_to_save\": null", "\"modules_to_save\": [\"classifier\"]");
    std::fs::write(&file, text).unwrap();
    let error = load_adapter(Model::new(&device), &path, &NAMING).unwrap_err();
    assert!(matches!(&error, AdapterError::MissingKeys { keys, .. } if keys.len() == 4), "{error}");

    let plain = save_adapter(&Model::new(&device), &config(), folder("plain"), &options());
    assert!(matches!(plain, Err(AdapterError::NotAdapted)));
}

/// A safetensors file of empty tensors.
fn empty(tensors: &[(&str, &[u64])]) -> Vec<u8> {
    let entry = |(name, shape): &(&str, &[u64])| {
        format!(r#""base_model.model.{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[0,0]}}"#)
    };
    let header = format!("{{{}}}", tensors.iter().map(entry).collect::<Vec<_>>().join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

/// An empty tensor takes no bytes, so the header can contain any dimensions of it.
#[test]
fn huge_shapes_of_empty_tensors_are_rejected() {
    let device = Device::default();
    let (plain, _, path) = saved("empty", &device);
    let settings = r#"{"peft_type": "LORA", "r": 1099511627776, "lora_alpha": 1, "target_modules": "encoder.layer.*"}"#;
    std::fs::write(path.join("adapter_config.json"), settings).unwrap();
    let weights = path.join("adapter_model.safetensors");
    let [a, b] = ["encoder.layer.0.lora_A.weight", "encoder.layer.0.lora_B.weight"];
    for sizes in [vec![0, 1 << 41], vec![0, 1 << 41, 1 << 41], vec![1 << 41, 0]] {
        std::fs::write(&weights, empty(&[(a, &sizes), (b, &[5, 0])])).unwrap();
        let error = load_adapter(plain.clone(), &path, &NAMING).unwrap_err();
        assert!(matches!(&error, AdapterError::LoadedRank { most: 11, .. }), "{error}");
        let error = read_factors(&path).unwrap_err();
        assert!(matches!(&error, AdapterError::Shape { key, .. } if key.contains("lora_A")), "{error}");
    }
    // The rank was pruned to 0.
    std::fs::write(&weights, empty(&[(a, &[0, 11]), (b, &[11, 0])])).unwrap();
    let pairs = read_factors(&path).unwrap();
    assert_eq!((pairs[0].a.rows(), pairs[0].a.columns(), pairs[0].b.rows()), (0, 11, 11));
}
