//! The environments in a folder or a table.

use std::path::{Path, PathBuf};

use asym_data::pictures::{self, Collection, Layout, PictureTable, PicturesError};
use asym_data::{ImageError, table};

use super::benchmark::Benchmark;
use crate::drawing;
use crate::images::ImagesError;

/// The seed of the drawn world.
const DATA_SEED: u64 = 0;

/// The layouts that are read, for messages.
const LAYOUTS: &str = "give a folder with a folder for each environment, which has a folder for each class, as in \
    photo/dog/1.jpg; or a Parquet file with the columns image, domain and label";

/// The environments as they were read.
pub(super) struct Environments {
    /// The environments, by name.
    pub(super) collections: Vec<Collection>,
    /// Whether the order of the pictures is that of their paths.
    pub(super) by_path: bool,
    /// Whether they are drawn.
    pub(super) drawn: bool,
}

/// The drawn world, for a task without files.
///
/// # Errors
///
/// The errors of [`drawing::environments`].
pub(super) fn drawn() -> Result<Environments, ImageError> {
    Ok(Environments { collections: drawing::environments(DATA_SEED)?, by_path: true, drawn: true })
}

/// Read the environments at `path`: a folder of the layout, one that has it in the folder of `benchmark`, or tables.
///
/// # Errors
///
/// A folder of another layout, and tables that cannot be read.
pub(super) fn read(path: &Path, benchmark: Option<Benchmark>) -> Result<Environments, ImagesError> {
    if path.is_file() {
        if table::Format::of(path) != Some(table::Format::Parquet) {
            let found = "a file that is not Parquet".to_owned();
            return Err(PicturesError::Layout { path: path.to_owned(), found, expected: LAYOUTS }.into());
        }
        return tables(&[path.to_path_buf()]);
    }
    // The name of a data set's folder in DomainBed's folder of all data, and the Hub's folder of tables.
    let own = benchmark.map(|benchmark| path.join(benchmark.row().folder)).filter(|path| path.is_dir());
    for folder in std::iter::once(path.to_path_buf()).chain(own) {
        if Layout::of(&folder)? == Layout::Collections {
            return Ok(Environments { collections: pictures::collections(&folder)?, by_path: true, drawn: false });
        }
    }
    for folder in [path.to_path_buf(), path.join("data")] {
        if let Some(files) = table::Files::find(&folder, "train").map_err(PicturesError::from)? {
            return tables(&files.paths);
        }
    }
    let found = match Layout::of(path)? {
        Layout::Classes => "its folders hold pictures, as those of classes do, so that there are no environments",
        Layout::Collections | Layout::Other => "no folder of an environment with pictures in folders of classes",
    };
    Err(PicturesError::Layout { path: path.to_owned(), found: found.to_owned(), expected: LAYOUTS }.into())
}

fn tables(paths: &[PathBuf]) -> Result<Environments, ImagesError> {
    let rows = PictureTable::new(paths, true)?.read("")?;
    Ok(Environments { collections: rows.collections, by_path: rows.by_path, drawn: false })
}

/// Whether a file of a repository on the Hub can belong to the data.
pub(super) fn is_wanted(path: &str) -> bool {
    path.ends_with(".parquet")
}
