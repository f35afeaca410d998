//! One worker at a time in the folder of a run.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The file that the worker holds a lock on.
pub(crate) const CLAIM: &str = "claim";

/// Attempts to get the lock, 10 ms apart, before another process counts as a worker.
const PROBED: usize = 5;

/// The process that works in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The name of its machine.
    pub host: String,
    /// Its process id on that machine.
    pub pid: u32,
    /// When it began, in UTC.
    pub since: String,
}

impl Worker {
    fn this() -> Self {
        Self {
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            pid: std::process::id(),
            since: chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        }
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, pid, since } = self;
        if *pid == 0 { f.write_str("another process") } else { write!(f, "process {pid} on {host}, since {since},") }
    }
}

/// The right to work in a folder: a lock on its file `claim`, which names the worker.
///
/// The system releases the lock when the process ends in whatever way, so that the folder of a dead process is free again.
#[derive(Debug)]
pub(crate) struct Claim {
    file: File,
    folder: PathBuf,
}

impl Claim {
    /// Claim `folder`, which exists.
    ///
    /// # Errors
    ///
    /// [`TrainError::Claimed`] if another process works there, or [`TrainError::Io`].
    pub(crate) fn take(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(CLAIM);
        let mut attempts = 0;
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(TrainError::io(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                // A process that only asks who works here holds the lock for a moment.
                Err(TryLockError::WouldBlock) if attempts < PROBED => {
                    attempts += 1;
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(TrainError::Claimed { path: folder.to_path_buf(), worker: read(&mut file) });
                }
                // Some network file systems have no locks. Their folders are open to every process.
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                    log::warn!("{}: the file system has no locks; start one process only", folder.display());
                }
                Err(TryLockError::Error(error)) => return Err(TrainError::io(&path)(error)),
            }
            let claim = Self { file, folder: folder.to_path_buf() };
            // The worker before may have removed the file after it was opened here: the lock would be on no file at all.
            if claim.is_in_place() {
                claim.write(&Worker::this()).map_err(TrainError::io(&path))?;
                return Ok(claim);
            }
        }
    }

    /// The worker in `folder`, if there is one now.
    pub(crate) fn worker(folder: &Path) -> Option<Worker> {
        let mut file = File::open(folder.join(CLAIM)).ok()?;
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| read(&mut file))
    }

    /// Check that the folder is where it was when it was claimed.
    ///
    /// # Errors
    ///
    /// [`TrainError::FolderGone`].
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if self.is_in_place() { Ok(()) } else { Err(TrainError::FolderGone { path: self.folder.clone() }) }
    }

    fn write(&self, worker: &Worker) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(serde_json::to_string(worker)?.as_bytes())
    }

    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(self.folder.join(CLAIM)).map(of).ok();
        there.is_some() && there == self.file.metadata().map(of).ok()
    }

    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        self.folder.join(CLAIM).exists()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_in_place() {
            let _ = std::fs::remove_file(self.folder.join(CLAIM));
        }
    }
}

/// The worker that a claim names. It writes its name just after it takes the lock.
fn read(file: &mut File) -> Worker {
    for _ in 0..20 {
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
        if let (Ok(_), Ok(worker)) = (read, serde_json::from_str(&text)) {
            return worker;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Worker::default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("asym-train-claim-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn the_second_worker_is_told_who_the_first_is() {
        let folder = folder("second");
        let claim = Claim::take(&folder).unwrap();
        let error = Claim::take(&folder).unwrap_err();
        let TrainError::Claimed { worker, .. } = &error else { panic!("{error}") };
        assert_eq!(worker.pid, std::process::id());
        assert_eq!(Claim::worker(&folder).as_ref(), Some(worker));
        for part in [worker.host.as_str(), worker.since.as_str(), folder.to_str().unwrap()] {
            assert!(!part.is_empty() && error.to_string().contains(part), "{part} in: {error}");
        }
        drop(claim);
        assert!(!folder.join(CLAIM).exists() && Claim::worker(&folder).is_none());
        Claim::take(&folder).unwrap();
    }

    /// A killed process leaves its file, but no lock.
    #[test]
    fn the_claim_of_a_dead_worker_is_free() {
        let folder = folder("dead");
        std::fs::write(folder.join(CLAIM), r#"{"host":"elsewhere","pid":7,"since":"long ago"}"#).unwrap();
        assert_eq!(Claim::worker(&folder), None);
        let claim = Claim::take(&folder).unwrap();
        claim.check().unwrap();
        assert!(!std::fs::read_to_string(folder.join(CLAIM)).unwrap().contains("elsewhere"));
    }

    #[test]
    fn a_folder_that_is_moved_is_missed() {
        let folder = folder("moved");
        let claim = Claim::take(&folder).unwrap();
        let aside = folder.with_extension("aside");
        let _ = std::fs::remove_dir_all(&aside);
        std::fs::rename(&folder, &aside).unwrap();
        assert!(matches!(claim.check(), Err(TrainError::FolderGone { .. })));
        // Another run in its place is not this one.
        std::fs::create_dir_all(&folder).unwrap();
        let other = Claim::take(&folder).unwrap();
        assert!(claim.check().is_err() && other.check().is_ok());
        drop(claim);
        other.check().unwrap();
    }
}
