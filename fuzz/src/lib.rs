//! Files for the parts of the library that read from paths alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder of this process. It is made once, since a folder for each input would take most of the time.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("asym-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
        folder
    })
}

/// The file `name`, which may be in a folder of its own, with these bytes, in the place of an older one.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
    written.expect("the folder for temporary files can be written to");
    path
}

/// Two files: the bytes before the first zero byte, and those after it. A text has no such byte.
pub fn two_files([text, rest]: [&str; 2], data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    file(text, &data[..end]);
    file(rest, data.get(end + 1..).unwrap_or_default());
}
