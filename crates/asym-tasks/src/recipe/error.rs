//! Errors of recipes.

use std::path::PathBuf;

use crate::names::hint;
use crate::registry::error::RegistryError;

/// The reason why a recipe is invalid.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// The file is not TOML, or a value does not have the type of its key.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The error of the format.
        source: Box<toml::de::Error>,
    },

    /// A key, or a value that must be one of several words, is unknown.
    #[error("{}: there is no `{found}` here{}; write one of {}", path.display(), hint(nearest.as_deref()), known.join(", "))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The word in the file.
        found: String,
        /// The most similar known word, if one is similar enough.
        nearest: Option<String>,
        /// The words that are allowed in place of `found`.
        known: Vec<String>,
    },

    /// Keys have new names or belong to other tables.
    #[error("{}: some keys have new names: {}", path.display(), renamed(keys))]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The keys in the file, and the new names with their tables.
        keys: Vec<(String, &'static str)>,
    },

    /// A task, or a setting of one, is unknown.
    #[error("{}: {source}", path.display())]
    Task {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<RegistryError>,
    },

    /// A list is empty.
    #[error("`{field}` is empty or not a list of numbers; it must contain at least one item")]
    Empty {
        /// The list.
        field: &'static str,
    },

    /// The fraction of the training examples to hold out is not between 0 and 1.
    #[error("`hold_out` is {found}: it must be above 0 and below 1")]
    HoldOut {
        /// The value that was given.
        found: f64,
    },

    /// An item is listed twice. Its second run would have the same folder as the first.
    #[error("`{found}` appears twice in {field}; write it once")]
    Repeated {
        /// The list.
        field: &'static str,
        /// The item.
        found: String,
    },

    /// A change cannot be applied.
    #[error(
        "`{found}` is not a change of a recipe; write key=value, with dots within tables, as in epochs=3 or tuning.adapter.rank=4"
    )]
    Change {
        /// The change that was given.
        found: String,
    },
}

fn renamed(keys: &[(String, &'static str)]) -> String {
    let key = |(found, now): &(String, &'static str)| format!("write `{now}` instead of `{found}`");
    keys.iter().map(key).collect::<Vec<_>>().join(", ")
}
