//! The heartbeat of a worker: it writes to its claim at intervals, and the file system records the time.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::worker::Worker;

/// How often a worker writes to its claim, and after which time without a write it is considered dead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// The time between two writes to a claim.
    pub beat: Duration,
    /// The age from which a claim is free, if its lock cannot be relied on.
    pub silent: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self { beat: Duration::from_secs(15), silent: Duration::from_secs(120) }
    }
}

/// The state that a claim shares with its thread.
#[derive(Debug)]
pub(super) struct Shared {
    worker: Worker,
    step: AtomicUsize,
    steps: AtomicUsize,
    lost: AtomicBool,
    writing: Mutex<()>,
}

impl Shared {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker, step: 0.into(), steps: 0.into(), lost: false.into(), writing: Mutex::new(()) }
    }

    pub(super) fn worker(&self) -> Worker {
        Worker { step: self.step.load(Relaxed), steps: self.steps.load(Relaxed), ..self.worker.clone() }
    }

    /// Set the progress. Returns whether this is the first call.
    pub(super) fn tell(&self, step: usize, steps: usize) -> bool {
        self.step.store(step, Relaxed);
        self.steps.swap(steps, Relaxed) == 0
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }

    /// Write the worker to its claim file. The file system sets the time of the file, by the clock of the file server.
    pub(super) fn write(&self, mut file: &File) -> std::io::Result<()> {
        let text = serde_json::to_string(&self.worker())?;
        // The claim and its thread both write to the file.
        let _alone = self.writing.lock();
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    }
}

/// The thread that writes to a claim.
#[derive(Debug)]
pub(super) struct Pulse {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Write to `file` every [`Lease::beat`], as long as `still` returns that the file is the claim of this process.
    pub(super) fn start(
        file: Arc<File>,
        shared: Arc<Shared>,
        lease: Lease,
        still: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let beat = move || {
            while stopped.recv_timeout(lease.beat) == Err(mpsc::RecvTimeoutError::Timeout) {
                if !still() {
                    shared.lost.store(true, Relaxed);
                    return;
                }
                // A server that does not answer now may answer at the next beat.
                if let Err(error) = shared.write(&file) {
                    log::warn!("the claim on a run's folder cannot be renewed: {error}");
                }
            }
        };
        let thread = std::thread::Builder::new().name("asym-claim".into()).spawn(beat);
        let thread = thread.inspect_err(|error| log::warn!("the claim on a run's folder is not renewed: {error}")).ok();
        Self { stop: Some(stop), thread }
    }

    /// End the thread.
    pub(super) fn end(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The time since a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Since(Duration),
    /// The file was written later than now.
    Future,
}

/// The largest error of the times of one file system. Some file systems store whole seconds, and some get the time from more than
/// one server.
const SLACK: Duration = Duration::from_secs(5);

/// The age of `file`, which is in `folder`. The current time is the time of a new file in the same folder, or the clock of this
/// machine if this process cannot write to the folder.
pub(super) fn age(folder: &Path, file: &File) -> std::io::Result<Age> {
    let written = file.metadata()?.modified()?;
    let now = now(folder).unwrap_or_else(|_| SystemTime::now());
    Ok(match now.duration_since(written) {
        Ok(age) => Age::Since(age),
        Err(error) if error.duration() <= SLACK => Age::Since(Duration::ZERO),
        Err(_) => Age::Future,
    })
}

/// The time by the clock of the file system of `folder`.
fn now(folder: &Path) -> std::io::Result<SystemTime> {
    let name = format!("{}now-{}-{}", super::CLAIM, std::process::id(), gethostname::gethostname().to_string_lossy());
    let path = folder.join(name);
    let time = || {
        let mut file = File::options().write(true).create(true).truncate(true).open(&path)?;
        file.write_all(b"now")?;
        file.sync_all()?;
        file.metadata()?.modified()
    };
    let found = time();
    let _ = std::fs::remove_file(&path);
    found
}

/// Whether a worker writes to `file` within the time of two beats.
pub(super) fn beats(file: &File, lease: Lease) -> std::io::Result<bool> {
    let (before, started) = (file.metadata()?.modified()?, Instant::now());
    while started.elapsed() < lease.beat * 2 {
        std::thread::sleep(lease.beat / 10);
        if file.metadata()?.modified()? != before {
            return Ok(true);
        }
    }
    Ok(false)
}
