//! `adapter_config.json`: the fields that are common to all methods. The fields of each method are in the method's file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CONFIG, SaveOptions};
use crate::adapter::Method;
use crate::config::Layers;
use crate::layout::{self, Entry, Kind};
use crate::{AdapterConfig, AdapterError, Bias, Patterns, TakenOut, Targets};

/// The configuration as PEFT writes it.
pub(super) fn write(
    config: &AdapterConfig,
    entries: &[Entry],
    adapted: &HashSet<String>,
    options: &SaveOptions<'_>,
) -> Result<Map<String, Value>, serde_json::Error> {
    let mut fields = config.method.settings().write()?;
    let mut targets = target_modules(config, entries, adapted);
    if let Method::Ia3(settings) = &config.method {
        // PEFT requires that each name in `feedforward_modules` is also in `target_modules`.
        let within =
            matches!(&settings.feedforward, Targets::Names(names) if names.iter().all(|n| targets.contains(n)));
        if !within {
            targets = whole_names(entries, adapted);
            let inputs: Vec<&String> = targets.iter().filter(|module| settings.scales_input(module)).collect();
            fields.insert("feedforward_modules".into(), json!(inputs));
        }
    }
    let common = json!({
        "task_type": options.task_type,
        "base_model_name_or_path": options.base_model,
        "revision": null,
        "inference_mode": true,
        "fan_in_fan_out": false,
        "target_modules": targets,
        "modules_to_save": match config.modules_to_save.is_empty() {
            true => Value::Null,
            false => json!(config.modules_to_save),
        },
    });
    fields.extend(common.as_object().cloned().unwrap_or_default());
    if !config.factor_biases.is_empty() {
        fields.insert("lora_bias".into(), true.into());
    }
    match config.taken_out {
        TakenOut::Nothing => {}
        TakenOut::Pissa => drop(fields.insert("init_lora_weights".into(), "pissa".into())),
        TakenOut::Olora => drop(fields.insert("init_lora_weights".into(), "olora".into())),
    }
    if !config.token_rows.is_empty() {
        fields.insert("trainable_token_indices".into(), json!(config.token_rows));
    }
    // (IA)³ has no such field, and PEFT's class rejects unknown fields.
    if !matches!(config.method, Method::Ia3(_)) {
        fields.insert("bias".into(), json!(bias_name(config)));
    }
    Ok(fields)
}

fn bias_name(config: &AdapterConfig) -> &'static str {
    match (config.bias, &config.method) {
        (Bias::None, _) => "none",
        (Bias::All, _) => "all",
        (Bias::Adapted, Method::Vera(_)) => "vera_only",
        (Bias::Adapted, _) => "lora_only",
    }
}

/// The targets as a list that PEFT resolves to the modules that are adapted here: the names in `config` if they match only
/// these modules, and otherwise the full names of these modules.
///
/// The list replaces fields for exclusions and layer indices, which not every method of PEFT has.
fn target_modules(config: &AdapterConfig, entries: &[Entry], adapted: &HashSet<String>) -> Vec<String> {
    if let Targets::Names(names) = &config.targets {
        let exactly = entries
            .iter()
            .filter(|entry| matches!(entry.kind, Kind::Weight { .. }))
            .filter(|entry| !config.modules_to_save.iter().any(|name| layout::within(&entry.name, name)))
            .filter(|entry| names.iter().any(|name| layout::names(entry.module(), name)))
            .all(|entry| adapted.contains(entry.module()));
        if exactly {
            return names.clone();
        }
    }
    whole_names(entries, adapted)
}

fn whole_names(entries: &[Entry], adapted: &HashSet<String>) -> Vec<String> {
    let weights = entries.iter().filter(|entry| matches!(entry.kind, Kind::Weight { .. }));
    weights.map(Entry::module).filter(|module| adapted.contains(*module)).map(ToString::to_string).collect()
}

/// The adapter that a folder in PEFT's format describes.
///
/// # Errors
///
/// A missing file, a file that is not JSON, an unsupported value, an unknown field that is not switched off, or invalid settings.
pub fn read_config(folder: impl AsRef<Path>) -> Result<AdapterConfig, AdapterError> {
    let folder = folder.as_ref();
    let path = folder.join(CONFIG);
    let fields = open(folder)?;
    let invalid = |source: serde_json::Error| AdapterError::Json { path: path.clone(), source: source.into() };
    let refuse = |field: &str, value: &Value, supported: &str| AdapterError::UnsupportedField {
        path: path.clone(),
        field: field.to_string(),
        found: value.to_string(),
        supported: supported.to_string(),
    };

    // The method is checked first, because the other fields of an unsupported method do not matter.
    let Some(kind) = fields.get("peft_type") else {
        return Err(invalid(serde::de::Error::missing_field("peft_type")));
    };
    let Some(method) = Method::read(&fields) else {
        return Err(refuse("peft_type", kind, Method::PEFT_TYPES));
    };
    // Unsupported values are reported before an error of the method, because their message is more specific.
    if let Some((field, value, supported)) =
        fields.iter().find_map(|(field, value)| Some((field, value, common_objection(field, value)?)))
    {
        return Err(refuse(field, value, supported));
    }
    let method = method.map_err(invalid)?;
    let known = method.settings().write().map_err(invalid)?;
    let unknown = |field: &str, value: &Value| !is_common(field) && !known.contains_key(field) && !is_off(value);
    if let Some((field, value)) = fields.iter().find(|(field, value)| unknown(field, value)) {
        return Err(refuse(field, value, "nothing (null, false or empty)"));
    }

    #[derive(Deserialize)]
    struct Common {
        target_modules: Targets,
        exclude_modules: Option<Targets>,
        modules_to_save: Option<Vec<String>>,
        layers_to_transform: Option<OneOrMany<usize>>,
        layers_pattern: Option<OneOrMany<String>>,
        trainable_token_indices: Option<TokenRows>,
        #[serde(default)]
        init_lora_weights: Option<Value>,
        #[serde(default)]
        bias: Option<String>,
    }
    let common: Common = serde_json::from_value(Value::Object(fields)).map_err(invalid)?;
    let layers = common.layers_to_transform.map(OneOrMany::list).filter(|indices| !indices.is_empty());
    let config = AdapterConfig {
        method,
        targets: common.target_modules,
        exclude: common.exclude_modules.filter(|modules| *modules != Targets::Names(Vec::new())),
        bias: match common.bias.as_deref() {
            None | Some("none") => Bias::None,
            Some("all") => Bias::All,
            Some(_) => Bias::Adapted,
        },
        modules_to_save: common.modules_to_save.unwrap_or_default(),
        layers: layers
            .map(|indices| Layers { indices, lists: common.layers_pattern.map(OneOrMany::list).unwrap_or_default() }),
        token_rows: match common.trainable_token_indices {
            None => Patterns::new(),
            // The module is found by the keys of the file.
            Some(TokenRows::Of(rows)) => Patterns::from([("", rows)]),
            Some(TokenRows::By(modules)) => modules,
        },
        factor_biases: Patterns::new(),
        taken_out: common.init_lora_weights.map_or(TakenOut::Nothing, |start| taken_out(&start)),
    };
    match config.validate() {
        Ok(()) => Ok(config),
        Err(source) => Err(AdapterError::Refused { path, source: Box::new(source) }),
    }
}

/// Indices of rows, either of the word embedding or by module.
#[derive(Deserialize)]
#[serde(untagged)]
enum TokenRows {
    Of(Vec<usize>),
    By(Patterns<Vec<usize>>),
}

/// The purpose of an adapter: the fields that describe the model for which it was trained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdapterPurpose {
    /// PEFT's task type, such as `SEQ_CLS`.
    pub task_type: Option<String>,
    /// The class of the base model, such as `BertForMaskedLM`. PEFT writes it if there is no task type.
    pub base_class: Option<String>,
    /// The modules that are fully trained and saved with the adapter.
    pub modules_to_save: Vec<String>,
}

/// The purpose of the adapter in `folder`.
///
/// # Errors
///
/// A missing file, or a file that is not JSON.
pub fn read_purpose(folder: impl AsRef<Path>) -> Result<AdapterPurpose, AdapterError> {
    let fields = open(folder.as_ref())?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(ToString::to_string);
    let list = fields.get("modules_to_save").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(AdapterPurpose {
        task_type: text(fields.get("task_type")),
        base_class: text(fields.get("auto_mapping").and_then(|mapping| mapping.get("base_model_class"))),
        modules_to_save: list.iter().filter_map(|name| text(Some(name))).collect(),
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn list(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

fn open(folder: &Path) -> Result<Map<String, Value>, AdapterError> {
    let path = folder.join(CONFIG);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(AdapterError::NoAdapter { path: folder.to_path_buf(), missing: CONFIG, hint: "" });
        }
        Err(source) => return Err(AdapterError::Io { path, source }),
    };
    serde_json::from_str(&text).map_err(|source| AdapterError::Json { path, source: source.into() })
}

/// The folder of the base model according to the configuration in an adapter folder; `None` if the configuration has none.
///
/// A relative path is resolved against the working directory, as in PEFT, and then against the adapter's folder, so the
/// adapter and its base model can be moved together.
///
/// # Errors
///
/// [`AdapterError::NoAdapter`], [`AdapterError::Io`] or [`AdapterError::Json`] if the configuration cannot be read;
/// [`AdapterError::BaseModel`] if there is no such local folder, for example for a name on the Hub.
pub fn base_model(folder: impl AsRef<Path>) -> Result<Option<PathBuf>, AdapterError> {
    let folder = folder.as_ref();
    let fields = open(folder)?;
    let Some(name) = fields.get("base_model_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    [PathBuf::from(name), folder.join(name)]
        .into_iter()
        .find(|path| path.is_dir())
        .map(Some)
        .ok_or_else(|| AdapterError::BaseModel { path: folder.join(CONFIG), name: name.to_string() })
}

/// Whether a field is accepted for every method: it is read, describes the origin of an adapter, or belongs to a feature that
/// another field enables.
fn is_common(field: &str) -> bool {
    const READ: &[&str] = &[
        "bias",
        "exclude_modules",
        "layers_pattern",
        "layers_to_transform",
        // The keys of the file show which modules have such a bias.
        "lora_bias",
        "modules_to_save",
        "peft_type",
        "target_modules",
        "trainable_token_indices",
    ];
    const WITHOUT_EFFECT: &[&str] = &[
        "auto_mapping",
        // The file contains the tensors of all tied parameters.
        "ensure_weight_tying",
        "base_model_name_or_path",
        // PEFT ignores it for linear layers, with a warning. No model here has the transposed layers of GPT-2.
        "fan_in_fan_out",
        // The next four fields affect only the initialization of the factors.
        "corda_config",
        "eva_config",
        "loftq_config",
        "lora_ga_config",
        "inference_mode",
        "megatron_core",
        "peft_version",
        "qalora_group_size",
        "revision",
        "task_type",
    ];
    READ.contains(&field) || WITHOUT_EFFECT.contains(&field)
}

/// Whether PEFT can load an adapter with this initialization without additional data.
fn is_start(name: &str) -> bool {
    matches!(name, "gaussian" | "orthogonal" | "eva" | "mica" | "lora_ga" | "pissa" | "olora")
        || name.strip_prefix("pissa_niter_").is_some_and(|count| count.parse::<usize>().is_ok())
}

/// The part that an initialization subtracts from the base weights.
fn taken_out(start: &Value) -> TakenOut {
    match start.as_str() {
        Some(name) if name.starts_with("pissa") => TakenOut::Pissa,
        Some("olora") => TakenOut::Olora,
        _ => TakenOut::Nothing,
    }
}

/// Whether a field is switched off. An unknown field is accepted only in this case, so a new feature of PEFT is rejected by
/// name and never ignored.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The supported values of a field, if `value` is not one of them.
fn common_objection(field: &str, value: &Value) -> Option<&'static str> {
    let (supported, expected) = match field {
        "bias" => (
            matches!(value.as_str(), None | Some("none" | "all" | "lora_only" | "vera_only")),
            "\"none\", \"all\", \"lora_only\" or \"vera_only\"",
        ),
        // Other values change the base weights by data that is not in the folder.
        "init_lora_weights" => (
            value.is_boolean() || value.is_null() || value.as_str().is_some_and(is_start),
            "true, false, \"gaussian\", \"orthogonal\", \"eva\", \"mica\", \"lora_ga\", \"pissa\", \"pissa_niter_N\" or \
             \"olora\"; other values change the base weights by data that is not in the folder: first convert the adapter \
             with the argument path_initial_model_for_weight_conversion of PEFT's save_pretrained",
        ),
        "init_weights" | "init_ia3_weights" => (value.is_boolean() || value.is_null(), "true or false"),
        "save_projection" => (
            value == true,
            "true, because VeRA's projections come from PyTorch's random number generator and must be in the folder",
        ),
        _ => return None,
    };
    (!supported).then_some(expected)
}

/// Whether `key` is a copy of a bias of a fully trained module, which PEFT writes with `bias="all"`.
pub(super) fn is_repeated_bias(key: &str, config: &AdapterConfig) -> bool {
    config.bias == Bias::All
        && key.ends_with(".bias")
        && (key.contains(".original_module.") || key.contains(".modules_to_save."))
}
