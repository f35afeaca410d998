//! The output folder of a command.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_tasks::{Others, Sweep};
use asym_train::{Existing, TrainError, new_folder};
use clap::Args;

/// Options for the output folder.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// Output folder, which must not exist yet [default: the next free runs/NAME-NUMBER, named after the recipe or the
    /// task]
    #[arg(long)]
    output: Option<PathBuf>,
    /// Continue in --output: keep finished runs, continue unfinished runs from their last checkpoints, and train missing
    /// runs; the settings must be the same
    #[arg(long, requires = "output")]
    resume: bool,
    /// Like --resume, but train runs for more epochs than they were started with; the continued part has the learning
    /// rates of a run with the new number of epochs
    #[arg(long, requires = "output")]
    extend: bool,
}

/// An output folder. A new folder belongs to this process alone, since no other process can create the same folder.
#[derive(Debug)]
pub struct Output {
    /// The folder.
    pub path: PathBuf,
    /// How to treat existing runs in the folder.
    pub existing: Existing,
    /// The folders that were created, the outermost first.
    made: Vec<PathBuf>,
}

impl OutputArgs {
    /// How to treat existing folders.
    pub fn existing(&self) -> Existing {
        match (self.extend, self.resume) {
            (true, _) => Existing::Extend,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        }
    }

    /// Create the output folder of the command `name`.
    ///
    /// # Errors
    ///
    /// The errors of [`Output::open`].
    pub fn open(&self, name: &str) -> Result<Output> {
        Output::open(self.output.clone(), name, self.existing())
    }
}

impl Output {
    /// A sweep without experiments, whose runs are written to this folder. No other process may use the folder.
    pub fn sweep(&self) -> Sweep {
        let output = self.path.clone();
        Sweep { experiments: Vec::new(), reference: None, output, existing: self.existing, others: Others::Refuse }
    }

    /// Create the folder `path`, or the next free `runs/NAME-NUMBER`. If the folder is still empty when the value is dropped,
    /// it is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder exists and `existing` refuses that, or if it cannot be created.
    pub fn open(path: Option<PathBuf>, name: &str, existing: Existing) -> Result<Self> {
        let Some(path) = path else {
            for number in 1.. {
                let path = Path::new("runs").join(format!("{name}-{number}"));
                let made = missing(&path);
                // Another process may have created the folder in the meantime.
                match new_folder(&path) {
                    Ok(()) => return Ok(Self { path, existing, made }),
                    Err(TrainError::OutputExists { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            bail!("runs/{name}-1, {name}-2 and so on exist; give a folder with --output");
        };
        let made = missing(&path);
        if existing != Existing::Refuse {
            std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        } else if let Err(error) = new_folder(&path) {
            match error {
                TrainError::OutputExists { .. } => {
                    bail!("{}: already exists; name another output folder, or give --resume", path.display())
                }
                error => return Err(error.into()),
            }
        }
        Ok(Self { path, existing, made })
    }
}

/// Those of `path` and its parent folders that do not exist, the outermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .map(Path::to_path_buf)
        .collect();
    missing.reverse();
    missing
}

impl Drop for Output {
    fn drop(&mut self) {
        // A folder that is not empty is kept: the removal fails.
        self.made.iter().rev().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}
