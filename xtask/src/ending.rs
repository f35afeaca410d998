//! The results of a run, without times and memory.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// The results that must be equal for a run and an undisturbed run. Times and memory are excluded.
#[derive(PartialEq)]
pub(crate) struct Ending {
    log: Vec<Value>,
    results: Value,
    files: BTreeMap<String, Vec<u8>>,
}

impl Ending {
    /// Read the folder of a run, which has an adapter.
    pub(crate) fn read(run: &Path) -> Result<Self> {
        let read =
            |name: &str| std::fs::read_to_string(run.join(name)).with_context(|| run.join(name).display().to_string());
        let mut log: Vec<Value> = read("metrics.jsonl")?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        log.iter_mut().for_each(|line| remove(line, &["seconds"]));
        let mut results: Value = serde_json::from_str(&read("results.json")?)?;
        remove(&mut results, &["seconds", "peak_bytes"]);
        for pace in ["training", "evaluation"] {
            remove(&mut results[pace], &["seconds", "input_seconds"]);
        }
        let adapter = |name: &str| Ok((name.to_string(), std::fs::read(run.join("adapter").join(name))?));
        let files =
            ["adapter_model.safetensors", "adapter_config.json"].into_iter().map(adapter).collect::<Result<_>>()?;
        Ok(Self { log, results, files })
    }

    /// A description of the difference from the undisturbed run.
    pub(crate) fn difference(&self, expected: &Self) -> Option<String> {
        let differs = || -> Vec<&String> {
            self.files
                .iter()
                .filter(|(file, bytes)| expected.files.get(*file) != Some(bytes))
                .map(|(file, _)| file)
                .collect()
        };
        (self != expected).then(|| {
            format!(
                "differs from the undisturbed run; {} lines of the log instead of {}, results equal: {}, files that differ: {:?}",
                self.log.len(),
                expected.log.len(),
                self.results == expected.results,
                differs()
            )
        })
    }
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}
