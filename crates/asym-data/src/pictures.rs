//! Collections of pictures: folders of class folders, and tables of the Hub with a column of pictures.
//!
//! Nothing is decoded here. A [`Collection`] lists the pictures of each class in the order of torchvision's `ImageFolder`:
//! classes by name, and pictures by path. Names are compared by their bytes, which gives the same order as in Python.

mod error;
mod folders;
mod rows;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::PicturesError;
pub use folders::{ENDINGS, Layout, collection, collections, pictures_in};
pub use rows::{PictureTable, Rows};

use crate::image_processor::ImageError;

/// The pictures of a set or an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The name, such as `train` or `cartoon`.
    pub name: String,
    /// The classes, sorted by name.
    pub classes: Vec<Class>,
}

/// The pictures of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The name.
    pub name: String,
    /// The pictures, sorted by path. Pictures of a table without paths are in the order of the rows.
    pub pictures: Vec<PictureFile>,
}

/// An encoded picture, in a file or in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    name: String,
    stored: Stored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stored {
    File(PathBuf),
    Bytes(Arc<[u8]>),
}

impl Collection {
    /// The number of pictures.
    pub fn len(&self) -> usize {
        self.classes.iter().map(|class| class.pictures.len()).sum()
    }

    /// Whether the collection has no pictures.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pictures with the index of their class, class by class.
    pub fn pictures(&self) -> impl Iterator<Item = (usize, &PictureFile)> {
        self.classes
            .iter()
            .enumerate()
            .flat_map(|(place, class)| class.pictures.iter().map(move |picture| (place, picture)))
    }
}

impl PictureFile {
    /// The file at `path`.
    pub fn file(path: &Path) -> Self {
        Self { name: path.display().to_string(), stored: Stored::File(path.to_owned()) }
    }

    /// The bytes of a picture's file. `name` is its name in messages.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), stored: Stored::Bytes(bytes.into()) }
    }

    /// The path of the file, or the name that was given to [`bytes`](Self::bytes).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the picture's file.
    ///
    /// # Errors
    ///
    /// [`ImageError::Io`].
    pub fn read(&self) -> Result<Cow<'_, [u8]>, ImageError> {
        match &self.stored {
            Stored::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Stored::File(path) => {
                let read = std::fs::read(path).map(Cow::Owned);
                read.map_err(|source| ImageError::Io { path: path.clone(), source })
            }
        }
    }
}
