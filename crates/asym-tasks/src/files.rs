//! The location of a model or of a task's data: a folder, the Hub, or the program itself.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use asym_data::hub::may_be_repo;
use asym_data::{Format, Hub, HubOptions};

use crate::error::TaskError;

/// The location of a task's data.
pub struct Files {
    name: Option<String>,
    hub: HubOptions,
    pinned: OnceCell<String>,
}

impl Files {
    /// The data called `name`, which is a folder or a name on the Hub. Without a name, the task must generate its data.
    pub fn new(name: Option<&str>, hub: HubOptions) -> Self {
        Self { name: name.map(ToOwned::to_owned), hub, pinned: OnceCell::new() }
    }

    /// The folder of the data; `None` if the task must generate its data. From the Hub, only the files whose paths `wanted`
    /// accepts are downloaded.
    ///
    /// # Errors
    ///
    /// [`TaskError::NoSuchFile`], [`TaskError::NoSuchPlace`], [`TaskError::NotOnHub`], and the errors of the Hub.
    pub fn folder(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Option<PathBuf>, TaskError> {
        let Some(name) = &self.name else { return Ok(None) };
        let folder = if is_on_hub(name)? {
            let not_found = |source| TaskError::NotOnHub { name: name.clone(), source: Box::new(source) };
            Hub::new(self.hub.clone())?.dataset(name, wanted).map_err(not_found)?.0
        } else {
            PathBuf::from(name)
        };
        self.pinned.get_or_init(|| pinned(name, &folder));
        Ok(Some(folder))
    }

    /// The name of the data in recipes. A name on the Hub includes the commit, so it always refers to the same files.
    pub fn pinned(&self) -> Option<String> {
        self.pinned.get().cloned().or_else(|| self.name.clone())
    }
}

/// Whether `name` refers to the Hub. A folder with this name has priority.
///
/// # Errors
///
/// [`TaskError::NoSuchFile`] for the name of a missing file of data, such as `reviews.csv`; a name on the Hub has no such ending.
/// [`TaskError::NoSuchPlace`] for a name that is neither an existing folder nor a valid name on the Hub, such as the absolute
/// path of a missing folder.
pub fn is_on_hub(name: &str) -> Result<bool, TaskError> {
    if Path::new(name).exists() {
        return Ok(false);
    }
    if Format::of(Path::new(name)).is_some() {
        return Err(TaskError::NoSuchFile { name: name.to_owned() });
    }
    if may_be_repo(name) { Ok(true) } else { Err(TaskError::NoSuchPlace { name: name.to_owned() }) }
}

/// A name on the Hub, extended by the commit whose cache folder is `path`. Any other name is returned unchanged.
pub fn pinned(name: &str, path: &Path) -> String {
    let commit = path.file_name().and_then(|commit| commit.to_str()).filter(|_| path != Path::new(name));
    match commit {
        Some(commit) => format!("{}@{commit}", name.split('@').next().unwrap_or(name)),
        None => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn missing_files_are_not_looked_up_on_the_hub() {
        for name in ["reviws.csv", "data/reviws.jsonl", "./reviws.parquet", "reviws.tsv.gz"] {
            let error = is_on_hub(name).unwrap_err().to_string();
            assert_eq!(error, format!("{name}: no such file"));
        }
        assert!(is_on_hub("owner/reviews").unwrap());
    }

    #[test]
    fn hub_names_are_pinned_to_their_commit() {
        let cached = Path::new("/cache/models--a--b/snapshots/0f1e");
        assert_eq!(pinned("a/b", cached), "a/b@0f1e");
        assert_eq!(pinned("a/b@main", cached), "a/b@0f1e");
        assert_eq!(pinned("some/folder", Path::new("some/folder")), "some/folder");
    }
}
