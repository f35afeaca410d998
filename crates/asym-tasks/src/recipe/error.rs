//! Why a recipe is refused.

use std::path::PathBuf;

use crate::names::hint;
use crate::registry::error::RegistryError;

/// Why a recipe is refused, with the file.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The operating system refused the file.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// The file is not TOML, or a value has another type than its key asks for.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The error of the format.
        source: Box<toml::de::Error>,
    },

    /// A key, or a word that is a value, is unknown.
    #[error("{}: there is no `{found}` here{}; write one of {}", path.display(), hint(nearest.as_deref()), known.join(", "))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The word in the file.
        found: String,
        /// The word that it is nearest to.
        nearest: Option<String>,
        /// The words that are allowed there.
        known: Vec<String>,
    },

    /// Keys have other names or places now.
    #[error("{}: keys have other names now: {}", path.display(), renamed(keys))]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The keys in the file, and their new names with their tables.
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
    #[error("`{field}` is empty, or no list of numbers: it must list at least one")]
    Empty {
        /// The list.
        field: &'static str,
    },

    /// The share of the training examples that is set aside is none.
    #[error("`hold_out` is {found}: it must be above 0 and below 1")]
    HoldOut {
        /// The value that was given.
        found: f64,
    },

    /// An item is listed twice. Its second run would have the same folder as the first.
    #[error("`{found}` stands twice in {field}; write it once")]
    Repeated {
        /// The list.
        field: &'static str,
        /// The item.
        found: String,
    },

    /// A change cannot be made.
    #[error(
        "`{found}` changes no recipe; write key=value, with dots into tables, as in epochs=3 or tuning.adapter.rank=4"
    )]
    Change {
        /// The change that was given.
        found: String,
    },
}

fn renamed(keys: &[(String, &'static str)]) -> String {
    let key = |(found, now): &(String, &'static str)| format!("write `{now}` for `{found}`");
    keys.iter().map(key).collect::<Vec<_>>().join(", ")
}
