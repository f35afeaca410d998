//! One worker at a time in the folder of a run.

mod pulse;
mod worker;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::pulse::{Age, Lease, Pulse, Shared};
pub use self::worker::Worker;
use crate::TrainError;

/// The prefix of the names of claim files.
const CLAIM: &str = "claim-";

/// Whether a file of this name belongs to the claims on a folder, not to the run in it.
pub(crate) fn is_claim(name: &str) -> bool {
    name.starts_with(CLAIM)
}

/// The number of attempts to lock a new claim file, 10 ms apart. A process that looks up the worker holds the lock for a moment.
const PROBED: usize = 50;

/// The right to work in a folder: the file `claim-N` with the highest N, which names the worker.
///
/// On every file system, only one process can create the file with a new number, so only one of several processes gets the claim.
/// If both processes run on the same system, a free lock on the file means that its worker has ended. Locks may not work between
/// machines. There, a worker is considered dead if it has not written to its file for the time of a [`Lease`]. This time is
/// measured with the times that the file system assigns to files. The clock of a machine is used only if the folder is read-only.
#[derive(Debug)]
pub(crate) struct Claim {
    file: Arc<File>,
    path: PathBuf,
    folder: PathBuf,
    number: u64,
    shared: Arc<Shared>,
    pulse: Pulse,
}

impl Claim {
    /// Claim `folder`, which must exist.
    ///
    /// # Errors
    ///
    /// [`TrainError::Claimed`] if another process works there, or [`TrainError::Io`].
    pub(crate) fn take(folder: &Path) -> Result<Self, TrainError> {
        Self::take_for(folder, Lease::default())
    }

    fn take_for(folder: &Path, lease: Lease) -> Result<Self, TrainError> {
        loop {
            let number = highest(folder).map_err(TrainError::io(folder))?;
            let before = path(folder, number);
            if number > 0
                && let Some(worker) = standing(folder, &before, lease, true).map_err(TrainError::io(&before))?
            {
                return Err(TrainError::Claimed { path: folder.to_path_buf(), worker: Box::new(worker) });
            }
            let judged = identity(&before);
            let own = path(folder, number + 1);
            let made = OpenOptions::new().read(true).write(true).create_new(true).open(&own);
            let file = match made {
                Ok(file) => file,
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(TrainError::io(&own)(error)),
            };
            lock(&file, &own)?;
            let shared = Arc::new(Shared::new(Worker::this()));
            shared.write(&file).map_err(TrainError::io(&own))?;
            // Between the check of the folder and the creation of the file, another process may have started and finished its
            // work here, and a third process may have started.
            let latest = highest(folder).map_err(TrainError::io(folder))?;
            if latest != number + 1 || identity(&before) != judged {
                let _ = std::fs::remove_file(&own);
                continue;
            }
            for gone in claims(folder).map_err(TrainError::io(folder))? {
                if gone <= number {
                    let _ = std::fs::remove_file(path(folder, gone));
                }
            }
            let file = Arc::new(file);
            let (folder, number) = (folder.to_path_buf(), number + 1);
            let still = {
                let (file, folder, own) = (Arc::clone(&file), folder.clone(), own.clone());
                move || is_ours(&file, &own, &folder, number)
            };
            let pulse = Pulse::start(Arc::clone(&file), Arc::clone(&shared), lease, still);
            return Ok(Self { file, path: own, folder, number, shared, pulse });
        }
    }

    /// The process that is working in `folder`, if any.
    pub(crate) fn worker(folder: &Path) -> Option<Worker> {
        let number = highest(folder).ok().filter(|number| *number > 0)?;
        standing(folder, &path(folder, number), Lease::default(), false).ok().flatten()
    }

    /// Publish the progress to other processes: the number of completed steps and the number of all steps. They are
    /// written to the claim file at the first call, and later at each beat.
    pub(crate) fn tell(&self, step: usize, steps: usize) {
        let is_first = self.shared.tell(step, steps);
        if is_first && let Err(error) = self.shared.write(&self.file) {
            log::warn!("the claim on a run's folder cannot be renewed: {error}");
        }
    }

    /// Whether another process may have taken over the folder. This costs nothing; [`check`](Self::check) finds the reason.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.shared.is_lost()
    }

    /// Check that the folder was not moved or removed since it was claimed, and that no other process has claimed it.
    ///
    /// # Errors
    ///
    /// [`TrainError::FolderGone`], or [`TrainError::Overtaken`].
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        if is_ours(&self.file, &self.path, &self.folder, self.number) {
            return Ok(());
        }
        let path = self.folder.clone();
        match Self::worker(&self.folder).filter(|worker| *worker != self.shared.worker()) {
            Some(worker) => Err(TrainError::Overtaken { path, worker: Box::new(worker) }),
            None => Err(TrainError::FolderGone { path }),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.pulse.end();
        if is_in_place(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Lock a file that this process has just created.
fn lock(file: &File, path: &Path) -> Result<(), TrainError> {
    for _ in 0..PROBED {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            // A process that looks up the worker holds the lock for a moment.
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            // Some network file systems do not support locks. Only the age of the file is used then.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(TrainError::io(path)(error)),
        }
    }
    Err(TrainError::io(path)(ErrorKind::WouldBlock.into()))
}

/// The worker that holds the claim at `path`, if it is still alive. With `patient`, a claim with a file time in the future is
/// watched for the time of two beats.
fn standing(folder: &Path, path: &Path, lease: Lease, patient: bool) -> std::io::Result<Option<Worker>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let lock = file.try_lock_shared();
    let worker = worker::read(&mut file);
    match lock {
        Err(TryLockError::WouldBlock) => return Ok(Some(worker)),
        // Locks are reliable between processes of one system, so a claim with a free lock has no worker.
        Ok(()) if worker.is_of_this_system() => return Ok(None),
        _ => {}
    }
    let works = match pulse::age(folder, &file)? {
        Age::Since(age) => age < lease.silent,
        // A file cannot be written in the future, so a clock was changed. A live worker writes again soon, which changes the file
        // time.
        Age::Future => !patient || pulse::beats(&file, lease)?,
    };
    Ok(works.then_some(worker))
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{CLAIM}{number}"))
}

/// The numbers of the claims in `folder`.
fn claims(folder: &Path) -> std::io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_prefix(CLAIM)?.parse::<u64>().ok()));
    }
    Ok(found)
}

/// The highest number of a claim in `folder`; 0 if there is none.
fn highest(folder: &Path) -> std::io::Result<u64> {
    Ok(claims(folder)?.into_iter().max().unwrap_or_default())
}

/// Whether `file` is still at `path` and `number` is the highest number of a claim in `folder`.
fn is_ours(file: &File, path: &Path, folder: &Path, number: u64) -> bool {
    let holds = || is_in_place(file, path) && highest(folder).is_ok_and(|highest| highest == number);
    // A process that was too late removes its file immediately, so a higher number is checked twice.
    holds() || {
        std::thread::sleep(Duration::from_millis(100));
        holds()
    }
}

/// The device and inode of the file at `path`, which no other file has at the same time; `None` if there is no file.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok()
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}

#[cfg(unix)]
fn is_in_place(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    own.is_some() && own == identity(path)
}

#[cfg(not(unix))]
fn is_in_place(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests;
