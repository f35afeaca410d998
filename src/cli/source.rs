//! Where a model and its data come from: a folder, the Hub, or the program itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_models::Checkpoint;
use asym_tasks::glue::generated;
use asym_tasks::hub::looks_like_repo;
use asym_tasks::{Base, Hub, HubOptions, Part, Split, Task};
use clap::Args;

use crate::embedded;

/// How the Hub is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceArgs {
    /// Take nothing from the network: what the Hub's cache does not have is an error
    #[arg(long)]
    offline: bool,
}

/// The seed of the generated sets: fixed, since they are part of the project and not of a run.
pub const TASK_SEED: u64 = 0;

/// Where a checkpoint is.
pub enum Location {
    /// Compiled in.
    Embedded,
    /// A folder, and what it is called in messages and in adapters.
    Folder {
        /// A path, or a name on the Hub.
        name: String,
        /// The folder.
        path: PathBuf,
    },
}

impl Location {
    /// The folder, or the name on the Hub, or that of the embedded checkpoint.
    pub fn name(&self) -> &str {
        match self {
            Self::Embedded => embedded::NAME,
            Self::Folder { name, .. } => name,
        }
    }

    /// The folder, where there is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded => None,
            Self::Folder { path, .. } => Some(path),
        }
    }

    /// The weights and their configuration.
    ///
    /// # Errors
    ///
    /// A file that is missing or cannot be read.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        match self {
            Self::Embedded => Ok(embedded::roberta_mini()?.checkpoint),
            Self::Folder { path, .. } => Ok(Checkpoint::open(path)?),
        }
    }

    /// The checkpoint with its tokenizer.
    ///
    /// # Errors
    ///
    /// As [`checkpoint`](Self::checkpoint).
    pub fn base(&self) -> Result<Base> {
        match self {
            Self::Embedded => Ok(embedded::roberta_mini()?),
            // A revision is no part of the name that PEFT knows a model by.
            Self::Folder { name, path } => Ok(Base::open(path)?.named(name.split('@').next().unwrap_or(name))),
        }
    }

    /// What a recipe is to say, so that it means this very checkpoint: a name on the Hub with its commit.
    pub fn pinned(&self) -> Option<String> {
        match self {
            Self::Embedded => None,
            Self::Folder { name, path } => Some(pinned(name, path)),
        }
    }
}

/// A name on the Hub with the commit whose folder of the cache `path` is; any other name as it is.
fn pinned(name: &str, path: &Path) -> String {
    let commit = path.file_name().and_then(|commit| commit.to_str()).filter(|_| path != Path::new(name));
    match commit {
        Some(commit) => format!("{}@{commit}", name.split('@').next().unwrap_or(name)),
        None => name.to_string(),
    }
}

impl SourceArgs {
    fn hub(&self) -> Result<Hub> {
        let mut options = HubOptions::from_env();
        options.offline |= self.offline;
        Ok(Hub::new(options)?)
    }

    /// The checkpoint of `--model`: a folder, a name on the Hub, or the embedded one.
    ///
    /// # Errors
    ///
    /// A name that is none of these; what the Hub refuses.
    pub fn model(&self, model: Option<&str>) -> Result<Location> {
        match model {
            None => Ok(Location::Embedded),
            Some(name) if name == embedded::NAME => Ok(Location::Embedded),
            Some(name) => {
                let path = if is_on_hub(name)? { self.hub()?.model(name)? } else { PathBuf::from(name) };
                Ok(Location::Folder { name: name.to_string(), path })
            }
        }
    }

    /// The data of `--data` (a folder, a name on the Hub, or the generated set), and what a recipe is to call them.
    ///
    /// # Errors
    ///
    /// A folder without the task's files, a file that cannot be read; what the Hub refuses.
    pub fn split(&self, task: Task, data: Option<&str>) -> Result<(Split, Option<String>)> {
        let Some(name) = data else { return Ok((generated(task, TASK_SEED), None)) };
        let folder = self.data_folder(task, name, false)?;
        Ok((task.read(&folder)?, Some(pinned(name, &folder))))
    }

    /// The task's test sets, of a folder or of the Hub.
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn tests(&self, task: Task, data: &str) -> Result<Vec<Part>> {
        Ok(task.read_tests(&self.data_folder(task, data, true)?)?)
    }

    fn data_folder(&self, task: Task, name: &str, tests: bool) -> Result<PathBuf> {
        if !is_on_hub(name)? {
            return Ok(PathBuf::from(name));
        }
        let wanted = |path: &str| task.is_hub_file(path, tests);
        let (folder, _) =
            self.hub()?.dataset(name, &wanted).with_context(|| format!("data of task {}", task.name()))?;
        Ok(folder)
    }
}

/// Whether `name` is to be looked for on the Hub. A folder of that name comes first.
fn is_on_hub(name: &str) -> Result<bool> {
    if Path::new(name).exists() {
        return Ok(false);
    }
    // An absolute path, or one that begins with a dot, is meant as one.
    if looks_like_repo(name) {
        return Ok(true);
    }
    bail!("{name}: no such folder, and no name on the Hub, which has the form owner/name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_on_the_hub_is_pinned_to_its_commit() {
        let cached = Path::new("/cache/models--a--b/snapshots/0f1e");
        assert_eq!(pinned("a/b", cached), "a/b@0f1e");
        assert_eq!(pinned("a/b@main", cached), "a/b@0f1e");
        assert_eq!(pinned("some/folder", Path::new("some/folder")), "some/folder");
    }
}
