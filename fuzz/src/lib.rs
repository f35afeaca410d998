//! Files for the functions of the library that read only from paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder for this process. It is created once, because creating a folder for each input would take most of the time.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("asym-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
        folder
    })
}

/// Write these bytes to the file `name`, which may include a subfolder. An existing file is replaced.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
    written.expect("the folder for temporary files can be written to");
    path
}

/// Write the bytes before the first zero byte to one file, and the bytes after it to another file. A text has no zero byte.
pub fn two_files([text, rest]: [&str; 2], data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    file(text, &data[..end]);
    file(rest, data.get(end + 1..).unwrap_or_default());
}
