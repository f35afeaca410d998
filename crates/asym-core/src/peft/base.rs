//! Changes of the base model that an adapter's folder contains: the base weights that PEFT saves together with factors or after
//! the vocabulary was resized, the trained rows of an embedding, and the biases of factors.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use burn::module::Module;
use faer::Mat;
use safetensors::SafeTensors;

use super::{PREFIX, tensor};
use crate::layout::{self, Entry, Kind, Layer, Naming};
use crate::linalg::apart;
use crate::{AdapterConfig, AdapterError, Bias, Dora, Lora, Method, Patterns, TakenOut};

/// Options for loading an adapter.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// The names of the model's parameters in files.
    pub naming: Naming,
    /// Tied parameters, which are one tensor in the base model: the name of a parameter and the names of its copies. They may be
    /// separate tensors in the model that is loaded. If PEFT's adapter changes the shared tensor, all of them are changed.
    pub ties: &'a [(&'a str, &'a [&'a str])],
}

impl<'a> LoadOptions<'a> {
    /// The names of all parameters that are tied to `name`, where the copies are last; only `name` if it is not tied.
    fn group<'b>(&'b self, name: &'b str) -> Vec<&'b str> {
        let tie = self.ties.iter().find(|(parameter, copies)| *parameter == name || copies.contains(&name));
        tie.map_or_else(
            || vec![name],
            |(parameter, copies)| [*parameter].into_iter().chain(copies.iter().copied()).collect(),
        )
    }
}

/// The end of the key of an embedding's trained rows, after the name of the embedding.
const ROWS: &str = ".token_adapter.trainable_tokens_delta";

/// The end of the key of the bias of a factor B, after the name of the module.
const FACTOR_BIAS: &str = ".lora_B.bias";

/// The last segments of the names of output layers that are as large as the vocabulary.
const HEADS: [&str; 2] = ["lm_head", "decoder"];

/// The folder of an adapter that is being loaded.
pub(super) struct Folder<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a SafeTensors<'a>,
    pub(super) options: &'a LoadOptions<'a>,
}

/// New values of parameters.
#[derive(Default)]
struct Changes {
    /// Whole tensors, by name.
    whole: HashMap<String, Vec<f32>>,
    /// Rows and their values, by name.
    rows: HashMap<String, (Vec<usize>, Vec<f32>)>,
    /// Values that are added, by name.
    added: HashMap<String, Vec<f32>>,
}

impl Changes {
    fn concern(&self, name: &str) -> bool {
        self.whole.contains_key(name) || self.rows.contains_key(name) || self.added.contains_key(name)
    }
}

impl Folder<'_> {
    fn has(&self, key: &str) -> bool {
        self.file.tensor(key).is_ok()
    }

    /// Change the base weights of `model`, which has no adapter yet. Also returns the keys that were read.
    pub(super) fn rebase<M: Module>(
        &self,
        model: M,
        config: &mut AdapterConfig,
    ) -> Result<(M, HashSet<String>), AdapterError> {
        let entries = layout::entries(&model, &self.options.naming);
        let (mut changes, mut read) = (Changes::default(), HashSet::new());
        for entry in entries.iter().filter(|entry| is_vocabulary(entry)) {
            self.read_base(entry, config, &mut changes, &mut read)?;
        }
        self.read_rows(&entries, config, &mut changes, &mut read)?;
        self.read_biases(&entries, config, &mut changes, &mut read)?;
        // If all copies are separate tensors, the model may lack the tied parameter. Its module computes nothing in PEFT
        // either, so its keys are accepted without being used.
        for (parameter, _) in
            self.options.ties.iter().filter(|(name, _)| entries.iter().all(|entry| entry.name != *name))
        {
            let module = parameter.strip_suffix(".weight").unwrap_or(parameter);
            let of_module = |key: &&str| key.strip_prefix(PREFIX).is_some_and(|name| layout::within(name, module));
            read.extend(self.file.names().into_iter().filter(of_module).map(ToString::to_string));
        }
        let wanted = |entry: &Entry| changes.concern(&entry.name);
        let model = layout::rewrite(model, &self.options.naming, wanted, |entry, values| {
            let mut values = changes.whole.get(&entry.name).cloned().unwrap_or(values);
            if let (Some((rows, new)), [_, width]) = (changes.rows.get(&entry.name), entry.shape.as_slice()) {
                for (row, new) in rows.iter().zip(new.chunks(*width)) {
                    values[row * width..(row + 1) * width].copy_from_slice(new);
                }
            }
            for (value, added) in values.iter_mut().zip(changes.added.get(&entry.name).into_iter().flatten()) {
                *value += added;
            }
            Some(values)
        });
        Ok((model, read))
    }

    /// Read the base weight that PEFT saved for `entry` or for a parameter that is tied to it.
    fn read_base(
        &self,
        entry: &Entry,
        config: &AdapterConfig,
        changes: &mut Changes,
        read: &mut HashSet<String>,
    ) -> Result<(), AdapterError> {
        let is_whole = |name: &str| config.modules_to_save.iter().any(|saved| layout::within(name, saved));
        if is_whole(&entry.name) || (entry.field() == "bias" && config.bias != Bias::None) {
            return Ok(());
        }
        let group = self.options.group(&entry.name);
        let others = group.into_iter().filter(|name| *name != entry.name);
        let keys = [entry.name.as_str()].into_iter().chain(others).flat_map(|name| {
            let (module, field) = name.rsplit_once('.').unwrap_or(("", name));
            let below = format!("{PREFIX}{module}.base_layer.{field}");
            [Some(below), (!is_whole(name)).then(|| format!("{PREFIX}{name}"))]
        });
        let keys: Vec<String> = keys.flatten().filter(|key| self.has(key)).collect();
        if let Some(key) = keys.first() {
            changes.whole.insert(entry.name.clone(), tensor(self.path, self.file, key.clone(), &entry.shape)?);
        }
        read.extend(keys);
        Ok(())
    }

    /// Read the trained rows of embeddings. `config.token_rows` then contains the modules whose rows were found.
    fn read_rows(
        &self,
        entries: &[Entry],
        config: &mut AdapterConfig,
        changes: &mut Changes,
        read: &mut HashSet<String>,
    ) -> Result<(), AdapterError> {
        let mut asked = std::mem::take(&mut config.token_rows);
        let keys: Vec<&str> = self.file.names().into_iter().filter(|key| key.ends_with(ROWS)).collect();
        let modules: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix(PREFIX)?.strip_suffix(ROWS)).collect();
        let mut found = Patterns::new();
        for module in &modules {
            let name =
                asked.keys().find(|name| name.is_empty() || layout::names(module, name)).map(ToString::to_string);
            let Some(rows) = name.and_then(|name| asked.remove(&name)) else { continue };
            let weight = format!("{module}.weight");
            let group = self.options.group(&weight);
            let has_rows = |name: &str| modules.iter().any(|module| name.strip_suffix(".weight") == Some(module));
            // The copies of the embedding get the same rows, unless the file has rows for them.
            let follow = group.first() == Some(&weight.as_str());
            let members = group.iter().filter(|name| **name == weight || (follow && !has_rows(name)));
            let members: Vec<&Entry> =
                members.filter_map(|name| entries.iter().find(|entry| entry.name == *name)).collect();
            for entry in members {
                let [count, width] = *entry.shape.as_slice() else { continue };
                if let Some(row) = rows.iter().find(|row| **row >= count) {
                    let expected = "below the number of rows of the embedding";
                    return Err(AdapterError::Setting {
                        field: "trainable_token_indices",
                        found: *row as f64,
                        expected,
                    });
                }
                let key = format!("{PREFIX}{module}{ROWS}");
                let values = tensor(self.path, self.file, key.clone(), &[rows.len(), width])?;
                changes.rows.insert(entry.name.clone(), (rows.clone(), values));
                found.insert(entry.module(), rows.clone());
                read.insert(key);
            }
        }
        // PEFT does not save the rows of a copy separately.
        let is_copy = |name: &str| {
            let of = |(parameter, copies): &(&str, &[&str])| {
                let copy = |copy: &&str| layout::names(copy.strip_suffix(".weight").unwrap_or(copy), name);
                copies.iter().any(copy) && found.keys().any(|module| parameter.strip_suffix(".weight") == Some(module))
            };
            self.options.ties.iter().any(of)
        };
        if let Some(name) = asked.keys().find(|name| !is_copy(name)) {
            return Err(AdapterError::MissingKeys {
                path: self.path.to_path_buf(),
                keys: vec![format!("{PREFIX}{name}{ROWS}")],
                hint: "; trainable_token_indices in the configuration requires it",
            });
        }
        config.token_rows = found;
        Ok(())
    }

    /// Read the biases of factors B, which are added to the biases of the layers.
    fn read_biases(
        &self,
        entries: &[Entry],
        config: &mut AdapterConfig,
        changes: &mut Changes,
        read: &mut HashSet<String>,
    ) -> Result<(), AdapterError> {
        let Method::Lora(lora) = &config.method else { return Ok(()) };
        for key in self.file.names() {
            let Some(module) = key.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(FACTOR_BIAS)) else {
                continue;
            };
            let refuse = |why: String| AdapterError::UnsupportedField {
                path: self.path.with_file_name(super::CONFIG),
                field: "lora_bias".to_string(),
                found: "true".to_string(),
                supported: format!("false {why}"),
            };
            if config.bias != Bias::None {
                return Err(refuse("together with trained biases of the layers".to_string()));
            }
            let name = format!("{module}.bias");
            let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
                return Err(refuse(format!("for `{module}`, which has no bias to which it can be added")));
            };
            let values = tensor(self.path, self.file, key.to_string(), &entry.shape)?;
            let scale = lora.scale_at(module) as f32;
            changes.added.insert(name, values.iter().map(|value| scale * value).collect());
            config.factor_biases.insert(module, values);
            read.insert(key.to_string());
        }
        Ok(())
    }
}

/// Whether a parameter belongs to an embedding, or to an output layer as large as the vocabulary.
fn is_vocabulary(entry: &Entry) -> bool {
    let is_head = || HEADS.iter().any(|head| layout::names(entry.module(), head));
    match entry.kind {
        Kind::Weight { layer: Layer::Embedding, .. } => true,
        Kind::Weight { layer: Layer::Linear, .. } => is_head(),
        Kind::Other => entry.field() == "bias" && is_head(),
        _ => false,
    }
}

/// The trained rows of `model` and the biases of its factors according to `config`, in PEFT's form: key, shape and values.
pub(super) fn saved<M: Module>(
    model: &M,
    config: &AdapterConfig,
    naming: &Naming,
) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let biases = config.factor_biases.iter();
    let biases =
        biases.map(|(module, values)| (format!("{PREFIX}{module}{FACTOR_BIAS}"), vec![values.len()], values.clone()));
    let rows_of = |entry: &Entry| config.token_rows.get(entry.module()).filter(|_| entry.field() == "weight");
    layout::collect(model, naming, |entry| rows_of(entry).is_some())
        .into_iter()
        .filter_map(|(entry, values)| {
            let (rows, values, &[_, width]) = (rows_of(&entry)?, values?, entry.shape.as_slice()) else { return None };
            let chosen = rows.iter().flat_map(|row| values[row * width..(row + 1) * width].iter().copied()).collect();
            Some((format!("{PREFIX}{}{ROWS}", entry.module()), vec![rows.len(), width], chosen))
        })
        .chain(biases)
        .collect()
}

/// `model` after subtracting from its base weights the part that `config.taken_out` describes, as PEFT does when it loads an
/// adapter.
pub(super) fn without_start<M: Module>(
    model: M,
    config: &AdapterConfig,
    naming: &Naming,
    adapted: &HashSet<String>,
) -> Result<M, AdapterError> {
    let (TakenOut::Pissa | TakenOut::Olora, Method::Lora(lora) | Method::Dora(Dora(lora))) =
        (config.taken_out, &config.method)
    else {
        return Ok(model);
    };
    let wanted = |entry: &Entry| {
        matches!(entry.kind, Kind::Weight { layer: Layer::Linear, .. }) && adapted.contains(entry.module())
    };
    let mut wrong = None;
    let model = layout::rewrite(model, naming, wanted, |entry, values| {
        let &[rows, columns] = entry.shape.as_slice() else { return None };
        let weight = Mat::from_fn(rows, columns, |i, j| f64::from(values[i * columns + j]));
        let rest = apart(|| rest(&weight, config.taken_out, lora, entry.module()));
        if rest.is_none() {
            wrong.get_or_insert(AdapterError::NoSvd { module: entry.module().to_string() });
        }
        let rest = rest?;
        Some((0..rows * columns).map(|at| rest[(at / columns, at % columns)] as f32).collect())
    });
    match wrong {
        Some(error) => Err(error),
        None => Ok(model),
    }
}

/// `weight` `[d_output, d_input]` without the part that was subtracted; `None` if the decomposition fails.
fn rest(weight: &Mat<f64>, taken_out: TakenOut, lora: &Lora, module: &str) -> Option<Mat<f64>> {
    let rank = lora.rank_at(module).min(weight.nrows()).min(weight.ncols());
    let (left, right, scale) = if taken_out == TakenOut::Pissa {
        let svd = weight.thin_svd().ok()?;
        let values = svd.S().column_vector();
        let left = Mat::from_fn(weight.nrows(), rank, |i, j| svd.U()[(i, j)] * values[j]);
        (left, Mat::from_fn(rank, weight.ncols(), |i, j| svd.V()[(j, i)]), 1.0)
    } else {
        let qr = weight.qr();
        let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
        let left = Mat::from_fn(weight.nrows(), rank, |i, j| q[(i, j)]);
        (left, Mat::from_fn(rank, weight.ncols(), |i, j| r[(i, j)]), lora.scale_at(module))
    };
    let taken = left * right;
    Some(Mat::from_fn(weight.nrows(), weight.ncols(), |i, j| weight[(i, j)] - scale * taken[(i, j)]))
}
