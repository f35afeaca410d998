//! Finds the tensor of each parameter in the files of a checkpoint.

use std::collections::{BTreeMap, HashMap, HashSet};

use asym_core::layout::{Entry, Kind, Layer};

use crate::checkpoint::OWN_HEAD;
use crate::purpose::Purpose;
use crate::weights::Stored;
use crate::{Checkpoint, KeyTable, ModelError, keys};

/// A key in a file, and its tensor.
type Found<'a> = (&'a str, &'a Stored);

/// The tensors of a model's parameters.
pub(crate) struct Assigned<'a> {
    /// The tensors, by the names of the parameters.
    pub(crate) stored: BTreeMap<String, Found<'a>>,
    /// The modules in the files that the model does not have.
    pub(crate) left_out: Vec<String>,
}

impl Checkpoint {
    /// The tensors by the current names of their keys.
    fn by_name(&self, table: &KeyTable) -> HashMap<String, Found<'_>> {
        self.tensors.iter().map(|(key, tensor)| (table.canonical(key), (key.as_str(), tensor))).collect()
    }

    /// Whether the files have different tensors for parameters that the configuration ties. `entries` are the parameters
    /// of the untied model.
    pub(crate) fn differs(&self, table: &KeyTable, entries: &[Entry]) -> Result<bool, ModelError> {
        let by_name = self.by_name(table);
        let wanted: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        for (parameter, copies) in table.tied {
            // The parameter is compared even if the untied model lacks it, because its copies may be read from it.
            let copies = copies.iter().filter(|copy| wanted.contains(**copy));
            let mut found = [parameter].into_iter().chain(copies).filter_map(|name| by_name.get(*name));
            let Some((_, first)) = found.next() else { continue };
            for (_, other) in found {
                if !other.equals(first)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Find the tensor of each parameter.
    ///
    /// `renamed` lists the same parameters with the names that transformers uses in memory, if these differ. `tied` is
    /// whether the configuration ties parameters. If so, one tensor can be the value of several parameters.
    pub(crate) fn assign(
        &self,
        entries: &[Entry],
        renamed: &[Entry],
        table: &KeyTable,
        tied: bool,
    ) -> Result<Assigned<'_>, ModelError> {
        let others = renamed.iter().map(|entry| entry.name.as_str());
        let others: HashMap<&str, &Entry> = others.zip(entries).collect();
        let wanted: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        // The head of another task can have the same names as the head of this model.
        let heads = if matches!(self.purpose(), Some(Purpose::Other(_))) { table.task_head } else { &[] };
        let mut assigned: BTreeMap<String, Found<'_>> = BTreeMap::new();
        let (mut left_out, mut unexpected) = (Vec::new(), Vec::new());
        for (key, tensor) in &self.tensors {
            let name = table.canonical(key);
            let name = others.get(name.as_str()).map_or(name, |entry| entry.name.clone());
            let of =
                |modules: &[&str]| modules.iter().find(|module| keys::within(&name, module)).map(ToString::to_string);
            if let Some(head) = of(heads) {
                left_out.push(head);
            } else if !wanted.contains(name.as_str()) {
                if let Some(module) = of(table.dropped) {
                    left_out.push(module);
                } else if table.is_known(&name, |parameter| wanted.contains(parameter)) {
                    // A buffer or a copy of a parameter is ignored.
                } else if is_own(&name, &wanted, table) {
                    unexpected.push(key.clone());
                } else {
                    left_out.push(name.split('.').next().unwrap_or(&name).to_string());
                }
            } else if let Some((first, _)) = assigned.get(&name) {
                return Err(ModelError::DuplicateKey {
                    path: tensor.path.to_path_buf(),
                    first: first.to_string(),
                    second: key.clone(),
                    key: name,
                });
            } else {
                assigned.insert(name, (key, tensor));
            }
        }
        let by_name = self.by_name(table);
        // A tied tensor may be stored under any of its names.
        for (parameter, copies) in table.tied {
            let names = || [*parameter].into_iter().chain(copies.iter().copied());
            let Some(found) = names().find_map(|name| by_name.get(name)) else { continue };
            let of_model = names().filter(|name| wanted.contains(name) && (tied || name == parameter));
            for name in of_model {
                assigned.entry(name.to_string()).or_insert(*found);
            }
        }
        for (parameter, key) in table.instead.iter().filter(|(parameter, _)| wanted.contains(parameter)) {
            if let Some(found) = by_name.get(*key) {
                assigned.entry(parameter.to_string()).or_insert(*found);
            }
        }
        if !unexpected.is_empty() {
            return Err(ModelError::UnexpectedKeys { path: self.path().into(), keys: unexpected });
        }
        left_out.dedup();
        Ok(Assigned { stored: assigned, left_out })
    }

    /// The names of the parameters to initialize: those in head modules of which the checkpoint has no tensor.
    pub(crate) fn missing(
        &self,
        entries: &[Entry],
        stored: &BTreeMap<String, Found<'_>>,
        table: &KeyTable,
    ) -> Result<Vec<String>, ModelError> {
        let absent_heads: Vec<&str> =
            table.head.iter().copied().filter(|module| !stored.keys().any(|name| keys::within(name, module))).collect();
        let (initialized, missing): (Vec<String>, Vec<String>) = entries
            .iter()
            .map(|entry| entry.name.clone())
            .filter(|name| !stored.contains_key(name))
            .partition(|name| absent_heads.iter().any(|module| keys::within(name, module)));
        if missing.is_empty() {
            Ok(initialized)
        } else {
            Err(ModelError::MissingKeys { path: self.path().into(), keys: missing })
        }
    }
}

/// Whether an unknown key looks like a key of this model, because it is in the base model or ends in the name of a
/// parameter. Such a key indicates a wrong configuration or a damaged file.
fn is_own(name: &str, wanted: &HashSet<&str>, table: &KeyTable) -> bool {
    let (prefix, modules) = table.base;
    let mut ends = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
    let known = |end: &str| wanted.contains(end) || modules.iter().any(|module| keys::within(end, module));
    keys::within(name, prefix) || ends.any(known)
}

/// Check the shape, the dtype and the values of the tensor for a parameter.
pub(crate) fn check(entry: &Entry, key: &str, tensor: &Stored, table: &KeyTable) -> Result<(), ModelError> {
    if tensor.shape != entry.shape {
        let of_head = table.head.iter().any(|module| keys::within(&entry.name, module));
        return Err(ModelError::Shape {
            path: tensor.path.to_path_buf(),
            key: key.into(),
            expected: entry.shape.clone(),
            found: tensor.shape.clone(),
            help: if of_head { OWN_HEAD } else { "" },
        });
    }
    if matches!(entry.kind, Kind::Weight { layer: Layer::Embedding, .. }) {
        tensor.check_rows(key)
    } else {
        tensor.check_floats(key)
    }
}
