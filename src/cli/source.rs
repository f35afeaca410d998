//! The sources of a model and its data: a folder, the Hub, or the program itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_data::hub::looks_like_repo;
use asym_data::{Hub, HubOptions};
use asym_models::Checkpoint;
use asym_tasks::files::{is_on_hub, pinned};
use asym_tasks::{AnyTask, Base, Files};
use clap::Args;

use crate::embedded::Embedded;

/// Options for access to the Hub.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceArgs {
    /// Do not access the network; a file that is missing in the Hub's cache is an error
    #[arg(long)]
    offline: bool,
}

/// The location of a checkpoint.
pub enum Location {
    /// A checkpoint that is compiled into the program.
    Embedded(&'static Embedded),
    /// A folder, and its name in messages and in adapters.
    Folder {
        /// A path, or a name on the Hub.
        name: String,
        /// The folder.
        path: PathBuf,
    },
}

impl Location {
    /// The path of the folder, the name on the Hub, or the name of the embedded checkpoint.
    pub fn name(&self) -> &str {
        match self {
            Self::Embedded(embedded) => embedded.name,
            Self::Folder { name, .. } => name,
        }
    }

    /// The folder, if there is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded(_) => None,
            Self::Folder { path, .. } => Some(path),
        }
    }

    /// Open the weights and their configuration.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is missing or cannot be read.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.base()?.checkpoint),
            Self::Folder { path, .. } => Ok(Checkpoint::open(path)?),
        }
    }

    /// Open the checkpoint with its tokenizer and other files.
    ///
    /// # Errors
    ///
    /// The errors of [`checkpoint`](Self::checkpoint).
    pub fn base(&self) -> Result<Base> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.base()?),
            // PEFT's name of a model on the Hub does not include the revision. A folder may have an @ in its name.
            Self::Folder { name, path } => {
                let is_folder = path == Path::new(name);
                let repository = name.split('@').next().unwrap_or(name);
                Ok(Base::open(path)?.named(if is_folder { name } else { repository }))
            }
        }
    }

    /// The name of this checkpoint in a recipe. A name on the Hub includes the commit.
    pub fn pinned(&self) -> Option<String> {
        match self {
            Self::Embedded(_) => None,
            Self::Folder { name, path } => Some(pinned(name, path)),
        }
    }
}

/// The beginning of an error message about the Hub.
fn nowhere(name: &str) -> String {
    format!("{name} is not a local folder and was looked up on the Hub")
}

impl SourceArgs {
    /// The command-line arguments for these options.
    pub fn words(&self) -> Option<String> {
        self.offline.then(|| "--offline".to_string())
    }

    fn options(&self) -> HubOptions {
        let mut options = HubOptions::from_env();
        options.offline |= self.offline;
        options
    }

    /// Locate the checkpoint of `--model`: a folder, a name on the Hub, or the name of an embedded checkpoint.
    ///
    /// # Errors
    ///
    /// Returns an error if the name cannot be a name on the Hub and is neither a folder nor an embedded checkpoint, or if the
    /// download fails.
    pub fn model(&self, name: &str) -> Result<Location> {
        if let Some(embedded) = Embedded::named(name) {
            return Ok(Location::Embedded(embedded));
        }
        let path = if is_on_hub(name)? {
            Hub::new(self.options())?.model(name).with_context(|| nowhere(name))?
        } else {
            PathBuf::from(name)
        };
        Ok(Location::Folder { name: name.to_string(), path })
    }

    /// Locate the checkpoint of `--model`. Without a name, this is the embedded checkpoint for `task`.
    ///
    /// # Errors
    ///
    /// The errors of [`model`](Self::model), and an error for a task without an embedded checkpoint.
    pub fn model_for(&self, name: Option<&str>, task: &AnyTask) -> Result<Location> {
        match (name, Embedded::of_family(task.family())) {
            (Some(name), _) => self.model(name),
            (None, Some(embedded)) => Ok(Location::Embedded(embedded)),
            (None, None) => {
                bail!("task {} needs a --model: no {} is compiled into the program", task.name(), task.family())
            }
        }
    }

    /// The folder of `--adapter`: a folder, or a name on the Hub.
    ///
    /// # Errors
    ///
    /// Returns an error if the download from the Hub fails.
    pub fn adapter(&self, adapter: Option<&Path>) -> Result<Option<PathBuf>> {
        let Some(path) = adapter else { return Ok(None) };
        match path.to_str().filter(|name| !path.exists() && looks_like_repo(name)) {
            Some(name) => Ok(Some(Hub::new(self.options())?.adapter(name).with_context(|| nowhere(name))?)),
            None => Ok(Some(path.to_path_buf())),
        }
    }

    /// The data of `--data`: a folder, a name on the Hub, or generated data if there is no name.
    pub fn files(&self, data: Option<&str>) -> Files {
        Files::new(data, self.options())
    }
}
