//! The files of a user's own data: a training set, and a set for the evaluation if there is one.

use std::path::{Path, PathBuf};

use asym_data::TableError;
use asym_data::table::{Files, Format};

/// The names of a set for the evaluation, in the order in which a folder is searched.
const DEV: [&str; 4] = ["dev", "validation", "valid", "val"];

/// The sets of a folder cannot be found.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SetsError {
    /// A folder has no training set.
    #[error(
        "{}: no training set in this folder; name it train with one of the endings {endings}, or give the file itself",
        path.display()
    )]
    NoTrainingSet {
        /// The folder.
        path: PathBuf,
        /// The endings of files that can be read.
        endings: &'static str,
    },

    /// A file is no table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The training set at `path`, which is a file or a folder, and the set for the evaluation: the file `dev`, or that of the folder.
///
/// # Errors
///
/// [`SetsError`].
pub fn find(path: &Path, dev: Option<&str>) -> Result<(Files, Option<Files>), SetsError> {
    let (train, found) = of_folder(path)?;
    let Some(given) = dev else { return Ok((train, found)) };
    // Beside the training file, or where the command was started.
    let beside = path.parent().map(|folder| folder.join(given)).filter(|path| path.exists());
    Ok((train, Some(Files::one(&beside.unwrap_or_else(|| given.into()))?)))
}

fn of_folder(path: &Path) -> Result<(Files, Option<Files>), SetsError> {
    if !path.is_dir() {
        return Ok((Files::one(path)?, None));
    }
    for folder in [path.to_path_buf(), path.join("data")] {
        let Some(train) = Files::find(&folder, "train")? else { continue };
        for name in DEV {
            if let Some(dev) = Files::find(&folder, name)? {
                return Ok((train, Some(dev)));
            }
        }
        return Ok((train, None));
    }
    // A folder with one table: that of a dataset without sets.
    let entries = std::fs::read_dir(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
    let tables: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| Format::of(path).is_some()).collect();
    match tables.as_slice() {
        [table] => Ok((Files::one(table)?, None)),
        _ => Err(SetsError::NoTrainingSet { path: path.to_owned(), endings: Format::ENDINGS }),
    }
}

/// Whether a file of a repository on the Hub can belong to the data.
pub fn is_table(path: &str) -> bool {
    Format::of(Path::new(path)).is_some()
}
