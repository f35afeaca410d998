//! Where a model and its data come from: a folder, the Hub, or the program itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
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

impl SourceArgs {
    fn hub(&self) -> Result<Hub> {
        let mut options = HubOptions::from_env();
        options.offline |= self.offline;
        Ok(Hub::new(options)?)
    }

    /// The folder of a checkpoint: `name` itself, or where the Hub's cache has it.
    ///
    /// # Errors
    ///
    /// A name that is neither; what the Hub refuses.
    pub fn model_folder(&self, name: &str) -> Result<PathBuf> {
        match is_on_hub(name)? {
            true => Ok(self.hub()?.model(name)?),
            false => Ok(PathBuf::from(name)),
        }
    }

    /// The checkpoint of `--model`: a folder, a name on the Hub, or the embedded one.
    ///
    /// # Errors
    ///
    /// As [`model_folder`](Self::model_folder), and a file that is missing or cannot be read.
    pub fn base(&self, model: Option<&str>) -> Result<Base> {
        match model {
            Some(name) if name == embedded::NAME => Ok(embedded::roberta_mini()?),
            Some(name) => Ok(Base::open(&self.model_folder(name)?)?.named(name)),
            None => Ok(embedded::roberta_mini()?),
        }
    }

    /// The data of `--data`: a folder, a name on the Hub, or the generated set.
    ///
    /// # Errors
    ///
    /// A folder without the task's files, a file that cannot be read; what the Hub refuses.
    pub fn split(&self, task: Task, data: Option<&str>) -> Result<Split> {
        match data {
            Some(name) => Ok(task.read(&self.data_folder(task, name)?)?),
            None => Ok(generated(task, TASK_SEED)),
        }
    }

    /// The task's test sets, of a folder or of the Hub.
    ///
    /// # Errors
    ///
    /// As [`split`](Self::split).
    pub fn tests(&self, task: Task, data: &str) -> Result<Vec<Part>> {
        Ok(task.read_tests(&self.data_folder(task, data)?)?)
    }

    fn data_folder(&self, task: Task, name: &str) -> Result<PathBuf> {
        match is_on_hub(name)? {
            true => {
                let (folder, _) = self
                    .hub()?
                    .dataset(name, &|path| task.is_hub_file(path))
                    .with_context(|| format!("data of task {}", task.name()))?;
                Ok(folder)
            }
            false => Ok(PathBuf::from(name)),
        }
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
