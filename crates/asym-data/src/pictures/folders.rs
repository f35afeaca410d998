//! Pictures in folders.

use std::path::{Path, PathBuf};

use super::error::PicturesError;
use super::{Class, Collection, PictureFile};

/// The file endings of pictures. Files with other endings are skipped. The two Netpbm endings (ppm and pgm) are also in the
/// list of `ImageFolder`. They are listed here so that such a picture causes an error instead of being skipped.
pub const ENDINGS: [&str; 10] = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm"];

/// The layout of a folder of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `class/picture`.
    Classes,
    /// `set/class/picture` or `environment/class/picture`.
    Collections,
    /// Any other layout: no pictures are one or two folders deep.
    Other,
}

impl Layout {
    /// The layout of `folder`. If some pictures are one folder deep and others are deeper, it is [`Classes`](Self::Classes).
    ///
    /// # Errors
    ///
    /// [`PicturesError::Io`].
    pub fn of(folder: &Path) -> Result<Self, PicturesError> {
        let mut deeper = false;
        for (_, path) in folders(folder)? {
            if !files(&path)?.is_empty() {
                return Ok(Self::Classes);
            }
            for (_, path) in folders(&path)? {
                deeper = deeper || !files(&path)?.is_empty();
            }
        }
        Ok(if deeper { Self::Collections } else { Self::Other })
    }
}

/// The collections in `folder`, sorted by name. Each collection is a folder of class folders.
///
/// # Errors
///
/// [`PicturesError::Io`] and [`PicturesError::Case`].
pub fn collections(folder: &Path) -> Result<Vec<Collection>, PicturesError> {
    let found = folders(folder)?;
    distinct(&folder.display().to_string(), found.iter().map(|(name, _)| name))?;
    found.into_iter().map(|(name, path)| collection(&name, &path)).collect()
}

/// The collection `name` in `folder`, which has a folder for each class. Pictures in folders below the folder of a class belong
/// to the class as well. Folders and files whose names begin with a dot are skipped.
///
/// # Errors
///
/// [`PicturesError::Io`] and [`PicturesError::Case`].
pub fn collection(name: &str, folder: &Path) -> Result<Collection, PicturesError> {
    let found = folders(folder)?;
    distinct(&folder.display().to_string(), found.iter().map(|(name, _)| name))?;
    let class = |(name, path): (String, PathBuf)| -> Result<Class, PicturesError> {
        let mut within = vec![(path.display().to_string(), path)];
        let mut next = 0;
        while let Some((_, folder)) = within.get(next) {
            let below = folders(folder)?.into_iter().map(|(_, path)| (path.display().to_string(), path));
            within.extend(below.collect::<Vec<_>>());
            next += 1;
        }
        // The order is that of `sorted(os.walk(...))`, which compares whole paths.
        within.sort();
        let pictures = within.iter().map(|(_, folder)| files(folder)).collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Class { name, pictures: pictures.iter().map(|path| PictureFile::file(path)).collect() })
    };
    Ok(Collection { name: name.to_owned(), classes: found.into_iter().map(class).collect::<Result<_, _>>()? })
}

/// The pictures in one folder, sorted by name.
///
/// # Errors
///
/// [`PicturesError::Io`], and [`PicturesError::NoPicture`] if there is none.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, PicturesError> {
    let found = files(folder)?;
    if found.is_empty() { Err(PicturesError::NoPicture { path: folder.to_owned() }) } else { Ok(found) }
}

/// Refuses names that differ only in case.
pub(super) fn distinct<'a>(path: &str, names: impl Iterator<Item = &'a String>) -> Result<(), PicturesError> {
    let mut seen: Vec<(String, &String)> = names.map(|name| (name.to_lowercase(), name)).collect();
    seen.sort();
    match seen.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let (first, second) = (pair[0].1.clone(), pair[1].1.clone());
            Err(PicturesError::Case { path: path.to_owned(), first, second })
        }
        None => Ok(()),
    }
}

/// The folders in a folder, sorted by name.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, PicturesError> {
    Ok(entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect())
}

/// The pictures in a folder, sorted by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, PicturesError> {
    let is_picture = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && path.is_file()
    };
    Ok(entries(folder)?.into_iter().map(|(_, path)| path).filter(|path| is_picture(path)).collect())
}

/// The entries of a folder, sorted by name, without hidden entries such as `.ipynb_checkpoints`.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, PicturesError> {
    let failed = |source| PicturesError::Io { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    found.retain(|(name, _)| !name.starts_with('.'));
    found.sort();
    Ok(found)
}
