//! Where a model and its data come from: a folder, the Hub, or the program itself.

use std::path::{Path, PathBuf};

use anyhow::Result;
use asym_data::{Hub, HubOptions};
use asym_models::Checkpoint;
use asym_tasks::files::{is_on_hub, pinned};
use asym_tasks::{Base, Files};
use clap::Args;

use crate::embedded;

/// How the Hub is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceArgs {
    /// Take nothing from the network: a file that the Hub's cache lacks is an error
    #[arg(long)]
    offline: bool,
}

/// Where a checkpoint is.
pub enum Location {
    /// Compiled in.
    Embedded,
    /// A folder, and its name in messages and in adapters.
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

    /// The folder, if there is one.
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

    /// The checkpoint with the files beside it.
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

    /// The name of this very checkpoint in a recipe: a name on the Hub has its commit.
    pub fn pinned(&self) -> Option<String> {
        match self {
            Self::Embedded => None,
            Self::Folder { name, path } => Some(pinned(name, path)),
        }
    }
}

impl SourceArgs {
    fn options(&self) -> HubOptions {
        let mut options = HubOptions::from_env();
        options.offline |= self.offline;
        options
    }

    /// The checkpoint of `--model`: a folder, a name on the Hub, or the embedded one.
    ///
    /// # Errors
    ///
    /// A name that is none of these, and the errors of the Hub.
    pub fn model(&self, model: Option<&str>) -> Result<Location> {
        match model {
            None => Ok(Location::Embedded),
            Some(name) if name == embedded::NAME => Ok(Location::Embedded),
            Some(name) => {
                let path = if is_on_hub(name)? { Hub::new(self.options())?.model(name)? } else { PathBuf::from(name) };
                Ok(Location::Folder { name: name.to_string(), path })
            }
        }
    }

    /// The data of `--data`: a folder, a name on the Hub, or, without a name, the data that a task generates.
    pub fn files(&self, data: Option<&str>) -> Files {
        Files::new(data, self.options())
    }
}
