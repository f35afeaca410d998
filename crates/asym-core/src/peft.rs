//! Saving and loading adapters in PEFT's format.
//!
//! A folder contains `adapter_config.json` and `adapter_model.safetensors`, as `save_pretrained` of Hugging Face's PEFT writes
//! them, and a model card. Settings for which PEFT has no field, such as which factor is frozen, are in the safetensors
//! metadata under `asym`, because older versions of PEFT reject a configuration with an unknown field.

mod base;
mod card;
mod factors;
mod fields;

pub use base::LoadOptions;
pub use factors::{FactorPair, read_factors};
pub use fields::{AdapterPurpose, base_model, read_config, read_purpose};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use burn::module::Module;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::files::{ordered, repeated_key, write_whole};
use crate::layout::{self, Entry, Kind, Naming};
use crate::{AdapterConfig, AdapterError, Factor, Targets};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const CARD: &str = "README.md";
/// The prefix of the keys of a model's own modules.
const PREFIX: &str = "base_model.model.";

/// Information about an adapter that is saved in addition to its tensors.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaveOptions<'a> {
    /// The names of the model's parameters in files.
    pub naming: Naming,
    /// The base model's folder or its name on the Hub. If it is saved, it need not be specified when the adapter is used.
    pub base_model: Option<&'a str>,
    /// PEFT's task type, such as `SEQ_CLS`. It determines the class that PEFT's `AutoPeftModel` creates.
    pub task_type: Option<&'a str>,
    /// The random seed from which the factors were initialized.
    pub seed: Option<u64>,
}

/// The settings of an adapter for which PEFT's configuration has no field.
#[derive(Debug, Serialize, Deserialize)]
struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<Factor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<Factor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// The parameters of a model that an adapter folder contains, with their keys.
struct Stored<'a> {
    config: &'a AdapterConfig,
    adapted: HashSet<String>,
}

impl<'a> Stored<'a> {
    fn new<'e>(config: &'a AdapterConfig, entries: impl Iterator<Item = &'e Entry>) -> Self {
        let emptied = config.method.settings().emptied();
        let adapted = entries.filter(|entry| match entry.kind {
            Kind::Adapter => true,
            // In PEFT, a module has an adapter even if its rank is 0.
            Kind::Weight { .. } => emptied.contains(&entry.module()),
            _ => false,
        });
        Self { config, adapted: adapted.map(|entry| entry.module().to_string()).collect() }
    }

    fn holds(&self, entry: &Entry) -> bool {
        let whole = |name: &String| layout::within(&entry.name, name);
        matches!(entry.kind, Kind::Adapter | Kind::Shared)
            || self.config.modules_to_save.iter().any(whole)
            || self.config.trains_bias(entry, |module| self.adapted.contains(module))
    }

    /// PEFT's key, with the names of PEFT's wrapper, of the base model in it and, in an adapted layer, of the base layer.
    fn key(&self, entry: &Entry) -> String {
        match entry.kind {
            Kind::Shared => format!("base_model.{}", entry.name),
            Kind::Other if self.adapted.contains(entry.module()) => {
                format!("base_model.model.{}.base_layer.{}", entry.module(), entry.field())
            }
            _ => format!("base_model.model.{}", entry.name),
        }
    }
}

/// Save the adapters of `model` and its fully trained modules in `folder`, in PEFT's format.
///
/// Frozen factors are saved too. The folder is created if it does not exist. Existing files are replaced atomically.
///
/// # Errors
///
/// [`AdapterError::NotAdapted`] if the model has no adapter; [`AdapterError::Io`] if a file cannot be written.
pub fn save_adapter<M: Module>(
    model: &M,
    config: &AdapterConfig,
    folder: impl AsRef<Path>,
    options: &SaveOptions<'_>,
) -> Result<(), AdapterError> {
    let folder = folder.as_ref();
    let all = layout::entries(model, &options.naming);
    let stored = Stored::new(config, all.iter());
    if stored.adapted.is_empty() {
        return Err(AdapterError::NotAdapted);
    }
    let mut seen = HashSet::new();
    let entries = layout::collect(model, &options.naming, |entry| {
        stored.holds(entry) && (entry.kind != Kind::Shared || seen.insert(entry.name.clone()))
    });

    let factors = config.factors();
    let extra = Extra { a: factors.map(|(a, _)| a), b: factors.map(|(_, b)| b), seed: options.seed };
    let json = |source: serde_json::Error| AdapterError::Json { path: folder.join(CONFIG), source: source.into() };
    let metadata = HashMap::from([
        ("format".to_string(), "pt".to_string()),
        ("asym".to_string(), serde_json::to_string(&extra).map_err(json)?),
    ]);
    let peft = fields::write(config, &all, &stored.adapted, options).map_err(json)?;
    let peft = serde_json::to_string_pretty(&peft).map_err(json)?;

    let settings = config.method.settings();
    let bytes: BTreeMap<String, (Vec<usize>, Vec<u8>)> = entries
        .into_iter()
        .filter_map(|(entry, values)| {
            let (shape, values) = match entry.kind {
                Kind::Adapter => settings.prune(entry.module(), entry.field(), &entry.shape, values?),
                _ => (entry.shape.clone(), values?),
            };
            Some((stored.key(&entry), shape, values))
        })
        .chain(base::saved(model, config, &options.naming))
        .map(|(key, shape, values)| (key, (shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())))
        .collect();
    let weights = folder.join(WEIGHTS);
    let invalid = |source| AdapterError::Safetensors { path: weights.clone(), source };
    let views: Vec<(&String, TensorView<'_>)> = bytes
        .iter()
        .map(|(key, (shape, bytes))| Ok((key, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<_, _>>()
        .map_err(invalid)?;
    let data = ordered(safetensors::serialize(views, Some(metadata)).map_err(invalid)?);

    std::fs::create_dir_all(folder).map_err(|source| AdapterError::Io { path: folder.to_path_buf(), source })?;
    write(&weights, &data)?;
    write(&folder.join(CARD), card::text(config, &crate::inspect(model, &options.naming), options).as_bytes())?;
    write(&folder.join(CONFIG), peft.as_bytes())
}

/// Attach the adapter of `folder`, in PEFT's format, to `model` and load its values.
///
/// If asym wrote the folder, the same factors are frozen as before. In any other adapter, every parameter of the method is
/// trained, except VeRA's projections. Use `model.valid()` for inference.
///
/// # Errors
///
/// A missing or damaged file; an unsupported setting of PEFT, by name; missing or unexpected keys; a wrong shape; values that
/// are not finite; and the errors of [`AdapterConfig::attach_named`].
pub fn load_adapter<M: Module>(
    model: M,
    folder: impl AsRef<Path>,
    naming: &Naming,
) -> Result<(M, AdapterConfig), AdapterError> {
    load_adapter_with(model, folder, &LoadOptions { naming: *naming, ties: &[] })
}

/// Like [`load_adapter`], for a base model with tied parameters.
///
/// # Errors
///
/// The errors of [`load_adapter`].
pub fn load_adapter_with<M: Module>(
    model: M,
    folder: impl AsRef<Path>,
    options: &LoadOptions<'_>,
) -> Result<(M, AdapterConfig), AdapterError> {
    let (folder, naming) = (folder.as_ref(), &options.naming);
    let mut config = read_config(folder)?;
    let path = folder.join(WEIGHTS);
    let data = read(folder, &path)?;
    let invalid = |source| AdapterError::Safetensors { path: path.clone(), source };
    let file = parse(&path, &data)?;
    let (_, header) = SafeTensors::read_metadata(&data).map_err(invalid)?;
    if let Some(extra) = header.metadata().as_ref().and_then(|metadata| metadata.get("asym")) {
        let extra: Extra = serde_json::from_str(extra)
            .map_err(|source| AdapterError::Json { path: path.clone(), source: source.into() })?;
        if let (Some(a), Some(b)) = (extra.a, extra.b) {
            config.method.settings_mut().set_factors(a, b);
        }
    }

    // PEFT lists all usual names of a head, `classifier` and `score`, regardless of the name in this model.
    let before = layout::entries(&model, naming);
    // PEFT also saves a module whose name only ends with one of these names, such as DistilBERT's `pre_classifier`.
    for entry in &before {
        let is_named = |name: &String| layout::within(&entry.name, name);
        let ends_so = config.modules_to_save.iter().any(|name| entry.module().ends_with(name.as_str()));
        let saved = || file.tensor(&format!("{PREFIX}{}", entry.name)).is_ok();
        if ends_so && !config.modules_to_save.iter().any(is_named) && saved() {
            config.modules_to_save.push(entry.module().to_string());
        }
    }
    config.modules_to_save.retain(|name| before.iter().any(|entry| layout::within(&entry.name, name)));
    // PEFT accepts a list of targets if at least one of its names is found.
    if let Targets::Names(names) = &mut config.targets
        && names.iter().any(|name| before.iter().any(|entry| layout::names(entry.module(), name)))
    {
        names.retain(|name| before.iter().any(|entry| layout::names(entry.module(), name)));
    }
    // With `ensure_weight_tying`, an adapter of a tied weight is also on the copies of this weight, which are not targets.
    if let Targets::Names(names) = &mut config.targets {
        let copies =
            options.ties.iter().flat_map(|(_, copies)| *copies).filter_map(|copy| copy.strip_suffix(".weight"));
        for module in copies.filter(|copy| before.iter().any(|entry| entry.module() == *copy)) {
            let has_factors = file.names().iter().any(|key| key.starts_with(&format!("{PREFIX}{module}.lora_")));
            if has_factors && !names.iter().any(|name| layout::names(module, name)) {
                names.push(module.to_string());
            }
        }
    }

    let (model, read) = base::Folder { path: &path, file: &file, options }.rebase(model, &mut config)?;
    let is_factor = |key: &str| key.contains("lora_") || key.contains("vera_");
    let factors = file.iter().filter(|(key, _)| is_factor(key));
    // The header can contain any dimensions of an empty tensor. They are limited by those of the model.
    let widest = before.iter().flat_map(|entry| entry.shape.iter().copied()).max().unwrap_or(0);
    let sizes = factors.flat_map(|(_, view)| {
        let most = if view.shape().contains(&0) { widest } else { usize::MAX };
        view.shape().iter().map(move |size| (*size).min(most)).collect::<Vec<_>>()
    });
    let largest = sizes.max().unwrap_or(0);
    let model = config.attach_loaded(model, largest, naming)?;
    let entries = layout::entries(&model, naming);
    let stored = Stored::new(&config, entries.iter());
    let expected: HashSet<String> =
        entries.iter().filter(|entry| stored.holds(entry)).map(|entry| stored.key(entry)).collect();
    check_keys(&path, &file, &config, (&expected, &read))?;
    let model = layout::replace(model, naming, |entry| match stored.holds(entry) {
        true => tensor(&path, &file, stored.key(entry), &entry.shape).map(Some),
        false => Ok(None),
    })?;
    Ok((base::without_start(model, &config, naming, &stored.adapted)?, config))
}

/// The naming of the parameters of `model` in the adapter in `folder`: the first of `ways` that matches the most tensors of the
/// adapter. Adapters have different namings if a library has renamed its modules.
///
/// # Errors
///
/// A missing or damaged file.
pub fn adapter_naming<M: Module>(model: &M, folder: impl AsRef<Path>, ways: &[Naming]) -> Result<Naming, AdapterError> {
    let folder = folder.as_ref();
    let path = folder.join(WEIGHTS);
    let data = read(folder, &path)?;
    let file = parse(&path, &data)?;
    let known = |naming: &&Naming| {
        let entries = layout::entries(model, naming);
        let modules: HashSet<&str> = entries.iter().map(Entry::module).collect();
        let of = |key: &&str| {
            let name = key.strip_prefix(PREFIX).unwrap_or(key);
            name.match_indices('.').any(|(end, _)| modules.contains(&name[..end]))
        };
        file.names().iter().filter(|key| of(key)).count()
    };
    // `max_by_key` returns the last of several maxima. The list is reversed to get the first.
    Ok(ways.iter().rev().max_by_key(known).copied().unwrap_or_default())
}

fn read(folder: &Path, path: &Path) -> Result<Vec<u8>, AdapterError> {
    match std::fs::read(path) {
        Ok(data) => Ok(data),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = match folder.join("adapter_model.bin").exists() {
                true => {
                    "; `adapter_model.bin` contains Python objects: save the adapter again with safe_serialization=True"
                }
                false => "",
            };
            Err(AdapterError::NoAdapter { path: folder.to_path_buf(), missing: WEIGHTS, hint })
        }
        Err(source) => Err(AdapterError::Io { path: path.to_path_buf(), source }),
    }
}

/// The tensors of the file at `path`, whose bytes are `data`.
fn parse<'a>(path: &Path, data: &'a [u8]) -> Result<SafeTensors<'a>, AdapterError> {
    if let Some(key) = repeated_key(data) {
        return Err(AdapterError::RepeatedKey { path: path.to_path_buf(), key });
    }
    SafeTensors::deserialize(data).map_err(|source| AdapterError::Safetensors { path: path.to_path_buf(), source })
}

/// The end of the key of DoRA's magnitude. Some versions of PEFT save the magnitude as the weight of a module.
const MAGNITUDE: &str = "lora_magnitude_vector";
const WEIGHT: &str = ".weight";

/// A key of the file without the spelling of some versions of PEFT.
fn canonical(key: &str) -> &str {
    key.strip_suffix(WEIGHT).filter(|key| key.ends_with(MAGNITUDE)).unwrap_or(key)
}

/// The values of the tensor with this key. The shape, the dtype and the values are checked.
fn tensor(path: &Path, file: &SafeTensors<'_>, key: String, shape: &[usize]) -> Result<Vec<f32>, AdapterError> {
    let path = || path.to_path_buf();
    let other = || file.tensor(&format!("{key}{WEIGHT}"));
    let view = file.tensor(&key).or_else(|error| if key.ends_with(MAGNITUDE) { other() } else { Err(error) });
    let view = view.map_err(|source| AdapterError::Safetensors { path: path(), source })?;
    if view.shape() != shape {
        return Err(AdapterError::Shape { path: path(), key, expected: shape.to_vec(), found: view.shape().to_vec() });
    }
    let Some(values) = layout::to_f32(&view) else {
        return Err(AdapterError::Dtype { path: path(), key, found: format!("{:?}", view.dtype()) });
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(AdapterError::NotFinite { path: path(), key, found: values[index], index }),
        None => Ok(values),
    }
}

fn check_keys(
    path: &Path,
    file: &SafeTensors<'_>,
    config: &AdapterConfig,
    (expected, read): (&HashSet<String>, &HashSet<String>),
) -> Result<(), AdapterError> {
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    let names: Vec<&str> = file.names().into_iter().map(canonical).collect();
    let missing: Vec<String> = expected.iter().filter(|key| !names.contains(&key.as_str())).cloned().collect();
    if !missing.is_empty() {
        let projections = missing.iter().any(|key| key == "base_model.vera_A" || key == "base_model.vera_B");
        return Err(AdapterError::MissingKeys {
            path: path.to_path_buf(),
            keys: sorted(missing),
            hint: match projections {
                true => {
                    "; VeRA's projections come from PyTorch's random number generator: save the adapter again with \
                     save_projection=True"
                }
                false => "",
            },
        });
    }
    // A layer whose rank was pruned to 0 has empty tensors.
    let empty = |name: &str| file.tensor(name).is_ok_and(|view| view.shape().contains(&0));
    let unexpected: Vec<String> = names
        .iter()
        .filter(|name| {
            !expected.contains(**name)
                && !read.contains(**name)
                && !empty(name)
                && !fields::is_repeated_bias(name, config)
        })
        .map(ToString::to_string)
        .collect();
    match unexpected.is_empty() {
        true => Ok(()),
        false => Err(AdapterError::UnexpectedKeys { path: path.to_path_buf(), keys: sorted(unexpected) }),
    }
}

/// Write a file atomically.
fn write(path: &Path, data: &[u8]) -> Result<(), AdapterError> {
    write_whole(path, data).map_err(|source| AdapterError::Io { path: path.to_path_buf(), source })
}
