//! Comparison of a file with its etag.
//!
//! The Hub's etags are checksums. For files in large file storage, the etag is the SHA-256 of the content. For other files, it
//! is git's name of a blob: the SHA-1 of a header with the length, followed by the content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The checksum or length that a file should have, and the one it has.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub expected: String,
    pub found: String,
}

/// The kinds of checksum that an etag can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Sha256,
    GitBlob,
}

impl Checksum {
    pub fn of_etag(etag: &str) -> Option<Self> {
        let hex = etag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match etag.len() {
            64 if hex => Some(Self::Sha256),
            40 if hex => Some(Self::GitBlob),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::GitBlob => "git blob",
        }
    }

    fn file(self, path: &Path) -> io::Result<String> {
        let mut file = File::open(path)?;
        match self {
            Self::Sha256 => digest(Sha256::new(), &mut file),
            Self::GitBlob => {
                let header = format!("blob {}\0", file.metadata()?.len());
                digest(Sha1::new().chain_update(header), &mut file)
            }
        }
    }
}

fn digest(mut hasher: impl Digest, file: &mut File) -> io::Result<String> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Compares a file with its etag, or only with its length if the etag is not a checksum.
pub(super) fn check(path: &Path, etag: &str, size: Option<u64>) -> io::Result<Option<Mismatch>> {
    let (expected, found) = match Checksum::of_etag(etag) {
        Some(checksum) => {
            (format!("{} {etag}", checksum.name()), format!("{} {}", checksum.name(), checksum.file(path)?))
        }
        None => {
            log::debug!("{}: the etag `{etag}` is not a checksum, so only the length is compared", path.display());
            let found = path.metadata()?.len();
            (format!("{} bytes", size.unwrap_or(found)), format!("{found} bytes"))
        }
    };
    Ok((expected != found).then_some(Mismatch { expected, found }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_known_values() {
        let path = std::env::temp_dir().join(format!("asym-hub-checksum-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        // `printf abc | sha256sum`, `printf abc | git hash-object --stdin`.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let blob = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";
        let other = "0000000000000000000000000000000000000000";
        assert!(check(&path, sha256, None).unwrap().is_none());
        assert!(check(&path, blob, None).unwrap().is_none());
        let wrong = check(&path, other, Some(3)).unwrap().unwrap();
        assert_eq!((wrong.expected, wrong.found), (format!("git blob {other}"), format!("git blob {blob}")));
        // For any other etag, the length is compared.
        assert!(check(&path, "0x8DB", Some(3)).unwrap().is_none());
        assert_eq!(check(&path, "0x8DB", Some(4)).unwrap().unwrap().found, "3 bytes");
        std::fs::remove_file(path).unwrap();
    }
}
