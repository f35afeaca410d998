//! The sets of a user's own tables: a file, or a folder with a training set and an evaluation set.

use std::path::{Path, PathBuf};

use asym_data::table::{Columns, Files, Format, Row, TableError};

/// The names of an evaluation set, in the order in which a folder is searched for them.
pub(crate) const DEV: [&str; 4] = ["dev", "validation", "valid", "val"];

/// The sets of a user's own data cannot be read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SetsError {
    /// A folder lacks a set.
    #[error(
        "{}: no set {} in this folder; add a file of this name with one of the extensions {endings}, or give the path of a file",
        path.display(),
        names.join(" or ")
    )]
    NoSet {
        /// The folder.
        path: PathBuf,
        /// The names that were searched for.
        names: Vec<String>,
        /// The extensions of files that can be read.
        endings: &'static str,
    },

    /// A column of a file without a header has a name.
    #[error(
        "the setting `header` is false, but `{column}` is not the number of a column: set `header` to true for columns with \
         names; without a header, columns are numbers, counted from 1"
    )]
    Header {
        /// The column.
        column: String,
    },

    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The set with one of these `names` in the folder at `path`, or in one of its subfolders `folders`. If `path` is a file, the set
/// is this file.
///
/// # Errors
///
/// [`SetsError::NoSet`], and missing parts of a set.
pub(crate) fn set(path: &Path, folders: &[&str], names: &[&str]) -> Result<Files, SetsError> {
    if !path.is_dir() {
        return Ok(Files::one(path)?);
    }
    for folder in places(path, folders) {
        if let Some(found) = first(&folder, names)? {
            return Ok(found);
        }
    }
    let names = names.iter().map(ToString::to_string).collect();
    Err(SetsError::NoSet { path: path.to_owned(), names, endings: Format::ENDINGS })
}

/// The training set at `path`, and the set with one of the names `dev` in the same folder, if there is one. If `path` is a file
/// or a folder with a single table, this table is the training set, and there is no evaluation set.
///
/// # Errors
///
/// The errors of [`set`].
fn find(path: &Path, folders: &[&str], dev: &[&str]) -> Result<(Files, Option<Files>), SetsError> {
    if !path.is_dir() {
        return Ok((Files::one(path)?, None));
    }
    for folder in places(path, folders) {
        if let Some(train) = Files::find(&folder, "train")? {
            return Ok((train, first(&folder, dev)?));
        }
    }
    let entries = std::fs::read_dir(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
    let tables: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| Format::of(path).is_some()).collect();
    match tables.as_slice() {
        [table] => Ok((Files::one(table)?, None)),
        _ => {
            Err(SetsError::NoSet { path: path.to_owned(), names: vec!["train".to_string()], endings: Format::ENDINGS })
        }
    }
}

/// The same as [`find`], with the usual names of an evaluation set, or with the file `dev` as the evaluation set.
///
/// # Errors
///
/// The errors of [`find`] and [`beside`].
pub(crate) fn pair(path: &Path, folders: &[&str], dev: Option<&str>) -> Result<(Files, Option<Files>), SetsError> {
    let (train, found) = find(path, folders, &DEV)?;
    let given = dev.map(|given| beside(path, given)).transpose()?;
    Ok((train, given.or(found)))
}

/// Whether a file of a repository on the Hub can belong to a user's own tables.
pub(crate) fn is_table(path: &str) -> bool {
    Format::of(Path::new(path)).is_some()
}

/// The file `given` next to the data at `path` or, if there is no such file, in the working directory.
///
/// # Errors
///
/// A name without a known extension.
fn beside(path: &Path, given: &str) -> Result<Files, SetsError> {
    let beside = path.parent().map(|folder| folder.join(given)).filter(|path| path.exists());
    Ok(Files::one(&beside.unwrap_or_else(|| given.into()))?)
}

/// The columns called `names`, which are numbers from 1 if the file has no header.
///
/// # Errors
///
/// [`SetsError::Header`].
pub(crate) fn columns(names: &[String], header: bool) -> Result<Columns, SetsError> {
    if header {
        return Ok(Columns::Named(names.to_vec()));
    }
    let number = |name: &String| name.trim().parse().map_err(|_| SetsError::Header { column: name.clone() });
    Ok(Columns::Numbered(names.iter().map(number).collect::<Result<_, _>>()?))
}

/// The texts in the first cells of a row, whose columns are called `names`.
///
/// # Errors
///
/// [`TableError::MissingValue`] for a cell without a text.
pub(crate) fn texts<const N: usize>(path: &Path, row: &Row, names: &[String; N]) -> Result<[String; N], TableError> {
    let mut found = std::array::from_fn(|_| String::new());
    for (at, (text, column)) in found.iter_mut().zip(names).enumerate() {
        let cell = row.cells.get(at).and_then(|cell| cell.text());
        *text = cell.map(|text| text.into_owned()).ok_or_else(|| TableError::MissingValue {
            path: path.display().to_string(),
            line: row.line,
            column: column.clone(),
        })?;
    }
    Ok(found)
}

/// A folder, and its subfolders `folders`.
fn places(path: &Path, folders: &[&str]) -> Vec<PathBuf> {
    std::iter::once(path.to_path_buf()).chain(folders.iter().map(|folder| path.join(folder))).collect()
}

fn first(folder: &Path, names: &[&str]) -> Result<Option<Files>, SetsError> {
    for name in names {
        if let Some(found) = Files::find(folder, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
