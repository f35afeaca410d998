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
    /// Continue in --output: keep finished runs, continue the others at their last checkpoints, and train the missing
    /// ones; the settings must be the same
    #[arg(long, requires = "output")]
    resume: bool,
    /// Like --resume, and train runs for more epochs than they were started with; from there on, the learning rate
    /// is that of a run of the new length
    #[arg(long, requires = "output")]
    extend: bool,
}

/// An output folder that belongs to this process: no other process got the same new folder.
#[derive(Debug)]
pub struct Output {
    /// The folder.
    pub path: PathBuf,
    /// How to treat what exists in it.
    pub existing: Existing,
    /// The folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
}

impl OutputArgs {
    /// How to treat folders that exist.
    pub fn existing(&self) -> Existing {
        match (self.extend, self.resume) {
            (true, _) => Existing::Extend,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        }
    }

    /// Make the output folder of a command that is named `name`.
    ///
    /// # Errors
    ///
    /// The errors of [`Output::open`].
    pub fn open(&self, name: &str) -> Result<Output> {
        Output::open(self.output.clone(), name, self.existing())
    }
}

impl Output {
    /// A sweep into this folder, which belongs to this process, without experiments.
    pub fn sweep(&self) -> Sweep {
        let output = self.path.clone();
        Sweep { experiments: Vec::new(), reference: None, output, existing: self.existing, others: Others::Refuse }
    }

    /// Make the folder `path`, or the next free `runs/NAME-NUMBER`. A folder that is still empty at the end is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder exists and is not to be continued, or if it cannot be made.
    pub fn open(path: Option<PathBuf>, name: &str, existing: Existing) -> Result<Self> {
        let Some(path) = path else {
            for number in 1.. {
                let path = Path::new("runs").join(format!("{name}-{number}"));
                let made = missing(&path);
                // Another process may take the name first.
                match new_folder(&path) {
                    Ok(()) => return Ok(Self { path, existing, made }),
                    Err(TrainError::OutputExists { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            bail!("runs/{name}-1, {name}-2 and so on exist; name a folder with --output");
        };
        let made = missing(&path);
        if existing != Existing::Refuse {
            std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        } else if let Err(error) = new_folder(&path) {
            match error {
                TrainError::OutputExists { .. } => {
                    bail!("{}: exists already; name another output folder, or give --resume", path.display())
                }
                error => return Err(error.into()),
            }
        }
        Ok(Self { path, existing, made })
    }
}

/// The folders on the way to `path` that do not exist, the outermost first.
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
        // Fails for a folder with contents, which stays.
        self.made.iter().rev().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}
