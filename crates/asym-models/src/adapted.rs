//! Adapters in PEFT's format on the models of this crate, and the changes that they make outside the adapted layers.
//!
//! PEFT unties two weights if an adapter changes only one of them. LoRA on the word embedding does not change the head,
//! and the head does not use an embedding that the adapter saves in full. Such a model is loaded here with a separate
//! tensor for each weight. If the vocabulary was resized, the adapter's folder contains the new embeddings.

use std::collections::BTreeMap;
use std::path::Path;

use asym_core::layout::{self, Kind, Layer};
use asym_core::{AdapterConfig, AdapterError, LoadOptions, adapter_naming, read_purpose};

use crate::keys::within;
use crate::weights::{Stored, open_file};
use crate::{KeyTable, ModelConfig, ModelError, PretrainedModel};

/// The prefix of the weights' names in PEFT's files.
const PREFIX: &str = "base_model.model.";
const WEIGHT: &str = ".weight";

/// The configuration that a model with `config` has after the adapter in `folder` is applied. It is untied if the adapter
/// unties weights, and it has the vocabulary size of the adapter. Without an adapter file in `folder`, this is `config`.
///
/// # Errors
///
/// Returns an error if the adapter file cannot be read.
pub fn adapted_config<M: PretrainedModel>(config: &M::Config, folder: &Path) -> Result<M::Config, ModelError> {
    let tensors = match open_file(&folder.join("adapter_model.safetensors")) {
        Ok(tensors) => tensors,
        // The adapter is read later, with a more detailed error.
        Err(ModelError::MissingFile { .. }) => return Ok(config.clone()),
        Err(error) => return Err(error),
    };
    let saved = read_purpose(folder).map(|purpose| purpose.modules_to_save).unwrap_or_default();
    let table = M::keys(config);
    let mut adapted = config.clone();
    if config.is_tied() && parts(table, &tensors, &saved) {
        adapted = adapted.untied();
    }
    match rows(table, &tensors) {
        Some(rows) if config.vocabulary().is_some_and(|own| own != rows) => Ok(adapted.with_vocabulary(rows)),
        _ => Ok(adapted),
    }
}

/// Whether an adapter with these tensors changes only one of two tied weights. `saved` are the modules that it saves in full.
fn parts(table: &KeyTable, tensors: &BTreeMap<String, Stored>, saved: &[String]) -> bool {
    let names = || tensors.keys().filter_map(|key| key.strip_prefix(PREFIX));
    table.tied.iter().any(|(parameter, copies)| {
        let module = parameter.strip_suffix(WEIGHT).unwrap_or(parameter);
        let is_saved = saved.iter().any(|name| layout::within(parameter, name));
        let of_parameter = |name: &str| {
            within(name, module)
                // Rows and whole tensors that are not among `modules_to_save` replace those of the base model in both weights.
                && (is_saved || !(name.contains(".token_adapter.") || name == *parameter))
        };
        let of_copy = |name: &str| {
            copies.iter().any(|copy| within(name, copy.rsplit_once('.').map_or(copy, |(module, _)| module)))
        };
        names().any(|name| of_copy(name) || of_parameter(name))
    })
}

/// The number of rows of the word embedding or the head in the adapter's file, if it contains one of them.
fn rows(table: &KeyTable, tensors: &BTreeMap<String, Stored>) -> Option<usize> {
    let sides = table.vocabulary.iter();
    let keys = sides.flat_map(|side| [format!("{PREFIX}{side}{WEIGHT}"), format!("{PREFIX}{side}.base_layer{WEIGHT}")]);
    keys.filter_map(|key| tensors.get(&key)).find_map(|stored| stored.shape.first().copied())
}

/// Attach the adapter in `folder`, in PEFT format, to `model`. The modules can have the names of transformers 4 or 5.
///
/// # Errors
///
/// The errors of [`asym_core::load_adapter`].
pub fn load_adapter<M: PretrainedModel>(
    model: M,
    folder: impl AsRef<Path>,
) -> Result<(M, AdapterConfig), AdapterError> {
    let folder = folder.as_ref();
    let table = M::keys(model.config());
    let was_tied = model.config().is_tied();
    // If the file cannot be read, `load_adapter_with` below reports the error.
    let model = match adapted_config::<M>(model.config(), folder) {
        Ok(config) => {
            let resized = config.vocabulary() != model.config().vocabulary();
            let model = reshaped(model, &config);
            if resized {
                check_sides(&model, folder, was_tied)?;
            }
            model
        }
        Err(_) => model,
    };
    let naming = match table.in_memory {
        Some(in_memory) => adapter_naming(&model, folder, &[in_memory, table.naming])?,
        None => table.naming,
    };
    let ties = if was_tied { table.tied } else { &[] };
    asym_core::load_adapter_with(model, folder, &LoadOptions { naming, ties })
}

/// Check that an adapter that resizes the vocabulary contains the weights of `model`'s word embeddings and head.
fn check_sides<M: PretrainedModel>(model: &M, folder: &Path, was_tied: bool) -> Result<(), AdapterError> {
    let (path, table) = (folder.join("adapter_model.safetensors"), M::keys(model.config()));
    // If the file cannot be read, `load_adapter_with` returns a more detailed error.
    let Ok(tensors) = open_file(&path) else { return Ok(()) };
    let has = |side: &str| {
        ["", ".base_layer"].iter().any(|layer| tensors.contains_key(&format!("{PREFIX}{side}{layer}{WEIGHT}")))
    };
    let of_tie = |side: &str| {
        let weight = format!("{side}{WEIGHT}");
        let tie =
            table.tied.iter().filter(|_| was_tied).find(|(name, copies)| *name == weight || copies.contains(&&*weight));
        tie.is_some_and(|(name, copies)| {
            [name].into_iter().chain(*copies).any(|name| has(name.strip_suffix(WEIGHT).unwrap_or(name)))
        })
    };
    let entries = layout::entries(model, &table.naming);
    let lacks = |side: &&&str| entries.iter().any(|entry| entry.module() == **side) && !has(side) && !of_tie(side);
    match table.vocabulary.iter().find(lacks) {
        Some(side) => Err(AdapterError::MissingKeys {
            path,
            keys: vec![format!("{PREFIX}{side}{WEIGHT}")],
            hint: "; the adapter changes the size of the vocabulary, so it must contain all rows of this weight",
        }),
        None => Ok(()),
    }
}

/// `model` with another configuration, which may differ only in the tied weights and the vocabulary size. A parameter
/// that is no longer tied gets its own tensor, and new rows are zeros.
fn reshaped<M: PretrainedModel>(model: M, config: &M::Config) -> M {
    let old = model.config();
    if (old.is_tied(), old.vocabulary()) == (config.is_tied(), config.vocabulary()) {
        return model;
    }
    with_own_copies(&model, config, |name| {
        let read = layout::collect(&model, &M::keys(config).naming, |entry| entry.name == name);
        read.into_iter().find_map(|(entry, values)| (entry.name == name).then_some(values?))
    })
}

/// A model with `config` and the tensors of `model`. `value` returns the values of a parameter by its name. It is called
/// for a parameter whose shapes in the two models differ, and for the source of a parameter that was tied.
fn with_own_copies<M: PretrainedModel>(model: &M, config: &M::Config, value: impl Fn(&str) -> Option<Vec<f32>>) -> M {
    let naming = M::keys(config).naming;
    let device = &model.devices().into_iter().next().unwrap_or_default();
    let before = layout::entries(model, &naming);
    let kept = |entry: &layout::Entry| before.iter().any(|old| old.path == entry.path && old.shape == entry.shape);
    let new = layout::adopt(M::skeleton(config, device), model, &naming, kept);
    let filled = layout::replace(new, &naming, |entry| {
        if kept(entry) {
            return Ok::<_, std::convert::Infallible>(None);
        }
        let source = M::keys(config).tied.iter().find(|(_, copies)| copies.contains(&entry.name.as_str()));
        let own = before.iter().any(|old| old.name == entry.name);
        let name = source.filter(|_| !own).map_or(entry.name.as_str(), |(parameter, _)| parameter);
        let mut values = value(name).unwrap_or_default();
        values.resize(entry.count(), 0.0);
        Ok(Some(values))
    });
    match filled {
        Ok(model) => model,
        Err(never) => match never {},
    }
}

/// Merge the adapters of `model` into its weights. The outputs of the merged model are the same. If an adapter is on a
/// word embedding that is tied to the head, the merged model is untied, because the adapter does not change the head.
pub fn merge<M: PretrainedModel>(model: M) -> M {
    let (config, naming) = (model.config(), M::keys(model.config()).naming);
    let adapted = layout::entries(&model, &naming).into_iter().filter(|entry| entry.kind == Kind::Adapter);
    let adapted: Vec<String> = adapted.map(|entry| entry.module().to_string()).collect();
    let is_adapted = |parameter: &str| adapted.iter().any(|module| parameter.strip_suffix(WEIGHT) == Some(module));
    if !config.is_tied() || !M::keys(config).tied.iter().any(|(parameter, _)| is_adapted(parameter)) {
        return asym_core::merge(model);
    }
    let untied = config.clone().untied();
    // The head uses the embedding without the adapter.
    let weights = |entry: &layout::Entry| matches!(entry.kind, Kind::Weight { layer: Layer::Embedding, .. });
    let bases: BTreeMap<String, Vec<f32>> = layout::collect(&model, &naming, |entry| weights(entry))
        .into_iter()
        .filter_map(|(entry, values)| Some((entry.name, values?)))
        .collect();
    let merged = asym_core::merge(model);
    with_own_copies(&merged, &untied, |name| {
        let other =
            || layout::collect(&merged, &naming, |entry| entry.name == name).into_iter().find_map(|(_, values)| values);
        bases.get(name).cloned().or_else(other)
    })
}

/// The suffixes of the name that the last layer of a sequence classifier's head has in the supported families.
const LAST_OF_HEAD: [&str; 4] =
    ["classifier.out_proj.weight", "classification_head.out_proj.weight", "classifier.weight", "score.weight"];

/// The number of labels of the classification head that the adapter in `folder` saves in full, in PEFT's format. `None`
/// if it does not save a head.
///
/// # Errors
///
/// [`ModelError::Io`] or [`ModelError::Safetensors`].
pub fn adapter_outputs(folder: &Path) -> Result<Option<usize>, ModelError> {
    let tensors = match open_file(&folder.join("adapter_model.safetensors")) {
        Ok(tensors) => tensors,
        // The adapter is read later, with a more detailed error.
        Err(ModelError::MissingFile { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let is = |key: &str, end: &str| key.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let found = tensors.iter().find(|(key, _)| LAST_OF_HEAD.iter().any(|end| is(key, end)));
    Ok(found.and_then(|(_, stored)| stored.shape.first().copied()))
}
