//! Adapters in PEFT's format, both ways.
//!
//! A folder holds `adapter_config.json` and `adapter_model.safetensors`, as `save_pretrained` of Hugging Face's PEFT writes
//! them. What PEFT has no field for, such as which factor is frozen, stands in the safetensors metadata under `asym`,
//! since older versions of PEFT refuse a configuration with a field they do not know.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::Module;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::layout::{self, Entry, Kind, Naming};
use crate::{AdapterConfig, AdapterError, Factor, Method, Targets};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the name of every tensor: its own wrapper and the base model inside.
const PREFIX: &str = "base_model.model.";

/// What is written beside the tensors.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaveOptions<'a> {
    /// How the model's parameters are called in files.
    pub naming: Naming,
    /// The base model's folder or its name on the Hub, so that the adapter can be used without naming it again.
    pub base_model: Option<&'a str>,
    /// PEFT's task type, such as `SEQ_CLS`: which class PEFT's `AutoPeftModel` builds.
    pub task_type: Option<&'a str>,
    /// The seed from which the factors were drawn.
    pub seed: Option<u64>,
}

/// What asym knows of an adapter and PEFT does not.
#[derive(Debug, Serialize, Deserialize)]
struct Extra {
    a: Factor,
    b: Factor,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// Save the adapters of `model`, and its modules trained whole, into `folder` in PEFT's format.
///
/// Frozen factors are saved too. The folder is made where it is missing; files of an older save are replaced, each in
/// one step.
///
/// # Errors
///
/// [`AdapterError::NotAdapted`], or what the system refuses.
pub fn save_adapter<M: Module>(
    model: &M,
    config: &AdapterConfig,
    folder: impl AsRef<Path>,
    options: &SaveOptions<'_>,
) -> Result<(), AdapterError> {
    let folder = folder.as_ref();
    let wanted = |entry: &Entry| {
        entry.kind == Kind::Adapter || config.modules_to_save.iter().any(|name| layout::within(&entry.name, name))
    };
    let entries = layout::collect(model, &options.naming, wanted);
    if !entries.iter().any(|(entry, _)| entry.kind == Kind::Adapter) {
        return Err(AdapterError::NotAdapted);
    }

    let extra = Extra { a: config.a, b: config.b, seed: options.seed };
    let json = |source| AdapterError::Json { path: folder.join(CONFIG), source };
    let metadata = HashMap::from([
        ("format".to_string(), "pt".to_string()),
        ("asym".to_string(), serde_json::to_string(&extra).map_err(json)?),
    ]);
    let all: Vec<&Entry> = entries.iter().map(|(entry, _)| entry).collect();
    let peft = serde_json::to_string_pretty(&peft_config(config, &all, options)).map_err(json)?;

    let bytes: BTreeMap<String, (Vec<usize>, Vec<u8>)> = entries
        .iter()
        .filter_map(|(entry, values)| {
            let bytes = values.as_ref()?.iter().flat_map(|value| value.to_le_bytes()).collect();
            Some((format!("{PREFIX}{}", entry.name), (entry.shape.clone(), bytes)))
        })
        .collect();
    let weights = folder.join(WEIGHTS);
    let invalid = |source| AdapterError::Safetensors { path: weights.clone(), source };
    let views: Vec<(&String, TensorView<'_>)> = bytes
        .iter()
        .map(|(key, (shape, bytes))| Ok((key, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<_, _>>()
        .map_err(invalid)?;
    let data = safetensors::serialize(views, Some(metadata)).map_err(invalid)?;

    std::fs::create_dir_all(folder).map_err(|source| AdapterError::Io { path: folder.to_path_buf(), source })?;
    write_in_one_step(&weights, &data)?;
    write_in_one_step(&folder.join(CONFIG), peft.as_bytes())
}

/// Attach the adapter of `folder`, in PEFT's format, to `model` and load its values.
///
/// A folder that asym wrote freezes what was frozen; in any other, both factors are trained. Use `model.valid()` to
/// predict.
///
/// # Errors
///
/// A missing or damaged file; a setting of PEFT that is not supported, by name; keys that are missing or left over; a
/// shape that does not fit; values that are not finite; and what [`AdapterConfig::attach_named`] refuses.
pub fn load_adapter<M: Module>(
    model: M,
    folder: impl AsRef<Path>,
    naming: &Naming,
) -> Result<(M, AdapterConfig), AdapterError> {
    let folder = folder.as_ref();
    let mut config = read_config(folder)?;
    let path = folder.join(WEIGHTS);
    let data = match std::fs::read(&path) {
        Ok(data) => data,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = match folder.join("adapter_model.bin").exists() {
                true => {
                    "; `adapter_model.bin` holds Python objects: save the adapter again with safe_serialization=True"
                }
                false => "",
            };
            return Err(AdapterError::NoAdapter { path: folder.to_path_buf(), missing: WEIGHTS, hint });
        }
        Err(source) => return Err(AdapterError::Io { path, source }),
    };
    let invalid = |source| AdapterError::Safetensors { path: path.clone(), source };
    let file = SafeTensors::deserialize(&data).map_err(invalid)?;
    let (_, header) = SafeTensors::read_metadata(&data).map_err(invalid)?;
    if let Some(extra) = header.metadata().as_ref().and_then(|metadata| metadata.get("asym")) {
        let extra: Extra =
            serde_json::from_str(extra).map_err(|source| AdapterError::Json { path: path.clone(), source })?;
        (config.a, config.b) = (extra.a, extra.b);
    }

    // PEFT lists every name a head could have, `classifier` and `score`, whichever the model has.
    let before = layout::entries(&model, naming);
    config.modules_to_save.retain(|name| before.iter().any(|entry| layout::within(&entry.name, name)));

    // The drawn values are replaced at once: zeros cost the least.
    let blank = AdapterConfig {
        a: Factor { init: crate::Init::Zero, ..config.a },
        b: Factor { init: crate::Init::Zero, ..config.b },
        ..config.clone()
    };
    let model = blank.attach_named(model, 0, naming)?;

    let is_saved = |entry: &Entry| {
        entry.kind == Kind::Adapter || config.modules_to_save.iter().any(|name| layout::within(&entry.name, name))
    };
    let expected: HashMap<String, Vec<usize>> = layout::entries(&model, naming)
        .into_iter()
        .filter(is_saved)
        .map(|entry| (format!("{PREFIX}{}", entry.name), entry.shape))
        .collect();
    check_keys(&path, &file, &expected)?;
    let model = layout::replace(model, naming, |entry| {
        if !is_saved(entry) {
            return Ok(None);
        }
        let key = format!("{PREFIX}{}", entry.name);
        let view = file.tensor(&key).map_err(|source| AdapterError::Safetensors { path: path.clone(), source })?;
        if view.shape() != entry.shape {
            return Err(AdapterError::Shape {
                path: path.clone(),
                key,
                expected: entry.shape.clone(),
                found: view.shape().to_vec(),
            });
        }
        let values = layout::to_f32(&view).ok_or_else(|| AdapterError::Dtype {
            path: path.clone(),
            key: key.clone(),
            found: format!("{:?}", view.dtype()),
        })?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(AdapterError::NotFinite { path: path.clone(), key, found: values[index], index }),
            None => Ok(Some(values)),
        }
    })?;
    Ok((model, config))
}

fn check_keys(path: &Path, file: &SafeTensors<'_>, expected: &HashMap<String, Vec<usize>>) -> Result<(), AdapterError> {
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    let names = file.names();
    let missing: Vec<String> = expected.keys().filter(|key| !names.contains(&key.as_str())).cloned().collect();
    if !missing.is_empty() {
        return Err(AdapterError::MissingKeys { path: path.to_path_buf(), keys: sorted(missing) });
    }
    let unexpected: Vec<String> =
        names.iter().filter(|name| !expected.contains_key(**name)).map(ToString::to_string).collect();
    match unexpected.is_empty() {
        true => Ok(()),
        false => Err(AdapterError::UnexpectedKeys { path: path.to_path_buf(), keys: sorted(unexpected) }),
    }
}

/// The configuration as PEFT writes it.
fn peft_config(config: &AdapterConfig, entries: &[&Entry], options: &SaveOptions<'_>) -> Value {
    let Method::Lora = config.method;
    json!({
        "peft_type": "LORA",
        "task_type": options.task_type,
        "base_model_name_or_path": options.base_model,
        "r": config.rank,
        "lora_alpha": config.alpha_or_default(),
        "lora_dropout": config.dropout,
        "target_modules": target_modules(config, entries),
        "modules_to_save": match config.modules_to_save.is_empty() {
            true => Value::Null,
            false => json!(config.modules_to_save),
        },
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "layers_to_transform": null,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": false,
        "use_dora": false,
        "revision": null,
    })
}

/// The targets as a list that PEFT resolves to the modules that are adapted here.
fn target_modules(config: &AdapterConfig, entries: &[&Entry]) -> Vec<String> {
    let mut adapted: Vec<String> =
        entries.iter().filter(|entry| entry.kind == Kind::Adapter).map(|entry| entry.module().to_string()).collect();
    adapted.dedup();
    let exactly = |names: &[String]| {
        entries
            .iter()
            .filter(|entry| matches!(entry.kind, Kind::AdaptedLinear | Kind::Linear))
            .filter(|entry| names.iter().any(|name| layout::names(entry.module(), name)))
            .all(|entry| adapted.iter().any(|module| module == entry.module()))
    };
    match &config.targets {
        Targets::Names(names) if exactly(names) => names.clone(),
        _ => adapted,
    }
}

/// The adapter that a folder in PEFT's format describes.
///
/// # Errors
///
/// A missing file, one that is no JSON, or a field that is neither understood nor at its default.
pub fn read_config(folder: impl AsRef<Path>) -> Result<AdapterConfig, AdapterError> {
    let folder = folder.as_ref();
    let path = folder.join(CONFIG);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(AdapterError::NoAdapter { path: folder.to_path_buf(), missing: CONFIG, hint: "" });
        }
        Err(source) => return Err(AdapterError::Io { path, source }),
    };
    let invalid = |source| AdapterError::Json { path: path.clone(), source };
    let fields: Map<String, Value> = serde_json::from_str(&text).map_err(invalid)?;
    // The kind first: in an adapter of another kind every other field is beside the point.
    let kind = fields.get_key_value("peft_type");
    for (field, value) in kind.into_iter().chain(&fields) {
        if let Some(supported) = objection(field, value) {
            return Err(AdapterError::UnsupportedField {
                path: path.clone(),
                field: field.clone(),
                found: value.to_string(),
                supported: supported.to_string(),
            });
        }
    }

    #[derive(Deserialize)]
    struct Known {
        // Its value was looked at above; here it has to be there.
        #[serde(rename = "peft_type")]
        _kind: String,
        r: usize,
        lora_alpha: f64,
        #[serde(default)]
        lora_dropout: f64,
        target_modules: Targets,
        modules_to_save: Option<Vec<String>>,
    }
    let known: Known = serde_json::from_str(&text).map_err(invalid)?;
    let config =
        AdapterConfig::lora(known.r).alpha(known.lora_alpha).dropout(known.lora_dropout).targets(known.target_modules);
    let config = AdapterConfig { modules_to_save: known.modules_to_save.unwrap_or_default(), ..config };
    config.validate()?;
    Ok(config)
}

/// What a field of PEFT's configuration would have to be, where its value is not supported.
///
/// A field that is not known here is accepted only where it is switched off, so that a new feature of PEFT is refused by
/// name and never ignored.
fn objection(field: &str, value: &Value) -> Option<&'static str> {
    /// They describe where an adapter comes from, or belong to a feature that another field switches on.
    const WITHOUT_EFFECT: &[&str] = &[
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "megatron_core",
        "peft_version",
        "qalora_group_size",
        "revision",
        "task_type",
    ];
    const UNDERSTOOD: &[&str] = &["r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save"];
    let (supported, expected) = match field {
        field if WITHOUT_EFFECT.contains(&field) || UNDERSTOOD.contains(&field) => return None,
        "peft_type" => (value == "LORA", "\"LORA\""),
        "bias" => (value == "none", "\"none\""),
        // The others, pissa and its kind, change the base weights.
        "init_lora_weights" => (
            value.is_boolean() || value.is_null() || value == "gaussian" || value == "orthogonal",
            "true, false, \"gaussian\" or \"orthogonal\", which leave the base weights as they are",
        ),
        _ => {
            let off = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Object(map) => map.is_empty(),
                Value::Array(list) => list.is_empty(),
                _ => false,
            };
            (off, "nothing (null, false or empty)")
        }
    };
    (!supported).then_some(expected)
}

/// Write a file under another name and move it into place, so that a killed run leaves the old one or the new one.
fn write_in_one_step(path: &Path, data: &[u8]) -> Result<(), AdapterError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    std::fs::write(&temporary, data)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|source| AdapterError::Io { path: path.to_path_buf(), source })
}
