//! Requests to stop, and signals that make them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A request to stop, shared by all runs of a program.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// A request that is made by a signal: Ctrl-C, SIGTERM (sent by a scheduler at its time limit), or SIGHUP (sent when a
    /// terminal closes). The current run stops after its step and is saved. A second signal, at least a second later, ends the
    /// program immediately.
    ///
    /// If the program has already installed a signal handler, that handler is kept, and signals make no request.
    pub fn on_signals() -> Self {
        let signal = Self::default();
        let handler = signal.clone();
        let mut first: Option<Instant> = None;
        let installed = ctrlc::set_handler(move || {
            // Some systems send several signals for one request.
            if first.is_some_and(|first| first.elapsed() >= Duration::from_secs(1)) {
                std::process::exit(130);
            }
            if first.is_some() {
                return;
            }
            first = Some(Instant::now());
            handler.request();
            log::warn!("stopping after this step; a second signal (Ctrl-C) ends the program immediately");
        });
        if let Err(error) = installed {
            log::warn!("signals end the program without saving: {error}");
        }
        signal
    }

    /// Request that the current run and all later runs stop.
    pub fn request(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether a stop was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Relaxed)
    }
}
