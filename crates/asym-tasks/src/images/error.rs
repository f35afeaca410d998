//! Errors of pictures with classes.

use asym_data::{ImageError, PicturesError};

use crate::error::TaskError;
use crate::names::hint;

/// Pictures that cannot be used for training.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// A setting has an invalid value, or a required setting is missing.
    #[error("the setting `{setting}` is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value.
        found: String,
        /// The valid values.
        expected: String,
    },

    /// A set has no picture of a class that another set has.
    #[error(
        "{set}: no picture of the class `{class}`, which {other} has{}; all sets need the same classes: add pictures, or \
        remove the class from all sets",
        near.as_ref().map_or_else(String::new, |near| format!(" ({set} has `{near}`, a similar name)"))
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

    /// A set contains no picture.
    #[error("{set}: no picture; remove the folder, or put pictures into its class folders")]
    Empty {
        /// The set or environment.
        set: String,
    },

    /// All pictures are of one class.
    #[error("{set}: all pictures are of the class `{class}`, so there is nothing to learn")]
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
        /// The most similar known name.
        nearest: Option<String>,
        /// The environments.
        known: Vec<String>,
    },

    /// There is only one environment, so there is no test environment.
    #[error("{path}: {} is the only environment; at least two are needed, one for training and one for testing", found)]
    OneEnvironment {
        /// The data.
        path: String,
        /// The environment.
        found: String,
    },

    /// A set is too small to be divided.
    #[error("{set} has too few pictures to be divided: {pictures}; at least {least} are needed")]
    TooFew {
        /// The set or environment.
        set: String,
        /// The number of pictures.
        pictures: usize,
        /// The minimum number of pictures.
        least: usize,
    },

    /// Pictures cannot be decoded.
    #[error(
        "{count} of {total} pictures cannot be read; repair or remove them, or skip them with task.broken=skip:{}",
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

    /// The classes of the data differ from the classes in the recipe.
    #[error("the recipe has the classes {}, but the data have {}; use the data for which the recipe was written", expected.join(", "), found.join(", "))]
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
