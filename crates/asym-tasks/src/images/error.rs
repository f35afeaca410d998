//! Errors of pictures with classes.

use asym_data::{ImageError, PicturesError};

use crate::error::TaskError;
use crate::names::hint;

/// Pictures that cannot be trained on.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// A setting has a value that it cannot have, or lacks one that it needs.
    #[error("the setting `{setting}` is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The values that it can have.
        expected: String,
    },

    /// A set has no picture of a class that another set has.
    #[error(
        "{set}: no picture of the class `{class}`, which {other} has{}; every one needs all classes: add pictures, or leave the \
        class out of all",
        near.as_ref().map_or_else(String::new, |near| format!(" ({set} has `{near}`, whose name differs)"))
    )]
    MissingClass {
        /// The set or environment.
        set: String,
        /// The class.
        class: String,
        /// The set that has it.
        other: String,
        /// A class of the set with a similar name.
        near: Option<String>,
    },

    /// A set has no picture at all.
    #[error("{set}: no picture; remove the folder, or put pictures into its class folders")]
    Empty {
        /// The set or environment.
        set: String,
    },

    /// All pictures are of one class.
    #[error("{set}: all pictures are of the class `{class}`: there is nothing to learn")]
    OneClass {
        /// The set or environment.
        set: String,
        /// The class.
        class: String,
    },

    /// An environment is not in the data.
    #[error("there is no environment `{found}`{}; the data have {}", hint(nearest.as_deref()), known.join(", "))]
    UnknownEnvironment {
        /// The name that was given.
        found: String,
        /// The name that it is nearest to.
        nearest: Option<String>,
        /// The environments.
        known: Vec<String>,
    },

    /// There is nothing to evaluate out of domain.
    #[error("{path}: {} is the only environment; at least two are needed, one to train on and one to test on", found)]
    OneEnvironment {
        /// The data.
        path: String,
        /// The environment.
        found: String,
    },

    /// A set is too small to be divided.
    #[error("{set}: {pictures} pictures are too few to be divided; at least {least} are needed")]
    TooFew {
        /// The set or environment.
        set: String,
        /// The number of pictures.
        pictures: usize,
        /// The least number.
        least: usize,
    },

    /// Pictures cannot be decoded.
    #[error(
        "{count} of {total} pictures cannot be read; repair or remove them, or pass over them with task.broken=skip:{}",
        named.iter().map(|error| format!("\n  {error}")).collect::<String>()
    )]
    Broken {
        /// The number of broken pictures.
        count: usize,
        /// The number of all pictures.
        total: usize,
        /// The first errors, each with the name of the picture.
        named: Vec<ImageError>,
    },

    /// The names of the classes are not those of the recipe that is repeated.
    #[error("the recipe has the classes {}, and the data have {}; repeat it with the same data", expected.join(", "), found.join(", "))]
    OtherClasses {
        /// The classes of the recipe.
        expected: Vec<String>,
        /// The classes of the data.
        found: Vec<String>,
    },

    /// The pictures cannot be listed.
    #[error(transparent)]
    Pictures(#[from] PicturesError),
}

impl From<ImagesError> for TaskError {
    fn from(error: ImagesError) -> Self {
        Self::task(error)
    }
}
