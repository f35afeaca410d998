//! The environments in a folder or a table.

use std::path::{Path, PathBuf};

use asym_data::pictures::{self, Collection, Layout, PictureTable, PicturesError};
use asym_data::{ImageError, table};

use super::benchmark::Benchmark;
use crate::drawing;
use crate::images::ImagesError;

/// The seed of the drawn world.
const DATA_SEED: u64 = 0;

/// The supported layouts, for messages.
const LAYOUTS: &str = "use a folder of environments, each with a folder for each class, as in photo/dog/1.jpg; or a \
    Parquet file with the columns image, domain and label";

/// The environments as they were read.
pub(super) struct Environments {
    /// The environments, by name.
    pub(super) collections: Vec<Collection>,
    /// Whether the pictures are ordered by path.
    pub(super) by_path: bool,
    /// Whether the pictures are drawn by [`drawing`].
    pub(super) drawn: bool,
}

/// The drawn pictures, for a task without data files.
///
/// # Errors
///
/// The errors of [`drawing::environments`].
pub(super) fn drawn() -> Result<Environments, ImageError> {
    Ok(Environments { collections: drawing::environments(DATA_SEED)?, by_path: true, drawn: true })
}

/// Read the environments at `path`: a folder `environment/class/picture`, a folder that contains such a folder for `benchmark`,
/// or Parquet files.
///
/// # Errors
///
/// A folder with another layout, and tables that cannot be read.
pub(super) fn read(path: &Path, benchmark: Option<Benchmark>) -> Result<Environments, ImagesError> {
    if path.is_file() {
        if table::Format::of(path) != Some(table::Format::Parquet) {
            let found = "a file that is not Parquet".to_owned();
            return Err(PicturesError::Layout { path: path.to_owned(), found, expected: LAYOUTS }.into());
        }
        return tables(&[path.to_path_buf()]);
    }
    // `path` can also be DomainBed's folder of all data sets. In a data set of the Hub, the tables are in the folder `data`.
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
        Layout::Classes => "its folders contain pictures, as folders of classes do, so there are no environments",
        Layout::Collections | Layout::Other => "no environment with pictures in folders of classes",
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
