//! Writes checkpoints that transformers loads without missing or unexpected keys.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use asym_core::layout::{self, Kind, Layer};
use half::f16;

use crate::weights::Finite;
use crate::write::{Data, Written, write_atomically, write_safetensors};
use crate::{FileDtype, InFamily, ModelConfig, ModelError, PretrainedModel};

/// The number of labels in a configuration of transformers that does not specify it.
const DEFAULT_LABELS: usize = 2;

/// Save `model` in `folder` as `config.json` and `model.safetensors`. Existing files are replaced.
///
/// Each file is written under a temporary name and then renamed, so a file is never written partially. As in
/// transformers, a tied decoder is not written.
///
/// # Errors
///
/// [`ModelError::Adapted`] if the model has adapters; [`ModelError::NotFinite`] or [`ModelError::TooLarge`] if a value
/// could not be loaded from the file; [`ModelError::Io`] if a file cannot be written. All values are checked before the
/// first file is written.
pub fn save<M: PretrainedModel>(model: &M, folder: impl AsRef<Path>, dtype: FileDtype) -> Result<(), ModelError> {
    write(model, model.config(), folder.as_ref(), dtype, |_| true)
}

/// Save `model` like [`save`], but without the head that is trained for a task, so that each task initializes a new head.
/// The configuration has two labels with the default names of transformers.
///
/// # Errors
///
/// The errors of [`save`].
pub fn save_base<M: PretrainedModel>(model: &M, folder: impl AsRef<Path>, dtype: FileDtype) -> Result<(), ModelError> {
    let (folder, heads) = (folder.as_ref(), M::keys(model.config()).task_head);
    let config = model.config().clone().with_num_labels(DEFAULT_LABELS, folder)?;
    write(model, &config, folder, dtype, |name| !heads.iter().any(|head| layout::within(name, head)))
}

/// Write `config`, and the parameters of `model` whose names `wanted` accepts.
fn write<M: PretrainedModel>(
    model: &M,
    config: &M::Config,
    folder: &Path,
    dtype: FileDtype,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), ModelError> {
    let (weights_path, config_path) = (folder.join("model.safetensors"), folder.join("config.json"));
    let table = M::keys(model.config());

    let mut tensors = Vec::new();
    let collected = layout::collect(model, &table.naming, |entry| entry.kind != Kind::Adapter);
    for (entry, values) in collected.into_iter().filter(|(entry, _)| wanted(&entry.name)) {
        let Some(values) = values else { return Err(ModelError::Adapted { key: entry.name }) };
        let path = || weights_path.clone();
        let rows = matches!(entry.kind, Kind::Weight { layer: Layer::Embedding, .. });
        let width = entry.shape.last().copied().filter(|_| rows);
        let mut finite = width.map_or_else(Finite::default, Finite::in_rows);
        values.iter().enumerate().for_each(|(index, value)| finite.see(index, *value));
        if let Some((index, found)) = finite.found {
            return Err(ModelError::NotFinite { path: path(), key: entry.name, index, found });
        }
        let too_large =
            |value: &&f32| dtype == FileDtype::F16 && value.is_finite() && f16::from_f32(**value).is_infinite();
        if let Some(&found) = values.iter().find(too_large) {
            return Err(ModelError::TooLarge { path: path(), key: entry.name, found });
        }
        tensors.push((entry.name, Written { shape: entry.shape, data: Data::floats(values, dtype) }));
    }

    // transformers reports these tensors as missing if they are absent, although it does not use them.
    for (parameter, key) in table.instead {
        let written = |name: &str| tensors.iter().position(|(other, _): &(String, Written)| other == name);
        if let (Some(at), None) = (written(parameter), written(key)) {
            let copy = tensors[at].1.clone();
            tensors.push((key.to_string(), copy));
        }
    }

    fs::create_dir_all(folder).map_err(|source| ModelError::Io { path: folder.into(), source })?;
    // transformers refuses files whose metadata does not contain the framework.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    write_safetensors(&weights_path, tensors, Some(metadata))?;

    let json = |source| ModelError::Json { path: config_path.clone(), source };
    let config = config.to_hugging_face(table.architecture, dtype.torch()).map_err(json)?;
    write_atomically(&config_path, |temporary| {
        let text = serde_json::to_string_pretty(&config).map_err(|source| json(source.into()))? + "\n";
        fs::write(temporary, text).map_err(|source| ModelError::Io { path: config_path.clone(), source })
    })
}
