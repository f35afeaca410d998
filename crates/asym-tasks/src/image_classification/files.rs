//! The sets in a folder or a table.

use std::path::{Path, PathBuf};

use asym_data::pictures::{self, Class, Collection, Layout, PictureTable, PicturesError};
use asym_data::table;

use crate::images::ImagesError;

/// The names of an evaluation set, in the order in which a folder is searched.
const DEV: [&str; 4] = ["dev", "validation", "valid", "val"];
const TRAIN: &str = "train";
const TEST: &str = "test";

/// The supported layouts, for messages.
const LAYOUTS: &str = "use a folder with a folder for each class, as in dog/1.jpg; a folder with such folders in train, and in \
    dev, validation or test; or a Parquet file with the columns image and label. For texts in a table, set --text and \
    --label; for environments, use --task domainbed";

/// The sets as they were read.
pub(super) struct Sets {
    pub(super) train: Collection,
    pub(super) dev: Option<Collection>,
    pub(super) test: Option<Collection>,
}

/// Read the sets at `path`.
///
/// # Errors
///
/// A folder with another layout, and tables that cannot be read.
pub(super) fn read(path: &Path) -> Result<Sets, ImagesError> {
    if path.is_file() {
        if table::Format::of(path) != Some(table::Format::Parquet) {
            let found = "a file that is not Parquet".to_owned();
            return Err(PicturesError::Layout { path: path.to_owned(), found, expected: LAYOUTS }.into());
        }
        return Ok(Sets { train: rows(&[path.to_path_buf()], TRAIN)?, dev: None, test: None });
    }
    if let Some(train) = subfolder(path, TRAIN)? {
        let train = pictures::collection(TRAIN, &train)?;
        let named = |name: &str| -> Result<Option<Collection>, ImagesError> {
            let folder = subfolder(path, name)?;
            Ok(folder.map(|folder| pictures::collection(name, &folder)).transpose()?)
        };
        return sets(train, named);
    }
    if Layout::of(path)? == Layout::Classes {
        let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
        return Ok(Sets { train: pictures::collection(&name, path)?, dev: None, test: None });
    }
    for folder in [path.to_path_buf(), path.join("data")] {
        let files = |name: &str| table::Files::find(&folder, name).map_err(PicturesError::from);
        if let Some(train) = files(TRAIN)? {
            let named = |name: &str| files(name)?.map(|files| rows(&files.paths, name)).transpose();
            return sets(rows(&train.paths, TRAIN)?, named);
        }
    }
    let found = match Layout::of(path)? {
        Layout::Collections => "its folders contain folders of pictures, but none of them is called train",
        Layout::Classes | Layout::Other => "no folder of a class with pictures",
    };
    Err(PicturesError::Layout { path: path.to_owned(), found: found.to_owned(), expected: LAYOUTS }.into())
}

/// `train` with the other sets, which `named` reads. If there is no evaluation set, the test set is the evaluation set.
fn sets(
    train: Collection,
    named: impl Fn(&str) -> Result<Option<Collection>, ImagesError>,
) -> Result<Sets, ImagesError> {
    let mut found = DEV.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
    let (dev, test) = (found.next(), named(TEST)?);
    Ok(if dev.is_some() { Sets { train, dev, test } } else { Sets { train, dev: test, test: None } })
}

/// The subfolder of `folder` with this name, regardless of case.
fn subfolder(folder: &Path, name: &str) -> Result<Option<PathBuf>, ImagesError> {
    let failed = |source| PicturesError::Io { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = path.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name));
        if found && path.is_dir() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The pictures of a table. A column of environments is ignored.
fn rows(paths: &[PathBuf], name: &str) -> Result<Collection, ImagesError> {
    let mut whole = Collection { name: name.to_owned(), classes: Vec::new() };
    for collection in PictureTable::new(paths, false)?.read(name)?.collections {
        for class in collection.classes {
            match whole.classes.iter_mut().find(|known| known.name == class.name) {
                Some(known) => known.pictures.extend(class.pictures),
                None => whole.classes.push(class),
            }
        }
    }
    whole.classes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(whole)
}

/// `set` with the classes of `train`, in their order. A class that has pictures only in the training set is empty in the result.
///
/// # Errors
///
/// [`ImagesError::MissingClass`] for a class that the training set lacks.
pub(super) fn aligned(set: Collection, train: &Collection) -> Result<Collection, ImagesError> {
    let Collection { name, classes } = set;
    let mut classes: Vec<Class> = classes.into_iter().filter(|class| !class.pictures.is_empty()).collect();
    if classes.is_empty() {
        return Err(ImagesError::Empty { set: name });
    }
    let known = |class: &Class| train.classes.iter().any(|known| known.name == class.name);
    if let Some(class) = classes.iter().find(|class| !known(class)) {
        let near = crate::names::nearest(&class.name, train.classes.iter().map(|class| class.name.as_str()));
        let (class, near) = (class.name.clone(), near.map(ToOwned::to_owned));
        return Err(ImagesError::MissingClass { set: train.name.clone(), class, other: name, near });
    }
    let mut own = |known: &Class| {
        let place = classes.iter().position(|class| class.name == known.name);
        place.map_or_else(
            || Class { name: known.name.clone(), pictures: Vec::new() },
            |place| classes.swap_remove(place),
        )
    };
    Ok(Collection { name, classes: train.classes.iter().map(&mut own).collect() })
}

/// Whether a file of a repository on the Hub can belong to the data.
pub(super) fn is_wanted(path: &str) -> bool {
    path.ends_with(".parquet")
}
