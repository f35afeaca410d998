//! The signs of life of a worker: it writes to its claim from time to time, and the file system says when.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::worker::Worker;

/// How often a worker shows that it lives, and how long it may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// The time between two writes to a claim.
    pub beat: Duration,
    /// The age at which a claim is free, if its lock says nothing.
    pub silent: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self { beat: Duration::from_secs(15), silent: Duration::from_secs(120) }
    }
}

/// The part of a claim that its thread shares with it.
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

    /// Returns whether nothing was told before.
    pub(super) fn tell(&self, step: usize, steps: usize) -> bool {
        self.step.store(step, Relaxed);
        self.steps.swap(steps, Relaxed) == 0
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }

    /// Write the worker into its claim. The file system sets the file's time, by the clock of the server that has the files.
    pub(super) fn write(&self, mut file: &File) -> std::io::Result<()> {
        let text = serde_json::to_string(&self.worker())?;
        // Both threads of a claim write.
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
    /// Write to `file` every [`Lease::beat`], as long as it is `still` the claim of this process.
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
                // A server that does not answer now may do so at the next time.
                if let Err(error) = shared.write(&file) {
                    log::warn!("the claim of a run cannot be renewed: {error}");
                }
            }
        };
        let thread = std::thread::Builder::new().name("asym-claim".into()).spawn(beat);
        let thread = thread.inspect_err(|error| log::warn!("the claim of a run is not renewed: {error}")).ok();
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
    /// It was written later than now.
    Future,
}

/// Times of one file system may differ by this much, since some keep whole seconds, and some take their time from more than one
/// server.
const SLACK: Duration = Duration::from_secs(5);

/// The age of `file`, which is in `folder`: by the time that a new file in the same folder gets. In a folder that this process
/// cannot write to, this machine's clock has to do.
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
