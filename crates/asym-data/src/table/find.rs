//! The files of a set in a folder.

use std::path::{Path, PathBuf};

use super::error::TableError;
use super::row::Format;

/// The files of one set, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The files: one, or several parts.
    pub paths: Vec<PathBuf>,
    /// The format of each.
    pub format: Format,
}

impl Files {
    /// The file at `path`.
    ///
    /// # Errors
    ///
    /// [`TableError::UnknownFormat`].
    pub fn one(path: &Path) -> Result<Self, TableError> {
        let format = Format::of(path).ok_or_else(|| TableError::UnknownFormat { path: path.to_owned() })?;
        Ok(Self { paths: vec![path.to_owned()], format })
    }

    /// The files of the set `name` in `folder`. `None` if there are none. The files are `NAME.ENDING`, or all parts
    /// `NAME-00000-of-00003.ENDING` as on the Hub, or the parts `NAME/0000.ENDING` and so on, as in the Hub's converted data
    /// sets. The first ending with any files is used. The name of a part may have a digest before its ending, as in older data
    /// sets of the Hub.
    ///
    /// # Errors
    ///
    /// [`TableError::MissingShard`].
    pub fn find(folder: &Path, name: &str) -> Result<Option<Self>, TableError> {
        for (ending, format) in Format::endings() {
            let path = folder.join(format!("{name}{ending}"));
            if path.is_file() {
                return Ok(Some(Self { paths: vec![path], format }));
            }
            let mut paths = shards(folder, name, &ending)?;
            if paths.is_empty() {
                paths = numbered(&folder.join(name), &ending);
            }
            if !paths.is_empty() {
                return Ok(Some(Self { paths, format }));
            }
        }
        Ok(None)
    }

    /// A description of the files for messages.
    pub fn describe(&self) -> String {
        match self.paths.as_slice() {
            [] => String::new(),
            [path] => path.display().to_string(),
            [first, others @ ..] => format!("{} and {} more", first.display(), others.len()),
        }
    }
}

/// The number of hexadecimal digits of the digest that the Hub formerly added after the number of files.
const DIGEST: usize = 16;

/// The files `0000.ENDING`, `0001.ENDING` and so on in a folder.
fn numbered(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let path = |number: usize| folder.join(format!("{number:04}{ending}"));
    (0..).map(path).take_while(|path| path.is_file()).collect()
}

/// All parts `NAME-00000-of-00003.ENDING`.
fn shards(folder: &Path, name: &str, ending: &str) -> Result<Vec<PathBuf>, TableError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut found: Vec<(usize, usize, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(ending)?;
            let (number, count) = rest.split_once("-of-")?;
            let is_digest = |text: &str| text.len() == DIGEST && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let count = count.split_once('-').filter(|(_, digest)| is_digest(digest)).map_or(count, |(count, _)| count);
            Some((number.parse().ok()?, count.parse().ok()?, path))
        })
        .collect();
    found.sort();
    if let Some((_, expected, path)) = found.first()
        && (found.len() != *expected || found.iter().enumerate().any(|(at, shard)| shard.0 != at))
    {
        return Err(TableError::MissingShard { path: path.clone(), expected: *expected, found: found.len() });
    }
    Ok(found.into_iter().map(|(.., path)| path).collect())
}
