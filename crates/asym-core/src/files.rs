//! Files that are there as a whole or not at all.

use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

/// Write a file under another name and move it into place, so that a killed program leaves the old one or the new one, and no
/// half of it that would pass for either.
///
/// # Errors
///
/// What the system refuses.
pub fn write_whole(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut part = OsString::from(path);
    part.push(".part");
    fs::write(&part, data).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        // What is left of a file that could not be finished is of no use; that it cannot be removed is no news either.
        let _ = fs::remove_file(&part);
    })
}
